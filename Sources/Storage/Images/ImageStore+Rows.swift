import FoundationEssentials
import GRDB
import Hashing
import JSON
import OCI

// Reading and writing rows, inside a transaction of the caller's. What every start of a container asks is prepared once.
extension ImageStore {
    func image(_ id: Digest, in database: Database) throws -> Image? {
        try Row.fetchOne(
            database.cachedStatement(sql: "SELECT * FROM images WHERE id = ?"), arguments: [id.description]
        )
        .map { try image($0, in: database) }
    }

    func image(_ row: Row, in database: Database) throws -> Image {
        let id: String = row["id"]
        let bytes = Array(row["config"] as Data)
        let config = try ImageConfig(parsing: bytes)
        let names = try String.fetchAll(
            database.cachedStatement(sql: "SELECT name FROM imageNames WHERE image = ? ORDER BY name"), arguments: [id]
        ).map { try ImageReference($0) }
        let top = try Row.fetchOne(
            database.cachedStatement(
                sql: """
                    SELECT sum(layers.size) AS size,
                        (SELECT chain FROM imageLayers WHERE image = ?1 ORDER BY position DESC LIMIT 1) AS chain
                    FROM imageLayers JOIN layers USING (chain) WHERE image = ?1
                    """), arguments: [id])
        var manifest: Descriptor?
        if let digest = row["manifestDigest"] as String?, let length = (row["manifest"] as Data?)?.count {
            manifest = Descriptor(mediaType: row["manifestType"], digest: try Digest(digest), size: Int64(length))
        }
        return Image(
            id: try Digest(id), config: config, configBytes: bytes,
            chainID: try (top?["chain"] as String?).map { try Digest($0) },
            tags: names.filter { $0.digest == nil }, digests: names.filter { $0.digest != nil },
            parent: try (row["parent"] as String?).map { try Digest($0) },
            size: (top?["size"] as Int64?) ?? 0, platform: config.platform,
            created: config.created.flatMap { try? DateTime($0) },
            lastTagged: (row["tagged"] as Int64?).map { DateTime(nanosecondsSince1970: $0) }, manifest: manifest)
    }

    /// Docker's order: a full ID, a name, a prefix of an ID.
    func image(named text: String, in database: Database) throws -> Image {
        let missing = StorageError(.notFound, "No such image: \(text.prefix(300))")
        if let id = Self.fullID(text) {
            guard let image = try image(id, in: database) else { throw missing }
            return image
        }
        var reference: ImageReference?
        var invalid: OCIError?
        do throws(OCIError) { reference = try ImageReference(text) } catch { invalid = error }
        if let reference, let image = try image(referredBy: reference, in: database) { return image }
        let prefix = text.hasPrefix("sha256:") ? text.dropFirst(7) : text[...]
        if Digest.isHex(prefix), prefix.utf8.count < 64 {
            let ids = try String.fetchAll(
                database, sql: "SELECT id FROM images WHERE id >= ?1 AND id < ?2 LIMIT 2",
                arguments: ["sha256:\(prefix)", "sha256:\(prefix)g"])
            if ids.count > 1 {
                throw StorageError(
                    .ambiguous, "the ID prefix \(prefix) fits more than one image; give more digits of it")
            }
            if let id = ids.first, let image = try image(Digest(id), in: database) { return image }
            throw missing
        }
        if let invalid { throw invalid }
        throw missing
    }

    /// The image that a name, with a tag or a digest, refers to.
    func image(referredBy reference: ImageReference, in database: Database) throws -> Image? {
        var key = reference.withDefaultTag
        // With a digest the tag says nothing more.
        if let digest = key.digest { key = key.digested(digest) }
        let id = try String.fetchOne(
            database.cachedStatement(sql: "SELECT image FROM imageNames WHERE name = ?"), arguments: [key.canonicalName]
        )
        if let id { return try image(Digest(id), in: database) }
        // `name@digest` also finds an image that has the name with a tag, and that digest as its manifest or ID.
        guard let digest = key.digest else { return nil }
        let rows = try Row.fetchAll(
            database, sql: "SELECT * FROM images WHERE manifestDigest = ?1 OR id = ?1", arguments: [digest.description])
        for row in rows {
            let candidate = try image(row, in: database)
            if (candidate.tags + candidate.digests).contains(where: { $0.name == key.name }) { return candidate }
        }
        return nil
    }

