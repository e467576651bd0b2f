import CKernel
import Glibc
import Kernel

/// One archive on its way into a directory.
final class UnpackSession {
    let options: UnpackOptions
    let stack: DirectoryStack
    var path = EntryPath()
    var linkPath = EntryPath()
    var result = UnpackResult()
    /// What this archive made, parents included; kept only where whiteouts delete, to know what they must spare.
    var made = Set<[UInt8]>()
    let userID = geteuid()
    /// The bits that new files do not get; `nil` when that is not known, or a default ACL has a say.
    var mask: UInt32?

    init(root: FileDescriptor, path: [UInt8], options: UnpackOptions) throws {
        self.options = options
        stack = try DirectoryStack(root: root, basePath: path, restoresBaseTime: options.whiteouts != .none)
        let hasDefaultACL = ck_fgetxattr(stack.top.descriptor, "system.posix_acl_default", nil, 0) > 0
        mask = hasDefaultACL ? nil : fileModeMask()
    }

    deinit {
        path.deallocate()
        linkPath.deallocate()
    }

    func finish() throws -> UnpackResult {
        try stack.finish()
        return result
    }

    func unpack(_ entry: TarEntry, from reader: TarReader) throws {
        try set(&path, to: entry.path, of: entry)
        if path.isEmpty { return try applyToTarget(entry) }
        if options.whiteouts != .none, try unpackWhiteout(entry) { return }
        try count(entry)
        try stack.enterParent(of: path) { try makeMissingDirectory($0, $1) }
        switch entry.kind {
        case .file: try makeFile(entry, from: reader)
        case .directory: try makeDirectory(entry)
        case .symbolicLink: try makeSymbolicLink(entry)
        case .hardLink: try makeHardLink(entry)
        case .characterDevice, .blockDevice, .fifo: try makeNode(entry)
        case .other(let letter):
            throw ArchiveError(
                .unsupported,
                "cannot unpack \"\(entry.name)\": its type '\(Character(Unicode.Scalar(letter)))' is not known")
        }
        if options.whiteouts == .delete { markMade() }
    }

    func set(_ buffer: inout EntryPath, to name: [UInt8], of entry: TarEntry) throws {
        switch buffer.set(name) {
        case .valid: return
        case .climbsOut:
            throw ArchiveError(
                .breakout,
                "\"\(name.displayName)\" in the archive leads outside of the directory that it is unpacked "
                    + "into; refused"
            )
        case .tooLong: throw ArchiveError("unpack", entry.path.prefix(200).map { $0 }, result: -Int(ENAMETOOLONG))
        }
    }

    func count(_ entry: TarEntry) throws {
        result.entries += 1
        if let maximum = options.limits.maximumEntries, result.entries > maximum {
            throw ArchiveError(
                .limitExceeded,
                "the archive holds more than the \(maximum) files allowed; raise the limit to unpack it")
        }
    }

    func warn(_ sentence: @autoclosure () -> String) {
        if result.warnings.count < 100 { result.warnings.append(sentence()) }
    }

    /// The archive's entry for the target directory itself.
    private func applyToTarget(_ entry: TarEntry) throws {
        guard entry.kind == .directory else {
            throw ArchiveError(
                .breakout,
                "\"\(entry.name)\" in the archive would replace the directory that it is unpacked into; refused")
        }
        // What is copied into an existing directory does not change the directory.
        if options.whiteouts == .none { return }
        stack.isStale = true
        try stack.enterParent(of: path) { _, _ in }
        try applyToTopDirectory(entry)
        stack.top.isDirty = true
    }

    func makeMissingDirectory(_ parent: Int32, _ name: UnsafePointer<CChar>) throws {
        stack.top.isDirty = true
        var result = retry { ck_mkdirat(parent, name, 0o755) }
        if result == -Int(EEXIST), options.whiteouts == .overlay {
            // A whiteout from this very archive: what is made instead hides what it hid.
            _ = ck_unlinkat(parent, name, 0)
            result = retry { ck_mkdirat(parent, name, 0o755) }
            if result == 0 { try markOpaque(in: parent, name) }
        }
        if result < 0 { throw failure("make the directory", result) }
        let owner = try mappedOwner(0, 0)
        if owner.uid != userID || owner.gid != stack.top.groupOfNewFiles {
            try check("set the owner of", retry { ck_fchownat(parent, name, owner.uid, owner.gid, atSymlinkNoFollow) })
        }
        if mask != 0o022 && mask != 0 {
            try check("set the mode of", retry { ck_fchmodat(parent, name, 0o755) })
        }
        self.result.entries += 1
    }

