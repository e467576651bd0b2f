import Glibc
import Synchronization

/// A connected, non-blocking, close-on-exec socket in stream mode (see `MonitorRequest.Attach`).
///
/// Whoever takes `release()` must close it; a stream that is dropped closes itself.
public final class MonitorStream: Sendable {
    /// Whether the bytes are a terminal's (raw) rather than Docker's frames.
    public let isTerminal: Bool
    private let descriptor: Atomic<Int32>

    init(descriptor: Int32, isTerminal: Bool) {
        self.descriptor = Atomic(descriptor)
        self.isTerminal = isTerminal
    }

    deinit {
        let descriptor = release()
        if descriptor >= 0 { close(descriptor) }
    }

    /// Hands the descriptor over; -1 when that happened before.
    public func release() -> Int32 { descriptor.exchange(-1, ordering: .relaxed) }
}

/// Carries a stream's socket from the reactor's thread to the task that asked for it.
final class ReplyStream: Sendable {
    private let descriptor = Atomic<Int32>(-1)

    func take(_ channel: Channel) { descriptor.store(channel.takeDescriptor(), ordering: .relaxed) }

    func finish(isTerminal: Bool) -> MonitorStream {
        MonitorStream(descriptor: descriptor.exchange(-1, ordering: .relaxed), isTerminal: isTerminal)
    }
}
