import Kernel
import OCI
import Synchronization

/// Something that is mounted over a container's files.
public struct TreeMount: Sendable {
    /// A file or directory of the host.
    public var source: String
    /// A path below `source`, which the container may have written: no link in it leads out. Empty for `source` itself.
    public var subpath: String
    /// An absolute path in the container.
    public var destination: String
    public var isWritable: Bool

    public init(source: String, subpath: String = "", destination: String, isWritable: Bool) {
        self.source = source
        self.subpath = subpath
        self.destination = destination
        self.isWritable = isWritable
    }
}

extension ContainerLayers {
    /// The merged tree of a container that does not run, with its volumes and binds in their places.
    ///
    /// They are mounted in a mount namespace of its own, which nothing but the returned tree refers to: it goes with it,
    /// whatever happens to this process.
    /// - Parameter writable: whether files may be changed through it. Only then are missing mount points made; otherwise
    ///   what would be mounted there is left out.
    public func assembledTree(
        of id: String, mounts: [TreeMount], writable: Bool
    ) throws(StorageError) -> FileTree {
        let top = try mergedTree(of: id, writable: writable)
        if mounts.isEmpty { return FileTree(root: top) }
        let place = directory(of: id)
        return try storage("mount the volumes of the container \(id)") {
            try onThreadOfItsOwn { try Self.assemble(top, at: place, mounts, makesMountPoints: writable) }
        }
    }

    /// Leaves the calling thread in another mount namespace.
    private static func assemble(
        _ top: FileDescriptor, at place: String, _ mounts: [TreeMount], makesMountPoints: Bool
    ) throws -> FileTree {
        try Namespaces.unshare(.mount)
        let namespace = try FileDescriptor.open("/proc/thread-self/ns/mnt")
        // What is mounted from here on must not show on the host.
        try FileDescriptor.open("/", [.path, .directory]).setMountAttributes(propagation: .private, recursive: true)
        // Before the container's files hide some of them.
        let sources = try mounts.map { mount in
            var source = try FileDescriptor.open(mount.source, .path)
            if !mount.subpath.isEmpty { source = try source.openInRoot(relative(mount.subpath), .path) }
            let copy = try source.cloneMount(recursive: true)
            if !mount.isWritable { try copy.setMountAttributes(set: .readOnly, recursive: true) }
            return (mount: mount, copy: copy, isDirectory: try source.status().isDirectory)
        }
        try top.moveMount(to: place)
        let root = try FileDescriptor.open(place, [.path, .directory])
        // The outer one first, or it would hide the inner one.
        let depth = { (path: String) in path.split(separator: "/").count }
        for source in sources.sorted(by: { depth($0.mount.destination) < depth($1.mount.destination) }) {
            let destination = source.mount.destination
            let target =
                makesMountPoints
                ? try mountPoint(destination, in: root, isDirectory: source.isDirectory)
                : try? root.openInRoot(relative(destination), .path)
            if let target { try source.copy.moveMount(to: target) }
        }
        return FileTree(root: root, keeping: namespace)
    }

    private static func relative(_ path: String) -> String {
        let trimmed = path.drop { $0 == "/" }
        return trimmed.isEmpty ? "." : String(trimmed)
    }

    /// Opens a place to mount something, and makes it when it is missing; no link leads out of `root`.
    private static func mountPoint(
        _ path: String, in root: FileDescriptor, isDirectory: Bool
    ) throws -> FileDescriptor {
        var directory = root
        let parts = path.split(separator: "/")
        for (index, part) in parts.enumerated() {
            let name = String(part)
            let isLast = index == parts.count - 1
            let way = parts[...index].joined(separator: "/")
            if (try? root.openInRoot(way, .path)) == nil {
                if isLast && !isDirectory {
                    _ = try directory.open(name, [.writeOnly, .create, .exclusive])
                } else {
                    try directory.makeDirectory(name)
                }
            }
            directory = try root.openInRoot(way, .path)
        }
        return directory
    }
}

/// Runs `body` on a new thread, which may change what belongs to a thread alone, and waits for it.
private func onThreadOfItsOwn<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
    let box = OutcomeBox<Value>()
    guard let thread = Thread.start({ box.outcome.withLock { $0 = Result(catching: body) } }) else {
        throw StorageError(.system, "the system makes no more threads")
    }
    thread.join()
    guard let outcome = box.outcome.withLock({ $0 }) else { throw StorageError(.system, "a thread ended early") }
    return try outcome.get()
}

private final class OutcomeBox<Value: Sendable>: Sendable {
    let outcome = Mutex<Result<Value, any Error>?>(nil)
}