    // MARK: Kinds of entry

    private func makeFile(_ entry: TarEntry, from reader: TarReader) throws {
        if let maximum = options.limits.maximumBytes {
            let stored = entry.extents?.reduce(0) { $0 + $1.count } ?? entry.size
            if stored > maximum - result.bytes {
                throw ArchiveError(
                    .limitExceeded,
                    "\"\(entry.name)\" brings the archive's content over the \(maximum) bytes allowed; raise "
                        + "the limit to unpack it"
                )
            }
        }
        let parent = stack.top.descriptor
        let name = path.name
        let mode = entry.mode & 0o777
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let opened = try making(entry) { ck_openat(parent, name, flags, mode) }
        let descriptor = Int32(opened)
        defer { _ = ck_close(descriptor) }

        if entry.extents == nil {
            while let (_, bytes) = try reader.nextPiece(atMost: Int.max) { try write(bytes, to: descriptor) }
        } else {
            try check("set the size of", retry { ck_ftruncate(descriptor, entry.size) })
            while let (offset, bytes) = try reader.nextPiece(atMost: Int.max) {
                try check("move in", retry { ck_lseek(descriptor, offset, SEEK_SET) })
                try write(bytes, to: descriptor)
            }
        }

        let owner = try owner(of: entry)
        if owner.uid != userID || owner.gid != stack.top.groupOfNewFiles {
            try check("set the owner of", retry { ck_fchownat(descriptor, "", owner.uid, owner.gid, atEmptyPath) })
        }
        if entry.mode != mask.map({ mode & ~$0 }) {
            try check("set the mode of", retry { ck_fchmod(descriptor, entry.mode) })
        }
        if !entry.attributes.isEmpty {
            try apply(entry.attributes) { ck_fsetxattr(descriptor, $0, $1, $2, 0) }
        }
        let times = times(of: entry)
        try check("set the time of", withTimes(times.accessed, times.modified) { ck_utimensat(descriptor, nil, $0, 0) })
    }

