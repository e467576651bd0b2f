import Glibc
import Synchronization

/// A mutual exclusion with waiting, for threads (not tasks).
final class Condition: @unchecked Sendable {
    // Sendable: the pointers never change, and pthread's functions on them may be called from any thread.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` in mutual exclusion; it may `wait`.
    func withLock<Result>(_ body: () throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// Lets others in until someone calls `wakeAll`.
    func wait() { pthread_cond_wait(condition, mutex) }

    func wakeAll() { pthread_cond_broadcast(condition) }
}

/// Locks by name: whoever comes second for a name waits until the first is done.
final class KeyedLock: Sendable {
    private let condition = Condition()
    private let held = Mutex<Set<String>>([])

    /// Locks all keys, one after another; callers that share several must name them in the same order.
    func with<Result>(_ keys: [String], _ body: () throws -> Result) rethrows -> Result {
        for key in keys {
            condition.withLock {
                while !held.withLock({ $0.insert(key).inserted }) { condition.wait() }
            }
        }
        defer {
            condition.withLock {
                held.withLock { $0.subtract(keys) }
                condition.wakeAll()
            }
        }
        return try body()
    }

    func with<Result>(_ key: String, _ body: () throws -> Result) rethrows -> Result { try with([key], body) }
}

/// Runs `body` for 0 ..< `count` on up to `threads` threads and waits for all of them.
///
/// After a failure no further number is begun; the failure with the lowest number is thrown.
func concurrently(count: Int, threads: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    if count <= 1 || threads <= 1 {
        for number in 0..<count { try body(number) }
        return
    }
    let next = Atomic(0)
    let failure = Mutex<(number: Int, error: any Error)?>(nil)
    let work: @Sendable () -> Void = {
        while failure.withLock({ $0 == nil }) {
            let number = next.add(1, ordering: .relaxed).oldValue
            guard number < count else { return }
            do { try body(number) } catch {
                failure.withLock { if number < $0?.number ?? .max { $0 = (number, error) } }
            }
        }
    }
    // This thread takes part, so that it also works where no thread can be made.
    let helpers = (1..<min(threads, count)).compactMap { _ in Thread.start(work) }
    work()
    for helper in helpers { helper.join() }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
}

/// A thread of the operating system.
struct Thread {
    private let handle: pthread_t

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// - Returns: `nil` when the system makes no more threads.
    static func start(_ body: @escaping @Sendable () -> Void) -> Thread? {
        // The new thread inherits this one's mask: writing to a closed pipe must be an error there, not a signal.
        var pipeSignal = sigset_t()
        var old = sigset_t()
        sigemptyset(&pipeSignal)
        sigaddset(&pipeSignal, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &pipeSignal, &old)
        defer { pthread_sigmask(SIG_SETMASK, &old, nil) }

        let context = Unmanaged.passRetained(Body(body))
        var handle = pthread_t()
        let result = pthread_create(
            &handle, nil,
            { context in
                if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, context.toOpaque())
        guard result == 0 else {
            context.release()
            return nil
        }
        return Thread(handle: handle)
    }

    func join() { pthread_join(handle, nil) }
    func detach() { pthread_detach(handle) }
}
