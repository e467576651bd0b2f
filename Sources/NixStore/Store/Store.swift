/// A place that holds store objects: the machine's own store, another process's behind its socket, a binary cache.
///
/// Every call blocks until it is done: callers with an event loop go to a thread of their own.
public protocol Store: Sendable {
    /// The directory that the objects' paths are below, which is not always where their files are.
    var directory: StoreDirectory { get }

    /// What is known of `path`; `nil` when it is not valid here.
    func info(of path: StorePath) throws -> PathInfo?

    /// Hands out the archive (NAR) of a valid object, piece by piece.
    /// - Throws: `StoreError`, and whatever `sink` throws.
    func archive(of path: StorePath, to sink: (UnsafeRawBufferPointer) throws -> Void) throws

    /// Takes in an object, unless it is valid already: unpacks its archive, checks hash and size as they come, and
    /// registers it. All that it refers to, but itself, must be valid.
    /// - Parameters:
    ///   - archive: gives at most so many bytes; an empty answer is the end.
    ///   - checkSignatures: whether one of the store's trusted keys must have signed `info`.
    func add(_ info: PathInfo, checkSignatures: Bool, archive: (Int) throws -> [UInt8]) throws
}

/// A store that keeps more signatures for objects that it has.
public protocol SignableStore: Store {
    /// Adds signatures, `name:base64` each, to those of a valid object.
    func addSignatures(_ signatures: [String], to path: StorePath) throws
}