    /// The ID when `text` is a whole one, with or without its algorithm.
    static func fullID(_ text: String) -> Digest? {
        if let digest = try? Digest(text) { return digest }
        return text.utf8.count == 64 ? try? Digest("sha256:\(text)") : nil
    }

    /// Whether `text` is (a prefix of) the ID of the image that it was resolved to, rather than a name.
    static func isID(_ text: String, of image: Image) -> Bool {
        let prefix = text.hasPrefix("sha256:") ? text.dropFirst(7) : text[...]
        return Digest.isHex(prefix) && image.id.hex.hasPrefix(prefix)
            && !image.tags.contains { $0 == (try? ImageReference(text))?.withDefaultTag }
    }

    func name(_ id: Digest, _ reference: ImageReference, in database: Database) throws {
        try database.execute(
            sql:
                "INSERT INTO imageNames (name, image) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET image = excluded.image",
            arguments: [reference.canonicalName, id.description])
        try database.execute(
            sql: "UPDATE images SET tagged = ? WHERE id = ?",
            arguments: [DateTime.now.nanosecondsSince1970, id.description])
    }

    /// What is needed to record an image.
    struct NewImage: Sendable {
        var id: Digest
        var configBytes: [UInt8]
        var diffIDs: [Digest]
        /// The blob of each layer, lowest first.
        var blobs: [Digest]
        var manifest: (type: String, bytes: [UInt8])?
        var parent: Digest?
        var references: [ImageReference] = []
    }

    /// Records an image and gives it its names. One that is known already keeps its row, but gains a manifest.
    func insert(_ new: NewImage, in database: Database) throws {
        let id = new.id.description
        let known = try Row.fetchOne(database, sql: "SELECT manifestDigest FROM images WHERE id = ?", arguments: [id])
        let digest = try new.manifest.map { try ContentHash.digest(of: $0.bytes).description }
        let replaces = known != nil && digest != nil && (known?["manifestDigest"] as String?) == nil
        if known == nil {
            try database.execute(
                sql: """
                    INSERT INTO images (id, config, parent, manifestType, manifestDigest, manifest, loaded, boot)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    id, Data(new.configBytes), new.parent?.description, new.manifest?.type, digest,
                    new.manifest.map { Data($0.bytes) }, DateTime.now.nanosecondsSince1970,
                    Flushing.boot,
                ])
        } else if replaces {
            try database.execute(
                sql: "UPDATE images SET manifestType = ?, manifestDigest = ?, manifest = ?, boot = ? WHERE id = ?",
                arguments: [new.manifest?.type, digest, new.manifest.map { Data($0.bytes) }, Flushing.boot, id])
            try database.execute(sql: "DELETE FROM imageLayers WHERE image = ?", arguments: [id])
        }
        if known == nil || replaces {
            for (position, chain) in try LayerStore.chainIDs(new.diffIDs).enumerated() {
                try database.execute(
                    sql: "INSERT INTO imageLayers (image, position, chain, blob) VALUES (?, ?, ?, ?)",
                    arguments: [id, position, chain.description, new.blobs[position].description])
            }
        }
        for reference in new.references { try name(new.id, reference, in: database) }
    }

    /// The blobs of an image's layers, lowest first.
    func blobs(of id: Digest) throws -> [Digest] {
        try context.read("find the blobs of an image") { database in
            try String.fetchAll(
                database, sql: "SELECT blob FROM imageLayers WHERE image = ? ORDER BY position",
                arguments: [id.description]
            ).map { try Digest($0) }
        }
    }

    func manifestBytes(of id: Digest) throws -> [UInt8]? {
        try context.read("find the manifest of an image") { database in
            try Row.fetchOne(database, sql: "SELECT manifest FROM images WHERE id = ?", arguments: [id.description])
                .flatMap { ($0["manifest"] as Data?).map { Array($0) } }
        }
    }
}
