import Kernel

/// One member of a tar archive: everything but its content.
///
/// Names are bytes, because file names are; nothing says that they are UTF-8.
public struct TarEntry: Sendable, Equatable {
    public enum Kind: Sendable, Hashable {
        case file
        case hardLink
        case symbolicLink
        case characterDevice
        case blockDevice
        case directory
        case fifo
        /// A type that this module does not know, by its letter in the header.
        case other(UInt8)
    }

    /// A named attribute of a file (xattr(7)).
    public struct Attribute: Sendable, Hashable {
        /// With its name space, as in `security.capability`.
        public var name: [UInt8]
        public var value: [UInt8]

        public init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// The name as the archive has it, without the slashes that end a directory's name. The reader does not clean it:
    /// it may be absolute or hold `..`.
    public var path: [UInt8]
    public var kind: Kind
    /// For symbolic links what they contain, for hard links the path of the other name.
    public var linkTarget: [UInt8] = []
    /// The permission bits with set-user-ID, set-group-ID and sticky: 0o7777 at most.
    public var mode: UInt32
    public var uid: Int64 = 0
    public var gid: Int64 = 0
    public var userName: [UInt8] = []
    public var groupName: [UInt8] = []
    /// The file's length in bytes, holes included; 0 for all that is no file.
    public var size: Int64 = 0
    public var modified = Timestamp(seconds: 0)
    public var accessed: Timestamp?
    public var changed: Timestamp?
    public var deviceMajor: UInt32 = 0
    public var deviceMinor: UInt32 = 0
    public var attributes: [Attribute] = []
    /// Where the stored bytes of a sparse file belong; `nil` for a file that is stored whole.
    public var extents: [SparseExtent]?

    public init(path: [UInt8], kind: Kind, mode: UInt32? = nil) {
        self.path = path
        self.kind = kind
        self.mode = mode ?? (kind == .directory ? 0o755 : kind == .symbolicLink ? 0o777 : 0o644)
    }

    public init(path: String, kind: Kind, mode: UInt32? = nil) {
        self.init(path: Array(path.utf8), kind: kind, mode: mode)
    }

    /// The path for messages and for callers who know that it is text.
    public var name: String { String(decoding: path, as: UTF8.self) }
    public var linkName: String { String(decoding: linkTarget, as: UTF8.self) }
}

/// A run of bytes that a sparse file really stores; the rest are zeros.
public struct SparseExtent: Sendable, Hashable {
    public var offset: Int64
    public var count: Int64

    public init(offset: Int64, count: Int64) {
        self.offset = offset
        self.count = count
    }
}
