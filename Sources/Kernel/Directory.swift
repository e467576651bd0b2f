import CKernel
import Glibc

/// One name in a directory.
public struct DirectoryEntry: Sendable {
    /// The name's bytes, without the NUL.
    public let bytes: [UInt8]
    public let inode: UInt64
    /// `nil` when the file system does not say; ask `status(of:)` then.
    public let type: FileType?

    /// The name as text: bytes that are not UTF-8 are replaced.
    public var name: String { String(decoding: bytes, as: UTF8.self) }
}

extension FileDescriptor {
    /// Calls `body` with each name but `.` and `..`, in the file system's order, reading in portions.
    ///
    /// The directory must have been opened for reading (not `O_PATH`), and is read from its current position: seek to
    /// 0 to read it again.
    public func forEachEntry(_ body: (DirectoryEntry) throws(KernelError) -> Void) throws(KernelError) {
        var buffer = [UInt8](repeating: 0, count: 32 << 10)
        while true {
            let count = try buffer.withMutableBytes { buffer throws(KernelError) in
                try call("read directory", description) { ck_getdents64(rawValue, buffer.baseAddress, buffer.count) }
            }
            if count == 0 { return }
            var position = 0
            // struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name with NUL.
            while position + 19 <= count {
                let start = position
                let (inode, length, type) = buffer.withUnsafeBytes {
                    (
                        $0.loadUnaligned(fromByteOffset: start, as: UInt64.self),
                        Int($0.loadUnaligned(fromByteOffset: start + 16, as: UInt16.self)),
                        UInt32($0[start + 18])
                    )
                }
                if length < 19 || start + length > count { return }
                position += length
                let field = buffer[(start + 19)..<(start + length)]
                let name = field.prefix { $0 != 0 }
                if name.elementsEqual([0x2e]) || name.elementsEqual([0x2e, 0x2e]) { continue }
                // DT_* are the type bits of the mode, shifted.
                try body(DirectoryEntry(bytes: Array(name), inode: inode, type: FileType(rawValue: type << 12)))
            }
        }
    }

    /// All entries but `.` and `..`, unsorted.
    public func entries() throws(KernelError) -> [DirectoryEntry] {
        var entries: [DirectoryEntry] = []
        try forEachEntry { entry in entries.append(entry) }
        return entries
    }

    /// The entries of the directory `path`, links followed.
    public func entries(of path: some PathName) throws(KernelError) -> [DirectoryEntry] {
        try open(path, [.readOnly, .directory]).entries()
    }
}

extension FileDescriptor {
    /// Removes a file or a whole tree. Links in it are removed, never followed; mount points in it are an error
    /// (`EBUSY`, `EXDEV`). Nothing happens if it does not exist.
    ///
    /// Depth is limited by nothing but descriptors kept: trees deeper than 64 are taken apart from below.
    public func removeTree(_ path: some PathName) throws(KernelError) {
        do throws(KernelError) {
            try unlink(path)
            return
        } catch {
            switch error.code {
            case .notFound: return
            // EISDIR on Linux; EPERM is POSIX's word, and that of immutable files.
            case .isDirectory, .notPermitted: break
            default: throw error
            }
        }
        let directory: FileDescriptor
        do throws(KernelError) {
            directory = try open(path, [.readOnly, .directory, .noFollow])
        } catch {
            if error.code == .notDirectory { throw KernelError(.notPermitted, "remove", path.displayName) }
            throw error
        }
        try directory.removeContents()
        try removeDirectoryIfPresent(path)
    }

    /// Empties this directory and leaves it in place.
    public func removeContents() throws(KernelError) { try removeContents(depth: 0, overflowInto: self) }

    private func removeContents(depth: Int, overflowInto top: FileDescriptor) throws(KernelError) {
        let device = try status().device
        while true {
            // A directory that is changed while it is read may skip names, so it is read until it is empty.
            try seek(to: 0)
            var isEmpty = true
            var failure: KernelError?
            try forEachEntry { entry throws(KernelError) in
                isEmpty = false
                if entry.type != .directory {
                    do throws(KernelError) {
                        try unlinkIfPresent(entry.bytes)
                        return
                    } catch { if error.code != .isDirectory { throw error } }
                }
                let child: FileDescriptor
                do throws(KernelError) {
                    child = try open(entry.bytes, [.readOnly, .directory, .noFollow])
                } catch {
                    if error.code == .notFound { return }
                    throw error
                }
                if try child.status().device != device {
                    failure = KernelError(.busy, "remove", entry.name, advice: "another file system is mounted there")
                    return
                }
                if depth < 64 {
                    try child.removeContents(depth: depth + 1, overflowInto: top)
                    try removeDirectoryIfPresent(entry.bytes)
                } else {
                    // Too deep to keep a descriptor and a stack frame a level: move it up, and meet it there.
                    let name = "\(randomHexadecimal(bytes: 16)).removed"
                    try rename(entry.bytes, in: top, to: name)
                }
            }
            if let failure { throw failure }
            if isEmpty { return }
        }
    }

    private func removeDirectoryIfPresent(_ path: some PathName) throws(KernelError) {
        do throws(KernelError) { try removeDirectory(path) } catch { if error.code != .notFound { throw error } }
    }
}
