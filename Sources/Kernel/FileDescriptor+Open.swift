import CKernel
import Glibc

/// How to open a file (`O_*`).
public struct OpenFlags: OptionSet, Sendable {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    public static let readOnly = Self([])
    public static let writeOnly = Self(rawValue: O_WRONLY)
    public static let readWrite = Self(rawValue: O_RDWR)
    public static let create = Self(rawValue: O_CREAT)
    public static let exclusive = Self(rawValue: O_EXCL)
    public static let truncate = Self(rawValue: O_TRUNC)
    public static let append = Self(rawValue: O_APPEND)
    public static let nonBlocking = Self(rawValue: O_NONBLOCK)
    public static let directory = Self(rawValue: O_DIRECTORY)
    public static let noFollow = Self(rawValue: O_NOFOLLOW)
    public static let noControllingTerminal = Self(rawValue: O_NOCTTY)
    /// A handle on the name only: nothing is read, no device is opened.
    public static let path = Self(rawValue: 0o10000000)
    /// A file without a name in this directory.
    public static let temporary = Self(rawValue: 0o20000000 | O_DIRECTORY)
    public static let noAccessTime = Self(rawValue: 0o1000000)
}

/// How a path may be walked (`RESOLVE_*` of openat2).
public struct ResolveFlags: OptionSet, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Never cross a mount point.
    public static let noMounts = Self(rawValue: 1)
    /// Never follow `/proc/*/fd`-like links.
    public static let noMagicLinks = Self(rawValue: 2)
    /// Never follow any symbolic link, not even in the middle.
    public static let noSymlinks = Self(rawValue: 4)
    /// Fail when the path would leave the directory.
    public static let beneath = Self(rawValue: 8)
    /// Treat the directory as `/`: absolute paths and `..` stay inside.
    public static let inRoot = Self(rawValue: 16)
}

extension FileDescriptor {
    /// Opens a path relative to this directory; `O_CLOEXEC` is always set.
    ///
    /// - Parameter resolve: when not empty, openat2 is used.
    public func open(
        _ path: some PathName, _ flags: OpenFlags = .readOnly, mode: UInt32 = 0o666, resolve: ResolveFlags = []
    ) throws(KernelError) -> FileDescriptor {
        let flags = flags.rawValue | O_CLOEXEC
        if resolve.isEmpty {
            return FileDescriptor(owning: Int32(try call("open", path: path) { ck_openat(rawValue, $0, flags, mode) }))
        }
        // openat2 refuses a mode with no use for it.
        let creates = flags & O_CREAT != 0 || flags & 0o20000000 != 0
        var how = ck_open_how(
            flags: UInt64(UInt32(bitPattern: flags)), mode: creates ? UInt64(mode) : 0, resolve: resolve.rawValue)
        // EAGAIN: a rename raced with `..`, and the kernel could not tell whether the walk stayed inside.
        var attempts = 0
        while true {
            do throws(KernelError) {
                let raw = try call("open", path: path) { ck_openat2(rawValue, $0, &how) }
                return FileDescriptor(owning: Int32(raw))
            } catch {
                attempts += 1
                if error.code != .wouldBlock || attempts == 128 { throw error }
            }
        }
    }

    /// Opens a path relative to the working directory.
    public static func open(
        _ path: some PathName, _ flags: OpenFlags = .readOnly, mode: UInt32 = 0o666
    ) throws(KernelError) -> FileDescriptor {
        try currentDirectory.open(path, flags, mode: mode)
    }

    /// Opens `path` as seen with `self` as the root directory: no link and no `..` leads out of it.
    public func openInRoot(_ path: some PathName, _ flags: OpenFlags = .path, mode: UInt32 = 0o666)
        throws(KernelError) -> FileDescriptor
    {
        try open(path, flags, mode: mode, resolve: [.inRoot, .noMagicLinks])
    }

    /// A descriptor with other access to the very file that this one names (through `/proc/self/fd`).
    public func reopened(_ flags: OpenFlags) throws(KernelError) -> FileDescriptor {
        try FileDescriptor.open(procPath, flags)
    }
}
