/// Bounds on what one archive may make.
public struct UnpackLimits: Sendable, Equatable {
    /// The most bytes of file content; holes do not count.
    public var maximumBytes: Int64?
    /// The most files, directories, links and nodes.
    public var maximumEntries: Int64?

    public init(maximumBytes: Int64? = nil, maximumEntries: Int64? = nil) {
        self.maximumBytes = maximumBytes
        self.maximumEntries = maximumEntries
    }
}

/// How an archive is unpacked.
public struct UnpackOptions: Sendable {
    /// What names beginning with `.wh.` mean (OCI image specification, "Whiteouts").
    public enum Whiteouts: Sendable, Equatable {
        /// Nothing: the archive is no layer.
        case none
        /// They delete what the directory holds from lower layers. What this very layer brings stays.
        case delete
        /// They become overlayfs' own marks: character devices 0:0, and an attribute on opaque directories.
        case overlay
    }

    public enum Ownership: Sendable {
        /// The archive's numbers.
        case archive
        case fixed(uid: UInt32, gid: UInt32)
        /// The archive's numbers through a map; an owner for which it gives `nil` is an error.
        case mapped(@Sendable (_ uid: UInt32, _ gid: UInt32) -> (uid: UInt32, gid: UInt32)?)
    }

    public var whiteouts: Whiteouts
    public var ownership = Ownership.archive
    public var limits = UnpackLimits()
    /// A directory is not replaced by something else, nor the other way round (`docker cp`'s rule): an error instead.
    public var keepsKindOfExisting = false
    /// See `TarReader.init`.
    public var endMarkerRequired = true
    /// Overlayfs' marks are `user.overlay.*` attributes (its mount option `userxattr`) instead of `trusted.overlay.*`.
    public var overlayUsesUserAttributes = false
    /// Device nodes are left out, because a user namespace may not make them.
    public var skipsDevices = false

    public init(whiteouts: Whiteouts = .none) { self.whiteouts = whiteouts }

    /// A layer onto a tree that holds the layers below it.
    public static let merge = UnpackOptions(whiteouts: .delete)
    /// A layer into a directory of its own, for overlayfs.
    public static let overlay = UnpackOptions(whiteouts: .overlay)
}

/// What was unpacked.
public struct UnpackResult: Sendable, Equatable {
    /// Files, directories, links, nodes and whiteouts made.
    public var entries: Int64 = 0
    /// Bytes of file content written.
    public var bytes: Int64 = 0
    /// What was left out and is no error, such as attributes that the file system does not support: 100 sentences at
    /// most.
    public var warnings: [String] = []

    public init() {}
}
