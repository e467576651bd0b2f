import NixStore

/// What a collection of garbage is to do.
public struct GarbageCollection: Sendable {
    public enum Action: Sendable {
        /// Say what would stay.
        case findLive
        /// Say what would go.
        case findDead
        /// Delete what nothing keeps.
        case deleteDead
        /// Delete these, and nothing else; with `ignoringLiveness` whether or not roots keep them.
        case delete(Set<StorePath>, ignoringLiveness: Bool)
    }

    public var action: Action
    /// Stop after so many bytes.
    public var byteLimit = UInt64.max
    /// Whether what has been built from a living derivation lives too.
    public var keepsOutputs = false
    /// Whether the derivations of living objects live too.
    public var keepsDerivations = true

    public init(_ action: Action) { self.action = action }

    /// How many bytes must go until `wanted` bytes are free on the store's file system.
    public static func bytes(toFree wanted: UInt64, in store: any MachineStore) throws -> UInt64 {
        let available = try store.availableBytes()
        return wanted > available ? wanted - available : 0
    }
}

/// What a collection found or deleted.
public struct CollectionResult: Sendable {
    /// Absolute paths, as the store names them.
    public var paths: Set<String> = []
    public var freedBytes: UInt64 = 0
    /// What hard links between equal files save, after the collection.
    public var savedBytes: Int64 = 0
}

/// What a collection does, as it does it.
public enum CollectionEvent: Sendable {
    case waitingForLock
    case findingRoots
    case note(String)
    case determining
    case deletingGarbage
    case deleting(String)
    case deletingLinks
    case limitReached(UInt64)
    case saving(Int64)
}
