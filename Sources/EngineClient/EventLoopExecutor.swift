import Glibc
import NIOCore
import NIOPosix

/// Runs tasks on an event loop.
///
/// A program that speaks with the daemon, and does little else, then needs one thread: neither starting others nor going
/// to and fro between them for every answer, which is a good part of a short command's time.
///
/// What blocks for long does not belong on it, least of all what waits for the daemon: see `BlockingThread`.
public final class EventLoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    private init(_ loop: any EventLoop) { self.loop = loop }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    /// Runs `body` on an event loop on this thread, and leaves the program with the status that it gives. Clients that
    /// it makes use that loop.
    public static func exit(with body: @escaping @Sendable () async -> Int32) -> Never {
        MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { loop in
            Task(executorPreference: EventLoopExecutor(loop)) { Glibc.exit(await body()) }
        }
        fatalError("the event loop ended before the program")
    }
}
