import CKernel
import Glibc

/// How a rename treats what is already there (`RENAME_*`).
public struct RenameFlags: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Fail with `EEXIST` rather than replace.
    public static let noReplace = Self(rawValue: 1)
    public static let exchange = Self(rawValue: 2)
    /// Leave an overlay whiteout where the name was.
    public static let whiteout = Self(rawValue: 4)
}

// Every path is relative to this directory unless absolute, and no call here follows a link in the last component
// except where it says so.
extension FileDescriptor {
    public func makeDirectory(_ path: some PathName, mode: UInt32 = 0o755) throws(KernelError) {
        try call("make directory", path: path) { ck_mkdirat(rawValue, $0, mode) }
    }

    /// As `makeDirectory`, with the parents that are missing; a directory already there is left as it is.
    public func makeDirectories(_ path: String, mode: UInt32 = 0o755) throws(KernelError) {
        do throws(KernelError) { try makeDirectory(path, mode: mode) } catch {
            switch error.code {
            case .exists:
                if let status = try statusIfPresent(of: path, followLinks: true), status.isDirectory { return }
                throw KernelError(.notDirectory, "make directory", path, advice: "something else has that name")
            case .notFound:
                let trimmed = path.trimmingTrailingSlashes
                guard let slash = trimmed.utf8.lastIndex(of: UInt8(ascii: "/")), slash != trimmed.startIndex else {
                    throw error
                }
                try makeDirectories(String(trimmed[..<slash]), mode: mode)
                do throws(KernelError) { try makeDirectory(path, mode: mode) } catch {
                    if error.code != .exists { throw error }
                }
            default: throw error
            }
        }
    }

    public func makeSymbolicLink(_ path: some PathName, to target: some PathName) throws(KernelError) {
        try call("make symbolic link", path: path, to: target) { ck_symlinkat($1, rawValue, $0) }
    }

    /// What a symbolic link holds.
    public func readLink(_ path: some PathName) throws(KernelError) -> [UInt8] {
        var capacity = 256
        while true {
            let target = try bytes(capacity: capacity) { buffer throws(KernelError) in
                try call("read symbolic link", path: path) {
                    ck_readlinkat(rawValue, $0, buffer.baseAddress, buffer.count)
                }
            }
            if target.count < capacity { return target }
            capacity *= 4
        }
    }

    /// What a symbolic link holds, as text.
    public func readLinkText(_ path: some PathName) throws(KernelError) -> String {
        String(decoding: try readLink(path), as: UTF8.self)
    }

    /// Another name for a file.
    public func makeHardLink(
        _ path: some PathName, in directory: FileDescriptor? = nil, to target: some PathName
    ) throws(KernelError) {
        let directory = directory ?? self
        try call("link", path: path, to: target) { ck_linkat(rawValue, $1, directory.rawValue, $0, 0) }
    }

    /// Names the open file `file` (one without a name too) `path` in this directory.
    public func link(_ file: FileDescriptor, as path: some PathName) throws(KernelError) {
        // AT_SYMLINK_FOLLOW on /proc/self/fd/N needs no CAP_DAC_READ_SEARCH, unlike AT_EMPTY_PATH.
        try call("link", path: file.procPath, to: path) { ck_linkat(AT_FDCWD, $0, rawValue, $1, 0x400) }
    }

    /// Makes a device, fifo, socket or empty file.
    /// - Parameter mode: permissions only; the umask applies.
    public func makeNode(
        _ path: some PathName, type: FileType, mode: UInt32, device: DeviceNumber = DeviceNumber(major: 0, minor: 0)
    ) throws(KernelError) {
        try call("make \(type) node", path: path) { ck_mknodat(rawValue, $0, type.rawValue | mode, device.encoded) }
    }

    public func rename(
        _ path: some PathName, in directory: FileDescriptor? = nil, to newPath: some PathName,
        flags: RenameFlags = []
    ) throws(KernelError) {
        let directory = directory ?? self
        try call("rename", path: path, to: newPath) {
            ck_renameat2(rawValue, $0, directory.rawValue, $1, flags.rawValue)
        }
    }

    public func unlink(_ path: some PathName) throws(KernelError) {
        try call("remove", path: path) { ck_unlinkat(rawValue, $0, 0) }
    }

    public func removeDirectory(_ path: some PathName) throws(KernelError) {
        try call("remove directory", path: path) { ck_unlinkat(rawValue, $0, 0x200) }
    }

