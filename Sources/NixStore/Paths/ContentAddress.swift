/// How the bytes of a store object are brought into one hash.
public enum IngestionMethod: Sendable, Hashable {
    /// The bytes of a single file.
    case flat
    /// The object's archive (NAR).
    case recursive

    /// What stands before the hash function's name: `r:` or nothing.
    public var prefix: String { self == .recursive ? "r:" : "" }
}

/// A store object's identity by its content.
public struct ContentAddress: Sendable, Hashable {
    public let method: IngestionMethod
    public let hash: Hash

    public init(method: IngestionMethod, hash: Hash) {
        self.method = method
        self.hash = hash
    }

    /// `r:sha256`, as in a derivation's outputs.
    public var methodAlgorithm: String { method.prefix + hash.algorithm.rawValue }
}
