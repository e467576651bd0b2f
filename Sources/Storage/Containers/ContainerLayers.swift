import Archive
import GRDB
import Kernel
import OCI

/// What `diff` lists.
public struct FileChange: Sendable, Equatable {
    /// Docker's numbers.
    public enum Kind: Int, Sendable {
        case modified = 0
        case added = 1
        case deleted = 2
    }
    /// Absolute, in the container.
    public var path: String
    public var kind: Kind

    public init(path: String, kind: Kind) {
        self.path = path
        self.kind = kind
    }
}

/// The writable layers of containers, in `containers/<id>`, which the engine also keeps its own files in.
public final class ContainerLayers: Sendable {
    private let context: Context
    private let layers: LayerStore

    init(_ context: Context) {
        self.context = context
        layers = LayerStore(context)
    }

    /// The directory of a container in the data root; 0710.
    public func directory(of id: String) -> String { "\(context.containersDirectory)/\(id)" }

    /// Makes a container's directory and writable layer, and returns how to mount it.
    /// - Parameter top: the chain ID of the image's top layer; `nil` for an empty root file system.
    /// - Throws: `StorageError.conflict` when it exists; nothing is left after a failure.
    public func create(_ id: String, on top: Digest?) throws(StorageError) -> ContainerRoot {
        try storage("make the writable layer of the container \(id)") {
            guard isID(id) else {
                throw StorageError(.invalidInput, "\"\(id.prefix(100))\" cannot be a container's ID")
            }
            return try context.nameLocks.with("container \(id)") {
                let directory = directory(of: id)
                guard !FileDescriptor.currentDirectory.exists(directory) else {
                    throw StorageError(.conflict, "the container \(id) has a layer already")
                }
                // The row comes first, so that the layers below cannot go; the directory is built aside.
                let directories = try context.database.write { database in
                    let chain = try top.map { try layers.chain($0, in: database) } ?? []
                    try database.cachedStatement(sql: "INSERT INTO containerLayers (container, chain) VALUES (?, ?)")
                        .execute(arguments: [id, top?.description])
                    return chain.map(\.directory)
                }
                do {
                    let temporary = try context.makeTemporaryDirectory()
                    do {
                        try FileDescriptor.currentDirectory.changeMode(of: temporary, to: 0o710)
                        try context.driver.createContainer(in: temporary, layers: directories)
                        try FileDescriptor.currentDirectory.rename(temporary, to: directory, flags: .noReplace)
                    } catch {
                        try? context.discard(temporary)
                        throw error
                    }
                } catch {
                    try? forget(id)
                    throw error
                }
                return context.driver.root(in: directory, layers: directories)
            }
        }
    }

    private func isID(_ id: String) -> Bool {
        guard let first = id.utf8.first, id.utf8.count <= 128 else { return false }
        return first != UInt8(ascii: ".")
            && id.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || "_.-".utf8.contains(byte)
            }
    }

    private func forget(_ id: String) throws {
        try context.database.write {
            try $0.execute(sql: "DELETE FROM containerLayers WHERE container = ?", arguments: [id])
        }
    }

    /// The directories of the layers below a container, the top one first.
    private func below(_ id: String) throws -> [Layer] {
        try context.read("find the layers of the container \(id)") { database in
            guard
                let row = try Row.fetchOne(
                    database, sql: "SELECT chain FROM containerLayers WHERE container = ?", arguments: [id])
            else { throw StorageError(.notFound, "the container \(id) has no layer") }
            guard let chain = row["chain"] as String? else { return [] }
            return try layers.chain(Digest(chain), in: database)
        }
    }

    /// How to mount a container's root file system.
    public func root(of id: String) throws(StorageError) -> ContainerRoot {
        try storage { context.driver.root(in: directory(of: id), layers: try below(id).map(\.directory)) }
    }

    /// As `root(of:)`, for the mount of a start.
    /// - Parameter isTransient: whether the container goes when it ends: what it writes need not outlive the machine.
    public func rootToMount(of id: String, isTransient: Bool) throws(StorageError) -> ContainerRoot {
        try storage {
            try context.driver.rootToMount(
                in: directory(of: id), layers: try below(id).map(\.directory), isTransient: isTransient)
        }
    }

    /// The chain ID of the image's top layer that a container was made on.
    public func chainID(of id: String) throws(StorageError) -> Digest? { try storage { try below(id).first?.chainID } }

    /// Removes a container's layer and its whole directory. One that is not here counts as removed.
    /// - Parameter waits: whether its files are gone when this returns, or only out of sight.
    public func remove(_ id: String, waits: Bool = true) throws(StorageError) {
        try storage("remove the files of the container \(id)") {
            let isLastUser = try context.nameLocks.with("container \(id)") {
                let (isKnown, isLastUser) = try context.database.write { database in
                    let chain = try String.fetchOne(
                        database.cachedStatement(sql: "SELECT chain FROM containerLayers WHERE container = ?"),
                        arguments: [id])
                    try database.cachedStatement(sql: "DELETE FROM containerLayers WHERE container = ?")
                        .execute(arguments: [id])
                    let isKnown = database.changesCount > 0
                    guard let chain else { return (isKnown, false) }
                    let isImage = try Bool.fetchOne(
                        database.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM imageLayers WHERE chain = ?)"),
                        arguments: [chain])
                    return (isKnown, isImage != true)
                }
                if isKnown { try context.discard(directory(of: id), waits: waits) }
                return isLastUser
            }
            // The image has been removed by force meanwhile.
            if isLastUser { try context.collectGarbage(blobs: []) }
        }
    }

    /// The IDs of all containers that have a layer here; the engine removes those it does not know.
    public func list() throws(StorageError) -> [String] {
        try context.read("list the containers' layers") {
            try String.fetchAll($0, sql: "SELECT container FROM containerLayers ORDER BY container")
        }
    }

    /// What the container changed, sorted by path.
    public func changes(_ id: String) throws(StorageError) -> [FileChange] {
        try storage("compare the container \(id) with its image") {
            try difference(id).changes().map { change in
                let kind: FileChange.Kind =
                    switch change.kind {
                    case .modified: .modified
                    case .added: .added
                    case .deleted: .deleted
                    }
                return FileChange(path: "/" + String(decoding: change.path, as: UTF8.self), kind: kind)
            }
        }
    }

    func difference(_ id: String) throws -> LayerDiff {
        try context.driver.difference(in: directory(of: id), layers: try below(id).map(\.directory))
    }

    /// The bytes of the writable layer (`SizeRw`), and of all layers together (`SizeRootFs`).
    public func size(of id: String) throws(StorageError) -> (writable: Int64, total: Int64) {
        try storage("measure the container \(id)") {
            let below = try below(id)
            let layersSize = below.reduce(0) { $0 + $1.size }
            let taken = try treeSize(context.driver.writableDirectory(in: directory(of: id)))
            // A tree of its own holds the image's files as well.
            if context.driver.layersAreIndependent { return (taken, layersSize + taken) }
            return (max(0, taken - layersSize), taken)
        }
    }

    /// The merged tree of a container that does not run, as a directory that is mounted nowhere.
    ///
    /// The mount lives as long as the descriptor. For a running container use `/proc/<pid>/root` instead: two overlays
    /// on one upper directory must not both be written.
    /// - Parameter writable: whether files may be changed through it.
    public func mergedTree(of id: String, writable: Bool = false) throws(StorageError) -> FileDescriptor {
        try storage("open the files of the container \(id)") {
            try context.driver.mergedTree(
                in: directory(of: id), layers: try below(id).map(\.directory), writable: writable)
        }
    }
}
