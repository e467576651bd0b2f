import Synchronization

/// True once.
final class Flag: Sendable {
    private let isRaised = Mutex(false)

    func raise() -> Bool {
        isRaised.withLock { isRaised in
            defer { isRaised = true }
            return !isRaised
        }
    }
}
