import CommandLineKit
import Dispatch
import Glibc
import ImageTransports

/// Ends a command when the user or a time limit says so, with time to remove what it has begun.
struct Interruption {
    private let limit: GoDuration

    /// - Parameter limit: zero for none.
    init(after limit: GoDuration) { self.limit = limit }

    func run(_ body: @escaping () async throws -> Void) async throws {
        // The task alone runs it, and it is waited for here.
        nonisolated(unsafe) let body = body
        let task = Task { try await body() }
        let sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                task.cancel()
                // The second one ends the program at once.
                signal(number, SIG_DFL)
            }
            source.resume()
            return source
        }
        let limit = limit
        let timer =
            limit.nanoseconds > 0
            ? Task {
                try await Task.sleep(nanoseconds: UInt64(limit.nanoseconds))
                task.cancel()
            } : nil
        let result = await task.result
        timer?.cancel()
        for source in sources { source.cancel() }
        if task.isCancelled, case .failure = result {
            throw TransportError(.interrupted, "interrupted, or not done in time: nothing of it was kept")
        }
        try result.get()
    }
}
