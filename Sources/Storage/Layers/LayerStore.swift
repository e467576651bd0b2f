import GRDB
import Hashing
import Kernel
import OCI

/// A layer that is unpacked in the data root.
public struct Layer: Sendable, Equatable {
    /// Identifies the layer together with all below it (config.md).
    public var chainID: Digest
    /// The digest of the layer's uncompressed tar.
    public var diffID: Digest
    public var parent: Digest?
    /// The bytes of this layer's files.
    public var size: Int64
    /// Where it lies.
    public var directory: String
}

/// The unpacked layers, by chain ID.
public final class LayerStore: Sendable {
    let context: Context

    init(_ context: Context) { self.context = context }

    /// The driver in use.
    public var driver: SnapshotDriverName { context.driver.name }

    /// The layers of a chain, the top one first.
    /// - Throws: `StorageError.notFound` when one is missing.
    public func chain(_ top: Digest) throws(StorageError) -> [Layer] {
        try context.read("find the layers of \(top)") { try self.chain(top, in: $0) }
    }

    /// All layers.
    public func list() throws(StorageError) -> [Layer] {
        try context.read("list the layers") { database in
            try Row.fetchAll(database, sql: "SELECT * FROM layers ORDER BY chain").map { try layer($0) }
        }
    }

    /// The chain IDs of a list of diff IDs, lowest first (config.md, "Layer ChainID").
    public static func chainIDs(_ diffIDs: [Digest]) throws(StorageError) -> [Digest] {
        try storage {
            var chains: [Digest] = []
            for diffID in diffIDs {
                chains.append(try chains.last.map { try ContentHash.digest(of: "\($0) \(diffID)".utf8) } ?? diffID)
            }
            return chains
        }
    }
}

// MARK: Rows

extension LayerStore {
    func layer(_ row: Row) throws -> Layer {
        Layer(
            chainID: try Digest(row["chain"]), diffID: try Digest(row["diff"]),
            parent: try (row["parent"] as String?).map { try Digest($0) }, size: row["size"],
            directory: "\(context.layersDirectory)/\(row["name"] as String)")
    }

    func layer(_ chainID: Digest, in database: Database) throws -> Layer? {
        try Row.fetchOne(
            database.cachedStatement(sql: "SELECT * FROM layers WHERE chain = ?"), arguments: [chainID.description]
        )
        .map { try layer($0) }
    }

    func chain(_ top: Digest, in database: Database) throws -> [Layer] {
        var layers: [Layer] = []
        var next: Digest? = top
        while let chainID = next {
            guard let layer = try self.layer(chainID, in: database) else {
                throw StorageError(.notFound, "the layer \(chainID) is not in the data root; load its image again")
            }
            layers.append(layer)
            next = layer.parent
        }
        return layers
    }

    func insert(_ layer: Layer, in database: Database) throws {
        let name = layer.directory.split(separator: "/").last.map(String.init) ?? ""
        try database.execute(
            sql: "INSERT INTO layers (chain, diff, parent, driver, name, size, boot) VALUES (?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                layer.chainID.description, layer.diffID.description, layer.parent?.description,
                context.driver.name.rawValue, name, layer.size, Flushing.boot,
            ])
    }
}
