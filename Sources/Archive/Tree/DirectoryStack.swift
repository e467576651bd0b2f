import CKernel
import Glibc
import Kernel

// Spelt out, because not every C library's headers have them without being asked.
let atEmptyPath: Int32 = 0x1000
let atSymlinkNoFollow: Int32 = 0x100
/// STATX_BASIC_STATS
let basicStatus: UInt32 = 0x7FF
let openDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

/// Repeats a system call that a signal interrupted.
@inline(__always) func retry(_ body: () -> Int) -> Int {
    while true {
        let result = body()
        if result != -Int(EINTR) { return result }
    }
}

/// Open descriptors of the directories that lead to the entry in work, so that entries of one directory cost one
/// lookup together.
///
/// Every step opens one component of the previous directory without following links, so a descriptor here is always
/// inside the root. Only where a component *is* a link does the kernel resolve it, with the root as `/`
/// (`RESOLVE_IN_ROOT`). A directory's time is put back when its descriptor is closed, after its entries were made.
final class DirectoryStack {
    struct Level {
        let descriptor: Int32
        /// The length of this directory's path.
        let pathCount: Int
        /// What the directory's time shall be once nothing more is made in it.
        var modified: timespec
        var isDirty = false
        /// The group that new files get here; `nil` when that depends on mount options, and must be set.
        var groupOfNewFiles: UInt32?
        var userID: UInt32
        var groupID: UInt32
        var mode: UInt32
        let isLink: Bool
    }

    /// Deeper directories take the place of the one above them, so that no archive can use up the descriptors.
    private static let maximumDepth = 48

    let root: FileDescriptor
    /// Where in the root the target directory is.
    private let basePath: [UInt8]
    private(set) var levels: [Level] = []
    private let path = UnsafeMutablePointer<CChar>.allocate(capacity: EntryPath.maximum)
    let effectiveGroup = getegid()
    private let restoresBaseTime: Bool
    /// Set when a directory or link went away under names that may be on the stack.
    var isStale = false

    init(root: FileDescriptor, basePath: [UInt8], restoresBaseTime: Bool) throws {
        self.root = root
        self.basePath = basePath
        self.restoresBaseTime = restoresBaseTime
        let base: FileDescriptor
        if basePath.isEmpty {
            base = try root.open(".", [.readOnly, .directory])
        } else {
            base = try root.openInRoot(basePath, [.readOnly, .directory])
        }
        try push(base.release(), pathCount: 0, isLink: false, displayName: basePath)
    }

    deinit {
        for level in levels { _ = ck_close(level.descriptor) }
        path.deallocate()
    }

    var top: Level {
        get { levels[levels.count - 1] }
        set { levels[levels.count - 1] = newValue }
    }

    /// Closes everything but, when all went well, puts the directories' times right first.
    func finish() throws {
        while !levels.isEmpty { try pop() }
    }

    /// Makes the entry's parent the top, with the directories on the way made if need be.
    ///
    /// - Parameter makeMissing: called with the directory and the missing component's name; it makes it.
    func enterParent(of entry: EntryPath, makeMissing: (_ parent: Int32, _ name: UnsafePointer<CChar>) throws -> Void)
        throws
    {
        let wanted = entry.parentCount
        if !isStale, top.pathCount == wanted, memcmp(path, entry.characters, wanted) == 0 { return }
        while levels.count > 1, isStale || !leads(top, to: entry, wanted) { try pop() }
        isStale = false
        while top.pathCount < wanted {
            let start = top.pathCount == 0 ? 0 : top.pathCount + 1
            var end = start
            while end < wanted, entry.characters[end] != CChar(UInt8(ascii: "/")) { end += 1 }
            // The component becomes a C string in place.
            let separator = entry.characters[end]
            entry.characters[end] = 0
            defer { entry.characters[end] = separator }
            try open(entry.characters + start, upTo: end, of: entry, makeMissing)
        }
    }

    private func leads(_ level: Level, to entry: EntryPath, _ wanted: Int) -> Bool {
        if level.pathCount == 0 { return true }
        guard level.pathCount <= wanted, memcmp(path, entry.characters, level.pathCount) == 0 else { return false }
        return level.pathCount == wanted || entry.characters[level.pathCount] == CChar(UInt8(ascii: "/"))
    }

