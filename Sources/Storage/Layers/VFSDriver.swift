import Archive
import Kernel

/// Every layer and every container is a whole tree: for file systems that overlays do not work on.
struct VFSDriver: SnapshotDriver {
    var name: SnapshotDriverName { .vfs }
    var layersAreIndependent: Bool { false }
    var unpackOptions: UnpackOptions { .merge }

    func prepareLayer(at directory: String, parent: String?) throws {
        guard let parent else { return }
        try copyTree(
            from: FileDescriptor.open(parent, [.readOnly, .directory]),
            to: FileDescriptor.open(directory, [.readOnly, .directory]))
    }

    func createContainer(in directory: String, layers: [String]) throws {
        let root = "\(directory)/root"
        try FileDescriptor.currentDirectory.makeDirectory(root, mode: 0o755)
        try prepareLayer(at: root, parent: layers.first)
    }

    func root(in directory: String, layers: [String]) -> ContainerRoot { .directory("\(directory)/root") }

    func mergedTree(in directory: String, layers: [String], writable: Bool) throws -> FileDescriptor {
        // A copy of the mount, so that one for reading can be read-only.
        let tree = try FileDescriptor.currentDirectory.cloneMount(at: "\(directory)/root")
        if !writable { try tree.setMountAttributes(set: .readOnly) }
        return tree
    }

    func difference(in directory: String, layers: [String]) throws -> LayerDiff {
        let new = try FileDescriptor.open("\(directory)/root", [.readOnly, .directory])
        if let top = layers.first {
            return LayerDiff.trees(old: try FileDescriptor.open(top, [.readOnly, .directory]), new: new)
        }
        // Against nothing: the container's own empty neighbour.
        let empty = "\(directory)/empty"
        try FileDescriptor.currentDirectory.makeDirectories(empty)
        return LayerDiff.trees(old: try FileDescriptor.open(empty, [.readOnly, .directory]), new: new)
    }

    func writableDirectory(in directory: String) -> String { "\(directory)/root" }
}
