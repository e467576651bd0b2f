import CKernel
import Glibc
import Kernel

/// The names that mean deletion in a layer (OCI image specification, "Representing Changes").
enum Whiteout {
    static let prefix = Array(".wh.".utf8)
    /// Names for the layer format's own use.
    static let metaPrefix = Array(".wh..wh.".utf8)
    static let opaque = Array(".wh..wh..opq".utf8)
}

extension UnpackSession {
    /// Treats an entry that is a whiteout; returns whether it was one.
    func unpackWhiteout(_ entry: TarEntry) throws -> Bool {
        if path.startsWith(Whiteout.metaPrefix), !(path.parentCount == 0 && path.nameBytes == Whiteout.opaque) {
            // `.wh..wh.plnk` and its like: notes of AUFS to itself.
            return true
        }
        guard path.nameStartsWith(Whiteout.prefix) else { return false }
        let name = path.nameBytes
        if name.starts(with: Whiteout.metaPrefix) && name != Whiteout.opaque { return true }
        try count(entry)
        try stack.enterParent(of: path) { try makeMissingDirectory($0, $1) }
        if name == Whiteout.opaque {
            try unpackOpaque()
            return true
        }
        let target = Array(name.dropFirst(Whiteout.prefix.count))
        if target.isEmpty || target == Array(".".utf8) || target == Array("..".utf8) {
            throw ArchiveError(
                .breakout, "the whiteout \"\(entry.name)\" in the archive names no file of its directory; refused")
        }
        if options.whiteouts == .delete {
            let parent = path.bytes.prefix(path.parentCount)
            try removeLower(
                target, in: FileDescriptor(borrowing: stack.top.descriptor),
                path: parent.isEmpty ? target : parent + [UInt8(ascii: "/")] + target)
        } else {
            try makeOverlayWhiteout(target)
        }
        return true
    }

    private func unpackOpaque() throws {
        if options.whiteouts == .overlay { return try markOpaque(stack.top.descriptor) }
        let directory = FileDescriptor(borrowing: stack.top.descriptor)
        let parent = Array(path.bytes.prefix(path.parentCount))
        for name in try directory.entries(of: ".").map(\.bytes) {
            try removeLower(name, in: directory, path: parent.isEmpty ? name : parent + [UInt8(ascii: "/")] + name)
        }
    }

    /// Deletes a name and all beneath it, but for what this archive made.
    private func removeLower(_ name: [UInt8], in directory: FileDescriptor, path: [UInt8]) throws {
        stack.top.isDirty = true
        stack.isStale = true
        if !made.contains(path) { return try directory.removeTree(name) }
        guard let status = try directory.statusIfPresent(of: name), status.isDirectory else { return }
        let child = try directory.open(name, [.readOnly, .directory, .noFollow])
        for entry in try child.entries() {
            try removeLower(entry.bytes, in: child, path: path + [UInt8(ascii: "/")] + entry.bytes)
        }
        try child.setTimes(accessed: status.accessed, modified: status.modified)
    }

    private func makeOverlayWhiteout(_ target: [UInt8]) throws {
        let directory = FileDescriptor(borrowing: stack.top.descriptor)
        stack.top.isDirty = true
        do throws(KernelError) {
            try directory.makeNode(target, type: .characterDevice, mode: 0, device: .init(major: 0, minor: 0))
        } catch {
            guard error.code == .exists else { throw error }
            // What this archive made stays, and what was below it is hidden; only directories need telling.
            if try directory.status(of: target).isDirectory {
                let child = try directory.open(target, [.readOnly, .directory, .noFollow])
                try withExtendedLifetime(child) { try markOpaque(child.rawValue) }
            }
        }
    }

    func isWhiteout(_ parent: Int32, _ name: UnsafePointer<CChar>) -> Bool {
        var status = ck_statx()
        return ck_statx(parent, name, atSymlinkNoFollow, basicStatus, &status) == 0 && status.isWhiteout
    }

    func markOpaque(in parent: Int32, _ name: UnsafePointer<CChar>) throws {
        let opened = retry { ck_openat(parent, name, openDirectoryFlags, 0) }
        try check("open the directory", opened)
        defer { _ = ck_close(Int32(opened)) }
        try markOpaque(Int32(opened))
    }

    /// Hides what lower layers have in this directory.
    func markOpaque(_ directory: Int32) throws {
        let name = options.overlayUsesUserAttributes ? "user.overlay.opaque" : "trusted.overlay.opaque"
        try check("mark as opaque (\(name)) the directory of", retry { ck_fsetxattr(directory, name, "y", 1, 0) })
    }

    /// Notes the entry and its parents as this archive's.
    func markMade() {
        var name = path.bytes
        while made.insert(name).inserted {
            guard let slash = name.lastIndex(of: UInt8(ascii: "/")) else { return }
            name.removeSubrange(slash...)
        }
    }
}

extension EntryPath {
    func startsWith(_ bytes: [UInt8]) -> Bool {
        count >= bytes.count && memcmp(characters, bytes, bytes.count) == 0
    }

    func nameStartsWith(_ bytes: [UInt8]) -> Bool {
        nameCount >= bytes.count && memcmp(name, bytes, bytes.count) == 0
    }
}

extension ck_statx {
    var type: FileType? { FileType(rawValue: UInt32(stx_mode) & 0o170000) }
    /// Whether this is overlayfs' mark for a deleted name.
    var isWhiteout: Bool { type == .characterDevice && stx_rdev_major == 0 && stx_rdev_minor == 0 }
}
