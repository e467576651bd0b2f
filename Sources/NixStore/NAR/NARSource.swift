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
/// Paths are absolute, and as the caller of the archive gave them.
public protocol NARSource {
    /// What `path` itself is, symbolic links not followed.
    func kind(of path: String) throws -> FileKind
    func isExecutable(_ path: String) throws -> Bool
    func target(ofLink path: String) throws -> [UInt8]
    /// The names in a directory, in any order.
    func names(in path: String) throws -> [ByteString]
    /// Hands out a file's size, then its bytes piece by piece.
    func read(_ path: String, size: (UInt64) -> Void, body: (UnsafeRawBufferPointer) -> Void) throws
}
