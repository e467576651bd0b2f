import EngineModel
import Kernel
import OCI
import Storage

extension ContainerEngine {
    /// A container's files without what is mounted over them: of a running one through its init, of others mounted
    /// nowhere. Blocks.
    private func ownTree(_ container: Container) throws -> FileTree {
        if let tree = try runningTree(container) { return tree }
        return FileTree(root: try storage.containers.mergedTree(of: container.id))
    }

    private func runningTree(_ container: Container) throws -> FileTree? {
        guard let run = container.run else { return nil }
        return FileTree(root: try FileDescriptor.open("/proc/\(run.processID)/root", [.path, .directory]))
    }

    /// A container's files as its processes see them or would see them, volumes and binds included. Its lock is held;
    /// blocks.
    private func tree(_ container: Container, writable: Bool = false) throws -> FileTree {
        if let tree = try runningTree(container) { return tree }
        let mounts = try treeMounts(container.record)
        if !writable, !mounts.isEmpty {
            // A volume's place need not exist before the first start; an overlay that is only read cannot get it.
            _ = try storage.containers.assembledTree(of: container.id, mounts: mounts, writable: true)
        }
        return try storage.containers.assembledTree(of: container.id, mounts: mounts, writable: writable)
    }

    private func treeMounts(_ record: ContainerRecord) throws -> [TreeMount] {
        let destinations = Set(record.mounts.map(\.destination))
        // What a start put into /etc, for one that was started.
        let etc = etcPaths(record).filter { !destinations.contains($0.path) && HostFiles.exists($0.source) }
            .map { TreeMount(source: $0.source, subpath: "", destination: $0.path, isWritable: true) }
        return etc
            + (try record.mounts.compactMap { mount in
                var source = mount.source
                switch mount.kind {
                case .tmpfs: return nil
                case .bind: break
                case .volume:
                    // A volume that is a file system of its own is mounted only while the container runs.
                    guard case .directory(let path) = try storage.volumes.volume(mount.name).source else { return nil }
                    source = path
                }
                guard HostFiles.exists(source) else { return nil }
                return TreeMount(
                    source: source, subpath: mount.subpath, destination: mount.destination, isWritable: mount.isWritable
                )
            })
    }

    /// What a container changed in its image's tree.
    public func changes(_ name: String) async throws -> [FilesystemChange] {
        let container = try registry.find(name)
        let changes = try await blocking { try self.storage.containers.changes(container.id) }
        return OwnChanges.without(
            changes.map { change in
                FilesystemChange(
                    path: change.path, kind: FilesystemChange.Kind(rawValue: UInt8(change.kind.rawValue)) ?? .modified)
            })
    }

    /// The whole tree as a tar.
    public func export(_ name: String) async throws -> ByteStream {
        let container = try registry.find(name)
        let tree = try await blocking { try self.ownTree(container) }
        post(container, "export")
        return try work.stream { try tree.export(to: $0) }
    }

    public func pathStatus(_ name: String, path: String) async throws -> ContainerPathStat {
        let container = try registry.find(name)
        try check(path)
        return try await container.lock.withLock { () async throws(EngineError) -> ContainerPathStat in
            try await blocking { try self.status(of: path, in: try self.tree(container), of: name) }
        }
    }

    private func status(of path: String, in tree: FileTree, of name: String) throws -> ContainerPathStat {
        do throws(StorageError) { return Self.describe(try tree.status(of: path)) } catch {
            guard error.code == .notFound else { throw error }
            throw EngineError(.notFound, "Could not find the file \(path) in container \(name)")
        }
    }

    private static func describe(_ status: PathStatus) -> ContainerPathStat {
        var result = ContainerPathStat()
        result.name = status.name
        result.size = status.size
        result.mode = status.goMode
        result.mtime = status.modified.description
        result.linkTarget = status.linkTarget
        return result
    }

    private func check(_ path: String) throws(EngineError) {
        guard !path.isEmpty else { throw .invalid("bad parameter: path cannot be empty") }
        guard !path.utf8.contains(0) else { throw .invalid("bad parameter: path must not contain a NUL byte") }
    }

    /// A file or directory as a tar.
    public func downloadArchive(
        _ name: String, path: String
    ) async throws -> (status: ContainerPathStat, archive: ByteStream) {
        let container = try registry.find(name)
        try check(path)
        let (tree, status) = try await container.lock.withLock {
            () async throws(EngineError) -> (FileTree, ContainerPathStat) in
            try await blocking {
                let tree = try self.tree(container)
                return (tree, try self.status(of: path, in: tree, of: name))
            }
        }
        post(container, "archive-path")
        return (status, try work.stream { try tree.archive(path, to: $0) })
    }

    /// Unpacks a tar into a directory of the container.
    public func uploadArchive(
        _ name: String, path: String, from archive: ByteInput, _ options: ArchiveUploadOptions
    ) async throws {
        let container = try registry.find(name)
        try check(path)
        let record = container.record
        if record.hostConfig.readonlyRootfs, !Self.isInVolume(path, record) {
            throw EngineError(.forbidden, "container rootfs is marked read-only")
        }
        for mount in record.mounts where !mount.isWritable && PathText.isInside(PathText.clean(path), mount.destination)
        {
            throw EngineError(.forbidden, "mounted volume is marked read-only")
        }
        do {
            // Two overlays on one upper directory must not both be written, so nobody may start it meanwhile.
            try await container.lock.withLock {
                let tree = try await blocking { try self.tree(container, writable: true) }
                var owner: (uid: UInt32, gid: UInt32)?
                if options.copyOwner {
                    let user = try await blocking {
                        try UserCache.read(tree.root).resolve(record.config.user)
                    }
                    owner = (user.userID, user.groupID)
                }
                let given = owner
                try await work.consume(archive) { input in
                    try tree.extract(
                        from: input, into: path, keepsTypes: options.noOverwriteDirectoryNonDirectory, owner: given)
                }
            }
        } catch {
            throw EngineError(wrapping: error)
        }
        post(container, "extract-to-dir")
    }

    private static func isInVolume(_ path: String, _ record: ContainerRecord) -> Bool {
        record.mounts.contains { $0.isWritable && PathText.isInside(PathText.clean(path), $0.destination) }
    }
}

/// The files and directories that every container gets to mount something there, which Docker keeps in a layer of their
/// own, below the container's.
package enum OwnChanges {
    private static let paths: Set<String> = [
        "/.dockerenv", "/dev", "/dev/console", "/dev/pts", "/dev/shm", "/etc/hostname", "/etc/hosts", "/etc/mtab",
        "/etc/resolv.conf", "/proc", "/sys", "/sbin/docker-init",
    ]

    /// The changes but these, and but the directories that changed only by them.
    package static func without(_ changes: [FilesystemChange]) -> [FilesystemChange] {
        let isOwn = { (change: FilesystemChange) in
            change.kind == FilesystemChange.Kind.added.rawValue && paths.contains(change.path)
        }
        let rest = changes.filter { !isOwn($0) }
        let parents = Set(changes.filter(isOwn).map { PathText.directory(of: $0.path) })
        return rest.filter { change in
            guard change.kind == FilesystemChange.Kind.modified.rawValue, parents.contains(change.path) else {
                return true
            }
            return rest.contains { $0.path != change.path && PathText.isInside($0.path, change.path) }
        }
    }
}
