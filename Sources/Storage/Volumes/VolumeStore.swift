import GRDB
import JSON
import Kernel
import OCI

/// The volumes, in `volumes/<name>/_data`.
public final class VolumeStore: Sendable {
    private let context: Context

    init(_ context: Context) { self.context = context }

    private func directory(_ name: String) -> String { "\(context.volumesDirectory)/\(name)" }
    private func lock(_ name: String) -> String { "volume \(name)" }

    /// Makes a volume, or returns the one of that name.
    /// - Parameter name: `nil` makes an anonymous volume with a name of 64 hexadecimal digits.
    /// - Throws: `StorageError.invalidInput` for a name or option that is none; `.conflict` when the volume exists
    ///   with another driver; `.notSupported` for an unknown driver.
    public func create(
        _ name: String? = nil, driver: String = "local", labels: [String: String] = [:],
        options: [String: String] = [:]
    ) throws(StorageError) -> Volume {
        let isAnonymous = name?.isEmpty ?? true
        let name = name.flatMap { $0.isEmpty ? nil : $0 } ?? randomHexadecimal(bytes: 32)
        do throws(StorageError) {
            return try make(name, driver: driver, labels: labels, options: options, isAnonymous: isAnonymous)
        } catch {
            throw StorageError(error.code, "create \(name.prefix(300)): \(error.message)")
        }
    }

    private func make(
        _ name: String, driver: String, labels: [String: String], options: [String: String], isAnonymous: Bool
    ) throws(StorageError) -> Volume {
        try Volume.check(name: name)
        guard driver == "local" || driver.isEmpty else {
            throw StorageError(
                .notSupported,
                "error looking up volume plugin \(driver): plugin \"\(driver)\" not found; use --driver local")
        }
        return try storage("make the volume \(name)") {
            try context.nameLocks.with(lock(name)) {
                if let volume = try find(name) { return volume }
                try Volume.check(options: options)
                let here = FileDescriptor.currentDirectory
                try here.makeDirectories(directory(name), mode: 0o701)
                do {
                    try here.makeDirectories("\(directory(name))/_data", mode: 0o755)
                    // In spite of any umask.
                    try here.changeMode(of: "\(directory(name))/_data", to: 0o755)
                    try context.database.write { database in
                        try database.execute(
                            sql: """
                                INSERT INTO volumes (name, driver, labels, options, isAnonymous, created)
                                VALUES (?, 'local', ?, ?, ?, ?)
                                """,
                            arguments: [
                                name, labels.json.serialized(), options.json.serialized(), isAnonymous,
                                DateTime.now.nanosecondsSince1970,
                            ])
                    }
                } catch {
                    try? context.discard(directory(name))
                    throw error
                }
                return try volume(name)
            }
        }
    }

    private func volume(_ row: Row) throws -> Volume {
        let name: String = row["name"]
        return Volume(
            name: name, driver: row["driver"],
            labels: try [String: String](json: JSONValue(parsing: row["labels"] as String)),
            options: try [String: String](json: JSONValue(parsing: row["options"] as String)),
            created: DateTime(nanosecondsSince1970: row["created"]), isAnonymous: row["isAnonymous"],
            mountpoint: "\(directory(name))/_data")
    }

    private func find(_ name: String) throws -> Volume? {
        try context.read("find the volume \(name)") { database in
            try Row.fetchOne(database, sql: "SELECT * FROM volumes WHERE name = ?", arguments: [name])
                .map { try volume($0) }
        }
    }

    /// - Throws: `StorageError.notFound`.
    public func volume(_ name: String) throws(StorageError) -> Volume {
        try storage {
            guard let volume = try find(name) else { throw StorageError(.notFound, "get \(name): no such volume") }
            return volume
        }
    }

    /// All volumes, sorted by name.
    public func list() throws(StorageError) -> [Volume] {
        try context.read("list the volumes") { database in
            try Row.fetchAll(database, sql: "SELECT * FROM volumes ORDER BY name").map { try volume($0) }
        }
    }

    /// - Parameters:
    ///   - force: whether a volume that does not exist counts as removed.
    ///   - users: the containers that use it.
    /// - Throws: `StorageError.conflict` when there are any.
    public func remove(_ name: String, force: Bool = false, users: [String] = []) throws(StorageError) {
        try storage("remove the volume \(name)") {
            try context.nameLocks.with(lock(name)) {
                guard try find(name) != nil else {
                    if force { return }
                    throw StorageError(.notFound, "get \(name): no such volume")
                }
                guard users.isEmpty else {
                    throw StorageError(
                        .conflict, "remove \(name): volume is in use - [\(users.joined(separator: ", "))]")
                }
                // The directory goes first: a row without one is removed at the next start, while a directory without
                // a row might be data that a power cut orphaned.
                let grave = "\(context.trashDirectory)/\(Context.shortName())"
                let here = FileDescriptor.currentDirectory
                if here.exists(directory(name)) { try here.rename(directory(name), to: grave) }
                try context.database.write {
                    try $0.execute(sql: "DELETE FROM volumes WHERE name = ?", arguments: [name])
                }
                try here.removeTree(grave)
            }
        }
    }

    /// Removes the volumes that `isUsed` denies and `isIncluded` chooses.
    /// - Parameter all: also named ones; otherwise only anonymous ones.
    /// - Returns: their names, and how many bytes that freed.
    public func prune(
        all: Bool, isUsed: (Volume) -> Bool, where isIncluded: (Volume) -> Bool = { _ in true }
    ) throws(StorageError) -> (names: [String], freed: Int64) {
        var names: [String] = []
        var freed: Int64 = 0
        for volume in try list() where (all || volume.isAnonymous) && !isUsed(volume) && isIncluded(volume) {
            let size = try size(of: volume.name)
            try remove(volume.name, force: true)
            names.append(volume.name)
            freed += size
        }
        return (names, freed)
    }

    /// The bytes that a volume's files take.
    public func size(of name: String) throws(StorageError) -> Int64 {
        try storage("measure the volume \(name)") { try treeSize("\(directory(name))/_data") }
    }

    /// Copies what a tree has at `path` into the volume, if the volume is still empty: what Docker does at the first
    /// use of a volume unless `nocopy` is given.
    /// - Returns: whether anything was copied.
    @discardableResult
    public func copyUp(_ name: String, from tree: FileTree, path: String) throws(StorageError) -> Bool {
        try storage("copy the image's \(path) into the volume \(name)") {
            try context.nameLocks.with(lock(name)) {
                guard let volume = try find(name) else { throw StorageError(.notFound, "get \(name): no such volume") }
                // A file system that the container mounts itself is not in reach; a bound directory is its owner's.
                guard volume.source == .directory(volume.mountpoint) else { return false }
                let here = FileDescriptor.currentDirectory
                // Beside the data while it is being copied: a copy that was cut short is made again.
                let marker = "\(directory(name))/copying"
                guard try here.entries(of: volume.mountpoint).isEmpty || here.exists(marker) else { return false }
                guard let source = try tree.directory(at: path) else { return false }
                try here.writeFile(marker, "", creating: true)
                do {
                    try copyTree(from: source, to: FileDescriptor.open(volume.mountpoint, [.readOnly, .directory]))
                } catch {
                    try? FileDescriptor.open(volume.mountpoint, [.readOnly, .directory]).removeContents()
                    try? here.unlinkIfPresent(marker)
                    throw error
                }
                try here.unlinkIfPresent(marker)
                return true
            }
        }
    }
}
