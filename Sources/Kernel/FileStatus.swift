import CKernel
import Glibc

/// A point in time as the kernel keeps it: seconds since 1970 and nanoseconds (0 ..< 1 000 000 000) after that.
public struct Timestamp: Hashable, Comparable, Sendable {
    public var seconds: Int64
    public var nanoseconds: UInt32

    public init(seconds: Int64, nanoseconds: UInt32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    public static func < (left: Self, right: Self) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    init(_ time: ck_statx_timestamp) { self.init(seconds: time.tv_sec, nanoseconds: time.tv_nsec) }
    init(_ time: timespec) { self.init(seconds: Int64(time.tv_sec), nanoseconds: UInt32(time.tv_nsec)) }

    var timespec: timespec { Glibc.timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds)) }
}

/// The kinds of file.
public enum FileType: UInt32, Sendable {
    case fifo = 0o010000
    case characterDevice = 0o020000
    case directory = 0o040000
    case blockDevice = 0o060000
    case regular = 0o100000
    case symbolicLink = 0o120000
    case socket = 0o140000
}

/// A device's number.
public struct DeviceNumber: Hashable, Sendable, CustomStringConvertible {
    public var major: UInt32
    public var minor: UInt32

    public init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    /// The encoding that `mknod` takes: 12 bits of major, 20 of minor.
    public var encoded: UInt32 { (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12) }
    public var description: String { "\(major):\(minor)" }
}

/// What `statx` tells about a file.
public struct FileStatus: Sendable {
    public let type: FileType
    /// The permission bits with set-user-ID, set-group-ID and sticky: `mode & 0o7777`.
    public let permissions: UInt32
    public let userID: UInt32
    public let groupID: UInt32
    public let size: Int64
    /// In units of 512 bytes.
    public let blocks: Int64
    public let inode: UInt64
    public let linkCount: UInt32
    /// The file system's device.
    public let device: DeviceNumber
    /// Of a device file: which device.
    public let specialDevice: DeviceNumber
    public let accessed: Timestamp
    public let modified: Timestamp
    public let changed: Timestamp
    public let created: Timestamp
    /// The mount that the path led through.
    public let mountID: UInt64
    public let isMountRoot: Bool

    /// As `st_mode` has it.
    public var mode: UInt32 { type.rawValue | permissions }
    public var isDirectory: Bool { type == .directory }
    public var isRegular: Bool { type == .regular }
    public var isSymbolicLink: Bool { type == .symbolicLink }

    init(_ status: ck_statx) {
        type = FileType(rawValue: UInt32(status.stx_mode) & 0o170000) ?? .regular
        permissions = UInt32(status.stx_mode) & 0o7777
        userID = status.stx_uid
        groupID = status.stx_gid
        size = Int64(truncatingIfNeeded: status.stx_size)
        blocks = Int64(truncatingIfNeeded: status.stx_blocks)
        inode = status.stx_ino
        linkCount = status.stx_nlink
        device = DeviceNumber(major: status.stx_dev_major, minor: status.stx_dev_minor)
        specialDevice = DeviceNumber(major: status.stx_rdev_major, minor: status.stx_rdev_minor)
        accessed = Timestamp(status.stx_atime)
        modified = Timestamp(status.stx_mtime)
        changed = Timestamp(status.stx_ctime)
        created = Timestamp(status.stx_btime)
        mountID = status.stx_mnt_id
        // STATX_ATTR_MOUNT_ROOT
        isMountRoot = status.stx_attributes & 0x2000 != 0
    }
}

// STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID
private let statusMask: UInt32 = 0x7ff | 0x800 | 0x1000
let atEmptyPath: Int32 = 0x1000
let atSymlinkNoFollow: Int32 = 0x100

extension FileDescriptor {
    /// The status of this very file.
    public func status() throws(KernelError) -> FileStatus {
        var status = ck_statx()
        try call("read the status of", description) { ck_statx(rawValue, "", atEmptyPath, statusMask, &status) }
        return FileStatus(status)
    }

    /// The status of a path relative to this directory; of the link itself unless `followLinks`.
    public func status(of path: some PathName, followLinks: Bool = false) throws(KernelError) -> FileStatus {
        var status = ck_statx()
        let flags = followLinks ? 0 : atSymlinkNoFollow
        try call("read the status of", path: path) { ck_statx(rawValue, $0, flags, statusMask, &status) }
        return FileStatus(status)
    }

    /// As `status(of:followLinks:)`, with `nil` where there is no such file.
    public func statusIfPresent(of path: some PathName, followLinks: Bool = false) throws(KernelError) -> FileStatus? {
        do throws(KernelError) { return try status(of: path, followLinks: followLinks) } catch {
            if error.code == .notFound || error.code == .notDirectory { return nil }
            throw error
        }
    }

    /// Whether the path leads to something.
    public func exists(_ path: some PathName) -> Bool {
        (try? status(of: path, followLinks: true)) != nil
    }
}

/// Space and identity of a mounted file system (`statfs`).
public struct FileSystemStatus: Sendable {
    /// The kind, as in `linux/magic.h`.
    public let magic: UInt32
    public let blockSize: UInt64
    public let blocks: UInt64
    public let freeBlocks: UInt64
    /// Free for others than root.
    public let availableBlocks: UInt64
    public let files: UInt64
    public let freeFiles: UInt64
    public let nameLength: Int

    public static let cgroup2Magic: UInt32 = 0x6367_7270
    public static let cgroup1Magic: UInt32 = 0x27_e0eb
    public static let overlayMagic: UInt32 = 0x794c_7630
    public static let tmpfsMagic: UInt32 = 0x0102_1994
    public static let procMagic: UInt32 = 0x9fa0
    public static let sysfsMagic: UInt32 = 0x6265_6572
    public static let btrfsMagic: UInt32 = 0x9123_683e
    public static let xfsMagic: UInt32 = 0x5846_5342
    public static let extMagic: UInt32 = 0xef53
    public static let nsfsMagic: UInt32 = 0x6e73_6673

    init(_ status: statfs) {
        magic = UInt32(truncatingIfNeeded: status.f_type)
        blockSize = UInt64(status.f_bsize)
        blocks = UInt64(status.f_blocks)
        freeBlocks = UInt64(status.f_bfree)
        availableBlocks = UInt64(status.f_bavail)
        files = UInt64(status.f_files)
        freeFiles = UInt64(status.f_ffree)
        nameLength = Int(status.f_namelen)
    }

    /// Of the file system that holds `path`.
    public init(of path: some PathName) throws(KernelError) {
        var status = statfs()
        try call("read the file system status of", path: path) { ck_statfs($0, &status) }
        self.init(status)
    }

    public init(of descriptor: FileDescriptor) throws(KernelError) {
        var status = statfs()
        try call("read the file system status of", descriptor.description) {
            ck_fstatfs(descriptor.rawValue, &status)
        }
        self.init(status)
    }
}
