import Archive
import Kernel
import OCI

public enum SnapshotDriverName: String, Sendable, CaseIterable {
    /// Layers are directories that the kernel stacks.
    case overlay2
    /// Every layer is a whole copy of the tree: slow and large, but works on any file system.
    case vfs
}

/// A way of keeping unpacked layers and of making writable trees from them.
///
/// A driver only arranges directories: `LayerStore` decides when, keeps the records and does the crash-safe renames.
protocol SnapshotDriver: Sendable {
    var name: SnapshotDriverName { get }

    /// Whether a layer's directory holds only what the layer itself changes, so that layers of one image can be
    /// unpacked in any order.
    var layersAreIndependent: Bool { get }

    /// How a layer's tar is unpacked into its directory.
    var unpackOptions: UnpackOptions { get }

    /// Makes an empty `directory` ready to have a layer unpacked into it, on top of `parent`'s directory.
    func prepareLayer(at directory: String, parent: String?) throws

    /// Makes `directory` (the container's own, existing) into a writable tree on top of layers.
    /// - Parameter layers: the layers' directories, the top one first.
    func createContainer(in directory: String, layers: [String]) throws

    /// How the tree made by `createContainer` is to be mounted.
    func root(in directory: String, layers: [String]) -> ContainerRoot

    /// As `root`, for a mount that is about to be made. Where the driver can, what changes in a tree that `isTransient`
    /// is never written out for the sake of a power cut; it can be mounted again as long as the machine runs.
    func rootToMount(in directory: String, layers: [String], isTransient: Bool) throws -> ContainerRoot

    /// The merged tree as a directory that is mounted nowhere, or only in sight of its descriptor.
    func mergedTree(in directory: String, layers: [String], writable: Bool) throws -> FileDescriptor

    /// What the tree changed against its layers.
    func difference(in directory: String, layers: [String]) throws -> LayerDiff

    /// The directory that holds what the tree itself takes on the disk.
    func writableDirectory(in directory: String) -> String
}

extension SnapshotDriver {
    func rootToMount(in directory: String, layers: [String], isTransient: Bool) throws -> ContainerRoot {
        root(in: directory, layers: layers)
    }
}

/// How a container's root file system is put together; whoever starts the container mounts it, in the container's own
/// mount namespace.
public enum ContainerRoot: Sendable, Equatable {
    /// An overlay.
    case overlay(OverlayRoot)
    /// A directory to bind.
    case directory(String)
}

public struct OverlayRoot: Sendable, Equatable {
    /// Absolute paths, the top layer first; at least one.
    public var lowerDirectories: [String]
    public var upperDirectory: String
    public var workDirectory: String
    /// More mount options, such as `userxattr`.
    public var options: [String]

    public init(
        lowerDirectories: [String], upperDirectory: String, workDirectory: String, options: [String] = []
    ) {
        self.lowerDirectories = lowerDirectories
        self.upperDirectory = upperDirectory
        self.workDirectory = workDirectory
        self.options = options
    }
}

/// What one layer may hold at most, so that a small archive cannot fill the disk.
public struct LayerLimits: Sendable, Equatable {
    /// Bytes of one layer's uncompressed tar stream.
    public var bytes: Int64
    /// Entries of one layer.
    public var inodes: Int64

    /// 64 GiB and four million entries unless told otherwise: above any real layer, below most disks.
    public init(bytes: Int64 = 64 << 30, inodes: Int64 = 4_000_000) {
        self.bytes = bytes
        self.inodes = inodes
    }
}
