/// What a file in a tree is.
public enum FileKind: Sendable, Equatable {
    case regular
    case directory
    case symlink
    /// A device, a socket or a pipe: no store object holds one.
    case other

    /// The word that the language's `readDir` has for it.
    public var name: String {
        switch self {
        case .regular: "regular"
        case .directory: "directory"
        case .symlink: "symlink"
        case .other: "unknown"
        }
    }
}

/// A tree of files to make an archive of: a directory on disk, or one in memory.
///
/// Paths are absolute, and as the caller of the archive gave them; names need not be UTF-8.
public protocol NARSource {
    /// What `path` itself is, symbolic links not followed.
    func kind(of path: ByteString) throws -> FileKind
    func isExecutable(_ path: ByteString) throws -> Bool
    func target(ofLink path: ByteString) throws -> [UInt8]
    /// The names in a directory, in any order.
    func names(in path: ByteString) throws -> [ByteString]
    /// Hands out a file's size, then its bytes piece by piece.
    func read(_ path: ByteString, size: (UInt64) -> Void, body: (UnsafeRawBufferPointer) -> Void) throws
}

extension NARSource {
    public func kind(of path: String) throws -> FileKind { try kind(of: ByteString(path)) }
    public func isExecutable(_ path: String) throws -> Bool { try isExecutable(ByteString(path)) }
    public func target(ofLink path: String) throws -> [UInt8] { try target(ofLink: ByteString(path)) }
    public func names(in path: String) throws -> [ByteString] { try names(in: ByteString(path)) }
    public func read(_ path: String, size: (UInt64) -> Void, body: (UnsafeRawBufferPointer) -> Void) throws {
        try read(ByteString(path), size: size, body: body)
    }
}