    private func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws {
        var done = 0
        while done < bytes.count {
            let count = retry { ck_write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done) }
            if count < 0 { throw failure("write", count) }
            done += count
        }
        result.bytes += Int64(bytes.count)
    }

    private func makeDirectory(_ entry: TarEntry) throws {
        let parent = stack.top.descriptor
        let name = path.name
        var made = retry { ck_mkdirat(parent, name, entry.mode & 0o1777) }
        var opened = made == 0 || made == -Int(EEXIST) ? retry { ck_openat(parent, name, openDirectoryFlags, 0) } : made
        if made == -Int(EEXIST), opened == -Int(ENOTDIR) || opened == -Int(ELOOP) {
            let wasWhiteout = options.whiteouts == .overlay && isWhiteout(parent, name)
            made = try making(entry) { ck_mkdirat(parent, name, entry.mode & 0o1777) }
            opened = retry { ck_openat(parent, name, openDirectoryFlags, 0) }
            if opened >= 0, wasWhiteout { try markOpaque(Int32(opened)) }
        }
        if made == 0 { stack.top.isDirty = true }
        if opened < 0 { throw failure("make the directory", opened) }
        try stack.enter(Int32(opened), path)
        try applyToTopDirectory(entry)
        stack.top.isDirty = true
    }

    /// Gives the directory on top of the stack the entry's metadata; its time follows when it leaves the stack.
    private func applyToTopDirectory(_ entry: TarEntry) throws {
        let descriptor = stack.top.descriptor
        let owner = try owner(of: entry)
        if owner.uid != stack.top.userID || owner.gid != stack.top.groupID {
            try check("set the owner of", retry { ck_fchownat(descriptor, "", owner.uid, owner.gid, atEmptyPath) })
        }
        let ownerChanged = owner.uid != stack.top.userID || owner.gid != stack.top.groupID
        if entry.mode != stack.top.mode || (ownerChanged && entry.mode & 0o6000 != 0) {
            try check("set the mode of", retry { ck_fchmod(descriptor, entry.mode) })
        }
        if !entry.attributes.isEmpty {
            try apply(entry.attributes) { ck_fsetxattr(descriptor, $0, $1, $2, 0) }
        }
        stack.top.userID = owner.uid
        stack.top.groupID = owner.gid
        stack.top.mode = entry.mode
        let isCertain = entry.mode & 0o2000 != 0 || owner.gid == stack.effectiveGroup
        stack.top.groupOfNewFiles = isCertain ? owner.gid : nil
        stack.top.modified = times(of: entry).modified
    }

    private func makeSymbolicLink(_ entry: TarEntry) throws {
        let parent = stack.top.descriptor
        let name = path.name
        _ = try making(entry) {
            entry.linkTarget.withPath { target in
                target.map { ck_symlinkat($0, parent, name) } ?? -Int(EINVAL)
            }
        }
        try applyByName(entry, hasMode: false)
    }

    private func makeNode(_ entry: TarEntry) throws {
        if entry.kind != .fifo && options.skipsDevices { return }
        let device = DeviceNumber(major: entry.deviceMajor, minor: entry.deviceMinor)
        if device.major > 0xFFF || device.minor > 0xFFFFF {
            throw ArchiveError(.unsupported, "cannot make the device \"\(entry.name)\": Linux has no number \(device)")
        }
        let type: FileType =
            entry.kind == .fifo ? .fifo : entry.kind == .characterDevice ? .characterDevice : .blockDevice
        let parent = stack.top.descriptor
        let name = path.name
        let number = entry.kind == .fifo ? 0 : device.encoded
        _ = try making(entry) { ck_mknodat(parent, name, type.rawValue | entry.mode & 0o777, number) }
        try applyByName(entry, hasMode: true)
    }

    private func makeHardLink(_ entry: TarEntry) throws {
        try set(&linkPath, to: entry.linkTarget, of: entry)
        let parent = stack.top.descriptor
        let name = path.name
        var holder = parent
        let isSibling =
            linkPath.parentCount == path.parentCount
            && memcmp(linkPath.characters, path.characters, path.parentCount) == 0
        if !isSibling {
            let opened = stack.openParent(of: linkPath)
            if opened < 0 { throw linkFailure(entry, opened) }
            holder = Int32(opened)
        }
        defer { if !isSibling { _ = ck_close(holder) } }
        // A link to a whiteout would delete the name that it gets.
        if options.whiteouts == .overlay, isWhiteout(holder, linkPath.name) { throw linkFailure(entry, -Int(ENOENT)) }
        let target = linkPath.name
        if linkPath.count == path.count, memcmp(linkPath.characters, path.characters, path.count) == 0 {
            throw ArchiveError(.corrupt, "cannot unpack \"\(entry.name)\": it is a hard link to itself")
        }
        let linked = retry { ck_linkat(holder, target, parent, name, 0) }
        if linked == -Int(EEXIST) {
            // The target must not go before it has its other name.
            var status = ck_statx()
            let found = ck_statx(holder, target, atSymlinkNoFollow, basicStatus, &status)
            if found < 0 { throw linkFailure(entry, found) }
            _ = try making(entry) { ck_linkat(holder, target, parent, name, 0) }
        } else if linked < 0 {
            throw linkFailure(entry, linked)
        }
        stack.top.isDirty = true
    }

    private func linkFailure(_ entry: TarEntry, _ result: Int) -> ArchiveError {
        if result == -Int(ENOENT) || result == -Int(ENOTDIR) || result == -Int(ELOOP) || result == -Int(EXDEV) {
            let escapes = stack.crossesLink(linkPath)
            return ArchiveError(
                escapes ? .breakout : .corrupt,
                "cannot unpack the hard link \"\(entry.name)\": its target \"\(entry.linkName)\" is not "
                    + "there inside of the directory that is unpacked into"
            )
        }
        return ArchiveError("link \"\(entry.linkName)\" as", entry.path, result: result)
    }

    /// Runs `body`, which makes the entry under its name; what has the name already is removed first.
    @inline(__always)
    private func making(_ entry: TarEntry, _ body: () -> Int) throws -> Int {
        var made = retry(body)
        if made == -Int(EEXIST) {
            try removeExisting(entry)
            made = retry(body)
        }
        if made < 0 { throw failure("make", made) }
        stack.top.isDirty = true
        return made
    }

    private func removeExisting(_ entry: TarEntry) throws {
        let directory = FileDescriptor(borrowing: stack.top.descriptor)
        let name = path.nameBytes
        if options.keepsKindOfExisting {
            let isDirectory = try directory.status(of: name).isDirectory
            if isDirectory != (entry.kind == .directory) {
                let (old, new) = isDirectory ? ("directory", "non-directory") : ("non-directory", "directory")
                throw ArchiveError(
                    .system(isDirectory ? .isDirectory : .notDirectory),
                    "cannot overwrite \(old) \"\(path.bytes.displayName)\" with \(new) \"\(entry.name)\"")
            }
        }
        stack.isStale = true
        try directory.removeTree(name)
    }
}
