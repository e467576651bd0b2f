import Archive
import Kernel
import OCI

/// What `X-Docker-Container-Path-Stat` tells of a path.
public struct PathStatus: Sendable, Equatable {
    public var name: String
    public var size: Int64
    /// Go's `os.FileMode`: permission bits, and the type in the high bits.
    public var goMode: UInt32
    public var modified: DateTime
    /// Where a symbolic link leads, resolved within the tree; empty for anything else.
    public var linkTarget: String
    public var isDirectory: Bool
}

/// Reading and writing a container's merged tree through a descriptor of its root: no link in it leads outside.
public struct FileTree: Sendable {
    public var root: FileDescriptor
    /// The namespace that `root` is mounted in, when it is mounted only there.
    private let namespace: FileDescriptor?

    /// - Parameter namespace: what has to stay open as long as the tree is used.
    public init(root: FileDescriptor, keeping namespace: FileDescriptor? = nil) {
        self.root = root
        self.namespace = namespace
    }

    /// What `path` is; a link at its end is described, not followed.
    /// - Throws: `StorageError.notFound`.
    public func status(of path: String) throws(StorageError) -> PathStatus {
        let file = try find(path, followsLastLink: path.hasSuffix("/"))
        return try storage("read the status of \(path)") { try describe(file, path: path) }
    }

    /// Writes the whole tree as a tar (`export`).
    public func export(to output: FileDescriptor) throws(StorageError) {
        try storage("export the file system") {
            let writer = TarWriter(DescriptorSink(output))
            var options = PackOptions()
            // What is mounted over the container's files is not its file system.
            options.staysOnFileSystem = true
            options.keepsAttribute = Self.isPortable
            try TreePacker(options).packContents(
                of: root.open(".", [.readOnly, .directory]), into: writer)
            try writer.finish()
        }
    }

    /// Overlay's own marks mean nothing in another place.
    private static let isPortable: @Sendable ([UInt8]) -> Bool = { name in
        !name.starts(with: Array("trusted.overlay.".utf8)) && !name.starts(with: Array("user.overlay.".utf8))
    }

    /// Writes a file or directory as a tar whose entries begin with its last name, as `GET …/archive` does.
    /// - Parameter willWrite: called with the status before the first byte, for a header that precedes the body.
    /// - Throws: `StorageError.notFound`.
    @discardableResult
    public func archive(
        _ path: String, to output: FileDescriptor, willWrite: (PathStatus) -> Void = { _ in }
    ) throws(StorageError) -> PathStatus {
        // `dir/.` means the directory behind a link, and its content without its name.
        let endsInDot = path == "." || path.hasSuffix("/.")
        let status = try describe(find(path, followsLastLink: path.hasSuffix("/") || endsInDot), for: path)
        if path.hasSuffix("/"), !status.isDirectory {
            throw StorageError(.invalidInput, "\(path) is not a directory in the container")
        }
        willWrite(status)
        return try storage("archive \(path)") {
            let writer = TarWriter(DescriptorSink(output))
            var options = PackOptions()
            options.keepsAttribute = Self.isPortable
            let name = endsInDot ? "." : Self.lastName(path)
            try TreePacker(options).pack(
                Array(path.utf8), in: root, as: Array(name.utf8),
                followsLastLink: path.hasSuffix("/") || endsInDot, into: writer)
            try writer.finish()
            return status
        }
    }

