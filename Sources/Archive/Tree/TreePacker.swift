import CKernel
import Glibc
import Kernel

/// What of a tree is archived.
public struct PackOptions: Sendable {
    /// Asked with each path in the archive; `false` leaves it out, with all beneath it.
    public var includes: (@Sendable (_ path: [UInt8]) -> Bool)?
    /// Which extended attributes are kept.
    public var keepsAttribute: @Sendable (_ name: [UInt8]) -> Bool
    /// Translates owners, such as from a user namespace's numbers to the container's.
    public var owner: (@Sendable (_ uid: UInt32, _ gid: UInt32) -> (uid: UInt32, gid: UInt32))?
    /// Directories on which another file system is mounted are archived empty.
    public var staysOnFileSystem = false

    public init(includes: (@Sendable (_ path: [UInt8]) -> Bool)? = nil) {
        self.includes = includes
        keepsAttribute = PackOptions.isPortable
    }

    /// File capabilities, and the `user` and `trusted` name spaces but for overlayfs' own marks. What else there is
    /// belongs to the machine rather than to the file (`security.selinux`, `security.ima`).
    @Sendable public static func isPortable(_ name: [UInt8]) -> Bool {
        if name.elementsEqual("security.capability".utf8) { return true }
        if TarEntry.Attribute(name: name, value: []).isOverlayMark { return false }
        return name.starts(with: "user.".utf8) || name.starts(with: "trusted.".utf8)
    }
}

/// Archives directory trees, in the order of their names' bytes, so that the same tree gives the same archive.
///
/// Hard links among the files are kept; sockets, which no archive can hold, are left out. A file that vanishes while
/// the tree is read is left out, too; one that grows is archived at its first size; one that shrinks is an error.
public struct TreePacker {
    private let options: PackOptions

    public init(_ options: PackOptions = .init()) { self.options = options }

    /// All that `directory` holds.
    ///
    /// - Parameters:
    ///   - prefix: what the names in the archive begin with, without a final slash; empty for nothing.
    ///   - includesTop: whether the directory's own entry comes first: `prefix`, or `.` without one.
    public func packContents(
        of directory: FileDescriptor, into writer: TarWriter, prefix: [UInt8] = [], includesTop: Bool = false
    ) throws {
        try asArchiveError {
            let session = try PackSession(options, writer)
            let directory = try directory.open(".", [.readOnly, .directory])
            if includesTop {
                let path = prefix.isEmpty ? [UInt8(ascii: ".")] : prefix
                try session.addDirectory(directory, try directory.status(), as: path)
            }
            try session.addContents(of: directory, as: prefix, onDevice: try directory.status().device)
        }
    }

    /// One file or tree, its top entry under another name, as `docker cp` wants it.
    ///
    /// - Parameters:
    ///   - path: resolved with `root` as `/`; if its last component is a link, the link is meant unless
    ///     `followsLastLink`.
    ///   - name: the top entry's name in the archive; what lies beneath it follows it.
    public func pack(
        _ path: [UInt8], in root: FileDescriptor, as name: [UInt8], followsLastLink: Bool = false,
        into writer: TarWriter
    ) throws {
        try asArchiveError {
            let session = try PackSession(options, writer)
            let components = path.split(separator: UInt8(ascii: "/"))
            let isDirectoryName =
                components.last.map { $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) } ?? true
            if isDirectoryName || followsLastLink || path.last == UInt8(ascii: "/") {
                // The descriptor names the file itself, whatever it is.
                let file = try root.openInRoot(path.isEmpty ? Array(".".utf8) : path)
                try session.add(file, try file.status(), as: name)
            } else if let last = components.last {
                let parent = Array(components.dropLast().joined(separator: [UInt8(ascii: "/")]))
                let directory = try root.openInRoot(
                    parent.isEmpty ? Array(".".utf8) : parent, [.path, .directory])
                try session.add(Array(last), in: directory, as: name, isRequired: true)
            }
        }
    }
}

/// One archive in the making.
final class PackSession {
    private struct Identity: Hashable {
        let device: DeviceNumber
        let inode: UInt64
    }

