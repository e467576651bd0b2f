import Synchronization

/// What a running daemon may be told anew.
public final class LiveSettings: Sendable {
    private let state: Mutex<(labels: [String], debug: Bool)>

    init(labels: [String], debug: Bool) { state = Mutex((labels, debug)) }

    public var labels: [String] { state.withLock { $0.labels } }
    public var debug: Bool { state.withLock { $0.debug } }

    public func set(labels: [String], debug: Bool) { state.withLock { $0 = (labels, debug) } }
}
