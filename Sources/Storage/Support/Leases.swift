import Synchronization

/// Things that someone is using and that must therefore not be collected, though no row of the database refers to them
/// yet: the layers and blobs of an image that is just being loaded.
final class Leases: Sendable {
    private let counts = Mutex<[String: Int]>([:])

    /// Held for as long as the object lives.
    final class Lease: Sendable {
        private let leases: Leases
        private let key: String

        fileprivate init(_ leases: Leases, _ key: String) {
            self.leases = leases
            self.key = key
        }

        deinit {
            leases.counts.withLock { counts in
                let left = (counts[key] ?? 1) - 1
                counts[key] = left == 0 ? nil : left
            }
        }
    }

    func take(_ key: String) -> Lease {
        counts.withLock { $0[key, default: 0] += 1 }
        return Lease(self, key)
    }

    /// Runs `body` while no lease can be taken or given back.
    func frozen<Result>(_ body: (_ isLeased: (String) -> Bool) throws -> Result) rethrows -> Result {
        try counts.withLock { counts in
            let snapshot = counts
            return try body { snapshot[$0] != nil }
        }
    }
}