    /// Unpacks a tar, compressed or not, into an existing directory, as `PUT …/archive` does.
    /// - Parameters:
    ///   - keepsTypes: refuse to replace a directory by something else and the other way round.
    ///   - owner: a user and group to give everything to; `nil` keeps the archive's.
    /// - Throws: `StorageError.notFound`, or `.invalidInput` when `path` is no directory.
    public func extract(
        from archive: FileDescriptor, into path: String, keepsTypes: Bool = false,
        owner: (uid: UInt32, gid: UInt32)? = nil
    ) throws(StorageError) {
        let target = try find(path, followsLastLink: true)
        try storage("extract into \(path)") {
            guard try target.status().isDirectory else {
                throw StorageError(.invalidInput, "extraction point is not a directory: \(path)")
            }
            var options = UnpackOptions()
            options.keepsKindOfExisting = keepsTypes
            if let owner { options.ownership = .fixed(uid: owner.uid, gid: owner.gid) }
            let source = try DecompressingSource(DescriptorSource(archive))
            // Links in the archive are resolved with the container's root as `/`, hence not in `target`.
            _ = try TarUnpacker(into: root, at: Array(Self.relative(path).utf8), options: options).unpack(source)
        }
    }

    // MARK: Paths

    private static func relative(_ path: String) -> String {
        let trimmed = path.drop { $0 == "/" }
        return trimmed.isEmpty ? "." : String(trimmed)
    }

    /// The last component; `/` for the root.
    private static func lastName(_ path: String) -> String {
        path.splitBytes("/").last { $0 != "." }.map(String.init) ?? "/"
    }

    private func find(_ path: String, followsLastLink: Bool) throws(StorageError) -> FileDescriptor {
        do throws(KernelError) {
            return try root.openInRoot(Self.relative(path), followsLastLink ? .path : [.path, .noFollow])
        } catch {
            switch error.code {
            case .notFound, .notDirectory:
                throw StorageError(.notFound, "Could not find the file \(path) in the container")
            default: throw StorageError(error, while: "find \(path)")
            }
        }
    }

    /// The directory at `path`, links followed within the tree; `nil` when there is none.
    func directory(at path: String) throws -> FileDescriptor? {
        do throws(KernelError) {
            return try root.openInRoot(Self.relative(path), [.readOnly, .directory])
        } catch {
            if error.code == .notFound || error.code == .notDirectory { return nil }
            throw error
        }
    }

    private func describe(_ file: FileDescriptor, for path: String) throws(StorageError) -> PathStatus {
        try storage("read the status of \(path)") { try describe(file, path: path) }
    }

    private func describe(_ file: FileDescriptor, path: String) throws -> PathStatus {
        let status = try file.status()
        var target = ""
        if status.isSymbolicLink {
            target = try file.readLinkText("")
            if !target.hasPrefix("/") {
                let parent = path.splitBytes("/").dropLast().joined(separator: "/")
                target = "/\(parent)/\(target)"
            }
            target = Self.cleaned(target)
        }
        return PathStatus(
            name: Self.lastName(path), size: status.size, goMode: Self.goMode(status),
            modified: DateTime(seconds: status.modified.seconds, nanoseconds: Int64(status.modified.nanoseconds)),
            linkTarget: target, isDirectory: status.isDirectory)
    }

    /// A path without `.`, `..` and doubled slashes.
    private static func cleaned(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.splitBytes("/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    private static func goMode(_ status: FileStatus) -> UInt32 {
        var mode = status.permissions & 0o777
        // Go's io/fs: ModeDir is bit 31, ModeSymlink 27, ModeDevice 26, ModeNamedPipe 25, ModeSocket 24, ModeSetuid 23,
        // ModeSetgid 22, ModeCharDevice 21, ModeSticky 20.
        switch status.type {
        case .directory: mode |= 1 << 31
        case .symbolicLink: mode |= 1 << 27
        case .blockDevice: mode |= 1 << 26
        case .characterDevice: mode |= 1 << 26 | 1 << 21
        case .fifo: mode |= 1 << 25
        case .socket: mode |= 1 << 24
        case .regular: break
        }
        if status.permissions & 0o4000 != 0 { mode |= 1 << 23 }
        if status.permissions & 0o2000 != 0 { mode |= 1 << 22 }
        if status.permissions & 0o1000 != 0 { mode |= 1 << 20 }
        return mode
    }
}