    /// As `unlink`; nothing happens if there is no such file.
    public func unlinkIfPresent(_ path: some PathName) throws(KernelError) {
        do throws(KernelError) { try unlink(path) } catch { if error.code != .notFound { throw error } }
    }

    /// Whether the real user may read (4), write (2) and execute (1) the path, links followed.
    public func isAccessible(_ path: some PathName, mode: Int32) -> Bool {
        path.withPath { $0.map { ck_faccessat(rawValue, $0, mode) == 0 } ?? false }
    }
}

// Owners, permissions, times.
extension FileDescriptor {
    /// Of this very file, `O_PATH` or not.
    public func changeMode(_ mode: UInt32) throws(KernelError) {
        let result = ck_fchmod(rawValue, mode)
        if result == -Int(EBADF) {
            try call("change the mode of", description) {
                procPath.withCString { ck_fchmodat(AT_FDCWD, $0, mode) }
            }
        } else {
            try call("change the mode of", description) { result }
        }
    }

    /// Of a path; links are followed. (Linux keeps no permissions for links.)
    public func changeMode(of path: some PathName, to mode: UInt32) throws(KernelError) {
        try call("change the mode of", path: path) { ck_fchmodat(rawValue, $0, mode) }
    }

    /// Of this very file; `UInt32.max` leaves an ID as it is.
    public func changeOwner(userID: UInt32, groupID: UInt32) throws(KernelError) {
        try call("change the owner of", description) { ck_fchownat(rawValue, "", userID, groupID, atEmptyPath) }
    }

    public func changeOwner(
        of path: some PathName, userID: UInt32, groupID: UInt32, followLinks: Bool = false
    ) throws(KernelError) {
        let flags = followLinks ? 0 : atSymlinkNoFollow
        try call("change the owner of", path: path) { ck_fchownat(rawValue, $0, userID, groupID, flags) }
    }

    /// Sets the times of this very file; `nil` leaves one as it is.
    public func setTimes(accessed: Timestamp?, modified: Timestamp?) throws(KernelError) {
        let times = timespecs(accessed, modified)
        let result = ck_utimensat(rawValue, nil, times, 0)
        if result == -Int(EBADF) {
            try call("set the times of", description) {
                procPath.withCString { ck_utimensat(AT_FDCWD, $0, times, 0) }
            }
        } else {
            try call("set the times of", description) { result }
        }
    }

    public func setTimes(
        of path: some PathName, accessed: Timestamp?, modified: Timestamp?, followLinks: Bool = false
    ) throws(KernelError) {
        let times = timespecs(accessed, modified)
        let flags = followLinks ? 0 : atSymlinkNoFollow
        try call("set the times of", path: path) { ck_utimensat(rawValue, $0, times, flags) }
    }
}

private func timespecs(_ accessed: Timestamp?, _ modified: Timestamp?) -> [timespec] {
    // UTIME_OMIT
    let omitted = timespec(tv_sec: 0, tv_nsec: (1 << 30) - 2)
    return [accessed?.timespec ?? omitted, modified?.timespec ?? omitted]
}

extension String {
    var trimmingTrailingSlashes: Substring {
        var rest = self[...].utf8
        while rest.count > 1 && rest.last == UInt8(ascii: "/") { rest = rest.dropLast() }
        return Substring(rest)
    }
}

/// The process's umask, replaced; returns the old one.
@discardableResult
public func setFileModeMask(_ mask: UInt32) -> UInt32 { UInt32(ck_umask(mask)) }

/// Changes the working directory of the process.
public func changeWorkingDirectory(to path: some PathName) throws(KernelError) {
    try call("change to directory", path: path) { ck_chdir($0) }
}

public func changeWorkingDirectory(to directory: FileDescriptor) throws(KernelError) {
    try call("change to directory", directory.description) { ck_fchdir(directory.rawValue) }
}

public func changeRootDirectory(to path: some PathName) throws(KernelError) {
    try call("change the root directory to", path: path) { ck_chroot($0) }
}

/// The working directory; a path that starts with `(unreachable)` when it lies outside the root.
public func workingDirectory() throws(KernelError) -> String {
    let path = try bytes(capacity: 4096) { buffer throws(KernelError) in
        try call("find the working directory") {
            ck_getcwd(buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        }
    }
    return String(decoding: path.dropLast(), as: UTF8.self)
}