    private func open(
        _ name: UnsafePointer<CChar>, upTo end: Int, of entry: EntryPath,
        _ makeMissing: (Int32, UnsafePointer<CChar>) throws -> Void
    ) throws {
        let parent = top.descriptor
        var result = retry { ck_openat(parent, name, openDirectoryFlags, 0) }
        var isLink = false
        if result == -Int(ENOENT) {
            try makeMissing(parent, name)
            result = retry { ck_openat(parent, name, openDirectoryFlags, 0) }
        } else if result == -Int(ENOTDIR) || result == -Int(ELOOP) {
            var status = ck_statx()
            let found = ck_statx(parent, name, atSymlinkNoFollow, basicStatus, &status)
            if found == 0, status.type == .symbolicLink {
                result = openThroughLinks(entry.characters)
                isLink = true
            } else if found == 0, status.isWhiteout {
                // A whiteout of overlayfs: the directory begins anew.
                try makeMissing(parent, name)
                result = retry { ck_openat(parent, name, openDirectoryFlags, 0) }
            }
        }
        let shown = Array(UnsafeRawBufferPointer(start: entry.characters, count: end))
        if result < 0 {
            if isLink {
                throw ArchiveError(
                    .breakout,
                    "an entry is to be unpacked through the symbolic link \"\(shown.displayName)\", which "
                        + "does not lead to a directory inside of the target; refused"
                )
            }
            throw ArchiveError("open the directory", shown, result: result)
        }
        try push(Int32(result), pathCount: end, isLink: isLink, displayName: shown)
        memcpy(path, entry.characters, end)
    }

    /// Resolves a path as a process with the root as its root directory would.
    private func openThroughLinks(_ relative: UnsafePointer<CChar>, _ flags: Int32 = O_RDONLY) -> Int {
        openInRoot(
            basePath + [UInt8(ascii: "/")] + Array(UnsafeRawBufferPointer(start: relative, count: strlen(relative))),
            flags)
    }

    private func openInRoot(_ path: [UInt8], _ flags: Int32) -> Int {
        do {
            let flags = OpenFlags(rawValue: flags | O_DIRECTORY)
            return Int(try root.open(path, flags, resolve: [.inRoot, .noMagicLinks]).release())
        } catch { return -Int(error.code.rawValue) }
    }

    /// A descriptor (`O_PATH`) of the directory that holds `entry`, wherever it is; the caller closes it.
    func openParent(of entry: EntryPath) -> Int {
        let parent = Array(UnsafeRawBufferPointer(start: entry.characters, count: entry.parentCount))
        return openInRoot(basePath + [UInt8(ascii: "/")] + parent + Array("/.".utf8), OpenFlags.path.rawValue)
    }

    /// Whether symbolic links lie on the way to a path inside the target; only asked when something failed.
    func crossesLink(_ entry: EntryPath) -> Bool {
        let parent = Array(UnsafeRawBufferPointer(start: entry.characters, count: entry.parentCount))
        do {
            _ = try root.open(
                basePath + [UInt8(ascii: "/")] + parent + Array("/.".utf8), [.path, .directory],
                resolve: [.inRoot, .noSymlinks])
            return false
        } catch { return error.code == .symlinkLoop }
    }

    /// Puts a directory that is open already on top: the entry's own directory, which its content will want next.
    func enter(_ descriptor: Int32, _ entry: EntryPath) throws {
        try push(descriptor, pathCount: entry.count, isLink: false, displayName: [])
        memcpy(path, entry.characters, entry.count)
    }

    private func push(_ descriptor: Int32, pathCount: Int, isLink: Bool, displayName: [UInt8]) throws {
        var status = ck_statx()
        let result = ck_statx(descriptor, "", atEmptyPath, basicStatus, &status)
        if result < 0 {
            _ = ck_close(descriptor)
            throw ArchiveError("read the status of", displayName, result: result)
        }
        if levels.count >= Self.maximumDepth {
            do { try pop() } catch {
                _ = ck_close(descriptor)
                throw error
            }
        }
        // A set-group-ID directory hands its group on; without the bit some mount options do, too, so it is only
        // certain where both come to the same.
        let hasSetGroupID = UInt32(status.stx_mode) & 0o2000 != 0
        let isCertain = hasSetGroupID || status.stx_gid == effectiveGroup
        levels.append(
            Level(
                descriptor: descriptor, pathCount: pathCount,
                modified: timespec(tv_sec: Int(status.stx_mtime.tv_sec), tv_nsec: Int(status.stx_mtime.tv_nsec)),
                groupOfNewFiles: isCertain ? status.stx_gid : nil, userID: status.stx_uid, groupID: status.stx_gid,
                mode: UInt32(status.stx_mode) & 0o7777, isLink: isLink))
    }

    private func pop() throws {
        let level = levels.removeLast()
        defer { _ = ck_close(level.descriptor) }
        if !level.isDirty || (levels.isEmpty && !restoresBaseTime) { return }
        let result = withTimes(level.modified, level.modified) { ck_utimensat(level.descriptor, nil, $0, 0) }
        if result < 0 {
            throw ArchiveError(
                "set the time of the directory", Array(UnsafeRawBufferPointer(start: path, count: level.pathCount)),
                result: result)
        }
    }
}

/// Access and change time as the kernel takes them.
@inline(__always)
func withTimes(_ accessed: timespec, _ modified: timespec, _ body: (UnsafePointer<timespec>) -> Int) -> Int {
    withUnsafePointer(to: (accessed, modified)) {
        $0.withMemoryRebound(to: timespec.self, capacity: 2) { body($0) }
    }
}