    let options: PackOptions
    let writer: TarWriter
    private var links: [Identity: [UInt8]] = [:]
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: streamBufferSize, alignment: 4096)

    init(_ options: PackOptions, _ writer: TarWriter) throws {
        self.options = options
        self.writer = writer
    }

    deinit { buffer.deallocate() }

    func addContents(of directory: FileDescriptor, as path: [UInt8], onDevice device: DeviceNumber) throws {
        for name in try sortedNames(of: directory) {
            try add(name, in: directory, as: path.isEmpty ? name : path + [UInt8(ascii: "/")] + name, device: device)
        }
    }

    /// How long a path may get: PATH_MAX without its NUL, as for every other program that walks the tree by paths. A
    /// container can make directories that are deeper, and the walk would need a stack as deep.
    static let maximumPathCount = EntryPath.maximum - 1

    func sortedNames(of directory: FileDescriptor) throws -> [[UInt8]] {
        try directory.entries().map(\.bytes).sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Adds a name of a directory, with all beneath it.
    func add(
        _ name: [UInt8], in directory: FileDescriptor, as path: [UInt8], device: DeviceNumber? = nil,
        isRequired: Bool = false
    ) throws {
        if let includes = options.includes, !includes(path) { return }
        try checkPathLength(path)
        do {
            let status = try directory.status(of: name)
            let handle: FileDescriptor
            switch status.type {
            case .regular: handle = try directory.open(name, [.readOnly, .noFollow, .nonBlocking])
            case .directory: handle = try directory.open(name, [.readOnly, .directory, .noFollow])
            case .socket: return
            default: handle = try directory.open(name, [.path, .noFollow])
            }
            // The status that counts is that of what was opened.
            let nodeAttributes = handle.isPathOnly ? try extendedAttributes(of: name, in: directory) : nil
            try add(handle, try handle.status(), as: path, device: device, nodeAttributes: nodeAttributes)
        } catch let error as KernelError where error.code == .notFound && !isRequired {
            // Gone since the directory was read.
        }
    }

    /// Adds an open file (`O_PATH` will do), with all beneath it.
    ///
    /// - Parameter nodeAttributes: the attributes of a link or node, which its descriptor does not give.
    func add(
        _ file: FileDescriptor, _ status: FileStatus, as path: [UInt8], device: DeviceNumber? = nil,
        nodeAttributes: [TarEntry.Attribute]? = nil
    ) throws {
        switch status.type {
        case .directory:
            let directory = try file.open(".", [.readOnly, .directory])
            try addDirectory(directory, status, as: path)
            if options.staysOnFileSystem, let device, device != status.device { return }
            try addContents(of: directory, as: path, onDevice: status.device)
        case .socket: return
        case .regular where file.isPathOnly:
            try addLeaf(file.reopened([.readOnly, .nonBlocking]), status, as: path)
        default: try addLeaf(file, status, as: path, nodeAttributes: nodeAttributes)
        }
    }

    /// Adds a directory's own entry.
    func addDirectory(_ directory: FileDescriptor, _ status: FileStatus, as path: [UInt8]) throws {
        var entry = entry(path, .directory, status)
        entry.attributes = try attributes(of: directory)
        try writer.add(entry)
    }

    func addLeaf(
        _ file: FileDescriptor, _ status: FileStatus, as path: [UInt8], nodeAttributes: [TarEntry.Attribute]? = nil
    ) throws {
        if status.linkCount > 1 {
            let identity = Identity(device: status.device, inode: status.inode)
            if let first = links[identity] {
                var entry = entry(path, .hardLink, status)
                entry.linkTarget = first
                return try writer.add(entry)
            }
            links[identity] = path
        }
        switch status.type {
        case .regular:
            var entry = entry(path, .file, status)
            entry.size = status.size
            entry.attributes = try attributes(of: file)
            try addFile(entry, file)
        case .symbolicLink:
            var entry = entry(path, .symbolicLink, status)
            // An empty path means the link that the descriptor names.
            entry.linkTarget = try file.readLink("")
            entry.attributes = (nodeAttributes ?? []).filter { options.keepsAttribute($0.name) }
            try writer.add(entry)
        case .fifo, .characterDevice, .blockDevice:
            let kind: TarEntry.Kind =
                status.type == .fifo ? .fifo : status.type == .blockDevice ? .blockDevice : .characterDevice
            var entry = entry(path, kind, status)
            entry.deviceMajor = status.specialDevice.major
            entry.deviceMinor = status.specialDevice.minor
            entry.attributes = (nodeAttributes ?? []).filter { options.keepsAttribute($0.name) }
            try writer.add(entry)
        case .directory, .socket: return
        }
    }

    /// Writes a file; exactly as many bytes as its header announces, even if it grows meanwhile.
    private func addFile(_ entry: TarEntry, _ file: FileDescriptor) throws {
        try writer.begin(entry)
        var left = entry.size
        if left == 0 { return }
        var offset: Int64 = 0
        while left > 0 {
            let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(Int64(buffer.count), left))])
            let count = try file.pread(into: room, at: offset)
            // The writer notices what is missing.
            if count == 0 { return }
            try writer.write(UnsafeRawBufferPointer(rebasing: room[..<count]))
            offset += Int64(count)
            left -= Int64(count)
        }
    }

    private func entry(_ path: [UInt8], _ kind: TarEntry.Kind, _ status: FileStatus) -> TarEntry {
        var entry = TarEntry(path: path, kind: kind, mode: status.permissions)
        var (uid, gid) = (status.userID, status.groupID)
        if let owner = options.owner { (uid, gid) = owner(uid, gid) }
        entry.uid = Int64(uid)
        entry.gid = Int64(gid)
        entry.modified = status.modified
        return entry
    }

    private func attributes(of file: FileDescriptor) throws -> [TarEntry.Attribute] {
        try extendedAttributes(of: file).filter { options.keepsAttribute($0.name) }
    }
}

/// - Throws: `ArchiveError` with `ENAMETOOLONG` for a path that no program could open by name.
func checkPathLength(_ path: [UInt8]) throws {
    guard path.count > PackSession.maximumPathCount else { return }
    throw ArchiveError(
        .system(.nameTooLong),
        "a directory tree is deeper than paths can be: \"\(Array(path.prefix(200)).displayName)…\" is longer than "
            + "\(PackSession.maximumPathCount) bytes")
}

extension FileDescriptor {
    var isPathOnly: Bool { ((try? statusFlags) ?? 0) & OpenFlags.path.rawValue != 0 }
}
