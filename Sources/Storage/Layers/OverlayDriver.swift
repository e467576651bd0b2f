import Archive
import Kernel

/// Layers as the kernel's overlay file system stacks them.
struct OverlayDriver: SnapshotDriver {
    /// The directory of all layers; holds `empty`, which stands in for the layers of an image that has none.
    let directory: String
    /// Whether the kernel has overlays that never sync (since Linux 5.10).
    private(set) var canBeVolatile = false

    var name: SnapshotDriverName { .overlay2 }
    var layersAreIndependent: Bool { true }
    var unpackOptions: UnpackOptions { .overlay }

    init(_ directory: String) throws {
        self.directory = directory
        try FileDescriptor.currentDirectory.makeDirectories("\(directory)/empty", mode: 0o755)
    }

    /// Finds out by doing it whether overlays work on the file system of `directory`.
    /// - Throws: what the kernel says against it.
    mutating func check(scratch: String) throws {
        let here = FileDescriptor.currentDirectory
        for name in ["lower", "upper", "work"] { try here.makeDirectories("\(scratch)/\(name)") }
        func mount(_ options: [String]) throws {
            _ = try self.mount(
                lower: ["\(scratch)/lower"], upper: "\(scratch)/upper", work: "\(scratch)/work", options: options)
        }
        try mount([])
        canBeVolatile = (try? mount(["volatile"])) != nil
    }

    func prepareLayer(at directory: String, parent: String?) throws {}

    func createContainer(in directory: String, layers: [String]) throws {
        let here = FileDescriptor.currentDirectory
        try here.makeDirectory("\(directory)/upper", mode: 0o755)
        try here.makeDirectory("\(directory)/work", mode: 0o700)
        // The mode and owner of the merged root are those of the upper directory.
        guard let top = layers.first else { return }
        let status = try here.status(of: top)
        let upper = try FileDescriptor.open("\(directory)/upper", [.readOnly, .directory])
        try upper.changeOwner(userID: status.userID, groupID: status.groupID)
        try upper.changeMode(status.permissions)
        try upper.setTimes(accessed: nil, modified: status.modified)
    }

    private func lowers(_ layers: [String]) -> [String] { layers.isEmpty ? ["\(directory)/empty"] : layers }

    func root(in directory: String, layers: [String]) -> ContainerRoot {
        .overlay(
            OverlayRoot(
                lowerDirectories: lowers(layers), upperDirectory: "\(directory)/upper",
                workDirectory: "\(directory)/work"))
    }

    // The mark of a volatile mount, which is to keep one from being made again after a power cut. Here none is: the
    // engine removes such containers at its first start after one.
    func rootToMount(in directory: String, layers: [String], isTransient: Bool) throws -> ContainerRoot {
        try removeMark(in: directory)
        var root = OverlayRoot(
            lowerDirectories: lowers(layers), upperDirectory: "\(directory)/upper", workDirectory: "\(directory)/work")
        if isTransient, canBeVolatile { root.options = ["volatile"] }
        return .overlay(root)
    }

    private func removeMark(in directory: String) throws {
        try FileDescriptor.currentDirectory.removeTree("\(directory)/work/work/incompat")
    }

    func mergedTree(in directory: String, layers: [String], writable: Bool) throws -> FileDescriptor {
        let upper = "\(directory)/upper"
        if writable {
            try removeMark(in: directory)
            return try mount(lower: lowers(layers), upper: upper, work: "\(directory)/work")
        }
        // The writable layer as one more lower layer: nothing can be changed, and no other mount is disturbed.
        return try mount(lower: [upper] + lowers(layers), upper: nil, work: nil)
    }

    private func mount(
        lower: [String], upper: String?, work: String?, options: [String] = []
    ) throws -> FileDescriptor {
        let context = try FileSystemContext(type: "overlay")
        try context.set("source", "overlay")
        do throws(KernelError) {
            for directory in lower { try context.set("lowerdir+", directory) }
        } catch {
            // Linux before 6.7 knows only the list, of a page at most.
            guard error.code == .invalidArgument else { throw error }
            let escaped = lower.map {
                $0.split(separator: ":", omittingEmptySubsequences: false).joined(separator: "\\:")
            }
            try context.set("lowerdir", escaped.joined(separator: ":"))
        }
        if let upper, let work {
            try context.set("upperdir", upper)
            try context.set("workdir", work)
        }
        for option in options { try context.set(option) }
        try context.create()
        return try context.mount(attributes: upper == nil ? .readOnly : [])
    }

    func difference(in directory: String, layers: [String]) throws -> LayerDiff {
        let lowers = try lowers(layers).map { try FileDescriptor.open($0, [.readOnly, .directory]) }
        return LayerDiff.overlay(
            upper: try FileDescriptor.open("\(directory)/upper", [.readOnly, .directory]), lowers: lowers)
    }

    func writableDirectory(in directory: String) -> String { "\(directory)/upper" }
}
