import OCI
import Synchronization

/// How one blob of a transfer gets on.
public struct TransferProgress: Sendable, Equatable {
    public enum State: Sendable, Equatable {
        /// It will be fetched or sent.
        case pending
        /// Others are before it.
        case waiting
        /// Bytes that are there, or sent.
        case moving(current: Int64)
        /// All is there and right.
        case done
        /// It was there before.
        case existed
        /// The registry took it from another of its repositories.
        case mounted(from: String)
    }

    public var blob: Descriptor
    public var state: State

    public init(_ blob: Descriptor, _ state: State) {
        self.blob = blob
        self.state = state
    }
}

public typealias TransferReport = @Sendable (TransferProgress) -> Void

/// Lets a report through ten times a second, so that a terminal at the other end is not drowned.
final class ReportLimiter: Sendable {
    private let next = Mutex(ContinuousClock.now)

    /// Whether it is time.
    var isDue: Bool {
        next.withLock { next in
            let now = ContinuousClock.now
            if now < next { return false }
            next = now + .milliseconds(100)
            return true
        }
    }
}
