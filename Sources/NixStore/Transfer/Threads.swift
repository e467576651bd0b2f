import Glibc
import Synchronization

/// Threads for work that blocks: with a stack for deep archives, and without the process's signals.
package enum Threads {
    private static let stackSize = 8 << 20

    /// Runs `body` on `count` threads and waits for all.
    static func run(_ count: Int, _ body: @escaping @Sendable () -> Void) throws {
        var threads: [pthread_t] = []
        defer { for thread in threads { pthread_join(thread, nil) } }
        for _ in 0..<count { threads.append(try start(body)) }
    }

    /// Starts a thread, which somebody must join.
    @discardableResult
    package static func start(_ body: @escaping @Sendable () -> Void) throws -> pthread_t {
        final class Work: Sendable {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var (all, old) = (sigset_t(), sigset_t())
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &old)
        defer { pthread_sigmask(SIG_SETMASK, &old, nil) }
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSize)
        var thread = pthread_t()
        let work = Unmanaged.passRetained(Work(body))
        let result = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        guard result == 0 else {
            work.release()
            throw StoreError(.system(result), "starting a thread: \(String(cString: strerror(result)))")
        }
        return thread
    }

    package static func join(_ thread: pthread_t) { pthread_join(thread, nil) }
}

/// Runs what blocks, as all calls of stores do, on a thread of its own, for callers that are tasks.
public func onOwnThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withTaskExecutorPreference(OwnThreads.shared) { try await OwnThreads.run(body) }
}

/// Gives each job of a task a thread.
private final class OwnThreads: TaskExecutor {
    static let shared = OwnThreads()

    static func run<Result: Sendable>(_ body: @Sendable () throws -> Result) async throws -> Result { try body() }

    func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        do {
            pthread_detach(
                try Threads.start { unowned.runSynchronously(on: OwnThreads.shared.asUnownedTaskExecutor()) })
        } catch {
            // No thread to be had: the job must run all the same, here, where it may make others wait.
            unowned.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}

/// Runs `body` for each of `items` on at most `parallelism` threads, and gives the results in the items' order.
///
/// The first error ends it: what is being done is finished, nothing more is begun, and the error is thrown.
public func concurrently<Item: Sendable, Result: Sendable>(
    _ items: [Item], parallelism: Int, _ body: @escaping @Sendable (Item) throws -> Result
) throws -> [Result] {
    if items.count <= 1 || parallelism <= 1 { return try items.map(body) }
    let shared = SharedResults<Result>(items.count)
    try Threads.run(min(parallelism, items.count)) {
        while true {
            let index = shared.state.withLock { state -> Int? in
                guard state.failure == nil, state.next < items.count else { return nil }
                state.next += 1
                return state.next - 1
            }
            guard let index else { return }
            do {
                let result = try body(items[index])
                shared.state.withLock { $0.results[index] = result }
            } catch {
                shared.state.withLock { if $0.failure == nil { $0.failure = error } }
            }
        }
    }
    return try shared.state.withLock { state in
        if let failure = state.failure { throw failure }
        return state.results.compactMap { $0 }
    }
}

/// What the threads of `concurrently` share.
private final class SharedResults<Result: Sendable>: Sendable {
    struct State {
        var next = 0
        var results: [Result?]
        var failure: (any Error)?
    }

    let state: Mutex<State>

    init(_ count: Int) { state = Mutex(State(results: Array(repeating: nil, count: count))) }
}
