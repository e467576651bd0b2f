import CKernel
import Glibc
import Kernel

extension UnpackSession {
    func failure(_ operation: String, _ result: Int) -> ArchiveError {
        ArchiveError(operation, path.bytes, result: result)
    }

    @inline(__always)
    func check(_ operation: @autoclosure () -> String, _ result: Int) throws {
        if result < 0 { throw failure(operation(), result) }
    }

    func owner(of entry: TarEntry) throws -> (uid: UInt32, gid: UInt32) {
        // The largest number means "leave it" to the kernel.
        guard let uid = UInt32(exactly: entry.uid), let gid = UInt32(exactly: entry.gid), uid != .max, gid != .max
        else {
            throw ArchiveError(
                .unsupported, "cannot unpack \"\(entry.name)\": Linux has no owner \(entry.uid):\(entry.gid)")
        }
        return try mappedOwner(uid, gid)
    }

    func mappedOwner(_ uid: UInt32, _ gid: UInt32) throws -> (uid: UInt32, gid: UInt32) {
        switch options.ownership {
        case .archive: return (uid, gid)
        case .fixed(let uid, let gid): return (uid, gid)
        case .mapped(let map):
            if let owner = map(uid, gid) { return owner }
            throw ArchiveError(
                .unsupported,
                "cannot unpack \"\(path.bytes.displayName)\": its owner \(uid):\(gid) is not in the user "
                    + "namespace's map"
            )
        }
    }

    func times(of entry: TarEntry) -> (accessed: timespec, modified: timespec) {
        func converted(_ time: Timestamp) -> timespec {
            timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds))
        }
        return (converted(entry.accessed ?? entry.modified), converted(entry.modified))
    }

    /// Metadata of what is not opened to make it: links and nodes.
    func applyByName(_ entry: TarEntry, hasMode: Bool) throws {
        let parent = stack.top.descriptor
        let name = path.name
        let owner = try owner(of: entry)
        if owner.uid != userID || owner.gid != stack.top.groupOfNewFiles {
            try check("set the owner of", retry { ck_fchownat(parent, name, owner.uid, owner.gid, atSymlinkNoFollow) })
        }
        if hasMode, entry.mode != mask.map({ entry.mode & 0o777 & ~$0 }) { try changeMode(entry.mode) }
        if !entry.attributes.isEmpty {
            // There is no call that takes a directory and a name here, but the descriptor has a path.
            let full = Array("/proc/self/fd/\(parent)/".utf8) + path.nameBytes
            try apply(entry.attributes) { attribute, value, size in
                full.withPath { path in
                    path.map { ck_lsetxattr($0, attribute, value, size, 0) } ?? -Int(EINVAL)
                }
            }
        }
        let times = times(of: entry)
        try check(
            "set the time of",
            withTimes(times.accessed, times.modified) { ck_utimensat(parent, name, $0, atSymlinkNoFollow) })
    }

    /// fchmodat follows links, and the name may have become one in a running container; an O_PATH descriptor does not.
    private func changeMode(_ mode: UInt32) throws {
        let flags = OpenFlags.path.rawValue | O_NOFOLLOW | O_CLOEXEC
        let opened = ck_openat(stack.top.descriptor, path.name, flags, 0)
        try check("open", opened)
        defer { _ = ck_close(Int32(opened)) }
        try check("set the mode of", ck_fchmodat(AT_FDCWD, "/proc/self/fd/\(opened)", mode))
    }

    /// Sets extended attributes. That a file system has none, or that this process may not set them, is a warning, as
    /// in Docker; overlayfs' own are never taken from an archive, which could fake a merged directory with them.
    func apply(
        _ attributes: [TarEntry.Attribute],
        _ set: (_ name: UnsafePointer<CChar>, _ value: UnsafeRawPointer?, _ size: Int) -> Int
    ) throws {
        for attribute in attributes {
            if attribute.isOverlayMark {
                warn("left out the attribute \(attribute.name.displayName) of \"\(path.bytes.displayName)\"")
                continue
            }
            let result = attribute.name.withPath { name in
                guard let name else { return -Int(EINVAL) }
                return attribute.value.withUnsafeBytes { value in retry { set(name, value.baseAddress, value.count) } }
            }
            if result == -Int(EOPNOTSUPP) || result == -Int(EPERM) {
                let reason = ErrorNumber(rawValue: Int32(-result))
                warn("left out the attribute \(attribute.name.displayName) of \"\(path.bytes.displayName)\": \(reason)")
            } else if result < 0 {
                throw failure("set the attribute \(attribute.name.displayName) of", result)
            }
            // From now on what is made may get other modes than asked for.
            if attribute.name.starts(with: Array("system.posix_acl".utf8)) { mask = nil }
        }
    }
}

extension TarEntry.Attribute {
    /// Whether this is one of the marks that overlayfs keeps on the files of its upper directory.
    var isOverlayMark: Bool { Self.prefixes.contains { name.starts(with: $0) } }

    private static let prefixes = [Array("trusted.overlay.".utf8), Array("user.overlay.".utf8)]
}

/// The process' umask, read without setting it, which would be seen by other threads; `nil` when that is not possible.
func fileModeMask() -> UInt32? {
    guard let file = try? FileDescriptor.open("/proc/self/status"), let bytes = try? file.readAll(limit: 64 << 10)
    else {
        return nil
    }
    for line in bytes.split(separator: UInt8(ascii: "\n")) where line.starts(with: Array("Umask:".utf8)) {
        let digits = line.drop { !(0x30...0x37).contains($0) }
        return UInt32(String(decoding: digits, as: UTF8.self), radix: 8)
    }
    return nil
}
