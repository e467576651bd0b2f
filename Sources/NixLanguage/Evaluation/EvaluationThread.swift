#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A thread with a large stack, on which an evaluation may nest as deeply as the language allows.
enum EvaluationThread {
    /// Address space, of which only what is used becomes memory: ten thousand nested calls take a few megabytes.
    static let stackSize = 1 << 28
    /// What is kept free below the limit for functions that do not check.
    private static let reserve = 1 << 18

    private final class Job {
        let body: (StackLimit) -> Void
        let limit: StackLimit

        init(limit: StackLimit, body: @escaping (StackLimit) -> Void) {
            self.limit = limit
            self.body = body
        }
    }

    /// Runs `body` on a new thread and waits for it.
    static func run<Result>(_ body: @escaping (StackLimit) -> Result) -> Result {
        var result: Result?
        var size = stackSize
        var stack = map(size)
        // Where address space is rationed, less must do.
        while stack == nil, size > 8 << 20 {
            size /= 2
            stack = map(size)
        }
        guard let stack else { preconditionFailure("no memory for a stack of \(size) bytes") }
        defer { munmap(stack, size) }
        let job = Job(limit: StackLimit(lowest: UInt(bitPattern: stack) + UInt(reserve))) { result = body($0) }
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstack(&attributes, stack, size)
        var thread = pthread_t()
        let code = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let job = Unmanaged<Job>.fromOpaque(argument).takeRetainedValue()
                job.body(job.limit)
                return nil
            }, Unmanaged.passRetained(job).toOpaque())
        guard code == 0 else { preconditionFailure("cannot start a thread: \(String(cString: strerror(code)))") }
        pthread_join(thread, nil)
        guard let result else { preconditionFailure("the thread has run") }
        return result
    }

    private static func map(_ size: Int) -> UnsafeMutableRawPointer? {
        let start = mmap(
            nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0)
        return start == MAP_FAILED ? nil : start
    }
}
