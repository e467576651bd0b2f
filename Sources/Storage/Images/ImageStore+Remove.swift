import GRDB
import OCI

extension ImageStore {
    /// Removes a name, and the image with its last name, by Docker's rules.
    ///
    /// The rules: by name, the name goes, and the image with it when that was its last and no container uses it. By
    /// ID, all names must be of one repository unless forced. An image that other images were made from, or that a
    /// running container uses, is never removed.
    /// - Parameters:
    ///   - force: also when several names or a stopped container use it.
    ///   - prunesParents: whether parents without names go as well.
    ///   - uses: the containers that use an image.
    /// - Throws: `StorageError.conflict` with Docker's sentence.
    public func remove(
        _ text: String, force: Bool = false, prunesParents: Bool = true, uses: (Digest) -> [ImageUse]
    ) throws(StorageError) -> [ImageDeletion] {
        let image = try resolve(text)
        // The engine's answer may need the database, so it comes before the transaction.
        var inUse: [Digest: [ImageUse]] = [:]
        for candidate in [image.id] + (try ancestors(of: image)) { inUse[candidate] = uses(candidate) }
        var blobs: [Digest] = []
        let outcome = try context.write("remove the image \(text)") { database -> [ImageDeletion] in
            var removal = Removal(store: self, database: database, force: force, uses: inUse)
            try removal.remove(try self.image(named: text, in: database), by: text, prunesParents: prunesParents)
            blobs = removal.blobs
            return removal.deletions
        }
        let (gone, _) = try storage("remove the layers of \(text)") { try context.collectGarbage(blobs: blobs) }
        return outcome + gone.map { .deleted($0) }
    }

    private func ancestors(of image: Image) throws(StorageError) -> [Digest] {
        try context.read("find the parents of an image") { database in
            var list: [Digest] = []
            var next = image.parent
            while let id = next, !list.contains(id), let parent = try self.image(id, in: database) {
                list.append(id)
                next = parent.parent
            }
            return list
        }
    }

    /// Removes the images that no container uses and that `isIncluded` chooses.
    /// - Parameter all: also those with tags; otherwise only dangling ones.
    /// - Returns: what was removed, and how many bytes that freed.
    public func prune(
        all: Bool, uses: (Digest) -> [ImageUse], where isIncluded: (ImageSummary) -> Bool = { _ in true }
    ) throws(StorageError) -> (deletions: [ImageDeletion], freed: Int64) {
        var deletions: [ImageDeletion] = []
        var freed: Int64 = 0
        let kept = try storage("remove what given up pulls have left") { try context.takeKeptBlobs() }
        freed += try storage("remove blobs") { try context.collectGarbage(blobs: kept) }.freed
        for summary in try list() where (all || summary.isDangling) && isIncluded(summary) {
            let image = summary.image
            guard uses(image.id).isEmpty else { continue }
            var blobs: [Digest] = []
            do throws(StorageError) {
                deletions += try context.write("remove the image \(image.displayName)") { database in
                    guard let image = try self.image(image.id, in: database) else { return [] }
                    var removal = Removal(store: self, database: database, force: true, uses: [:])
                    try removal.removeWithNames(image)
                    blobs = removal.blobs
                    return removal.deletions
                }
            } catch {
                // An image that others were made from stays, as in Docker.
                if error.code == .conflict { continue }
                throw error
            }
            let (layers, bytes) = try storage("remove layers") { try context.collectGarbage(blobs: blobs) }
            deletions += layers.map { .deleted($0) }
            freed += bytes
        }
        return (deletions, freed)
    }
}

/// One removal, inside a transaction.
private struct Removal {
    let store: ImageStore
    let database: Database
    let force: Bool
    let uses: [Digest: [ImageUse]]
    var deletions: [ImageDeletion] = []
    /// The blobs that may have become superfluous.
    var blobs: [Digest] = []

    mutating func remove(_ image: Image, by text: String, prunesParents: Bool) throws {
        let names = image.tags + image.digests
        if !ImageStore.isID(text, of: image), let name = matched(text, names) {
            try remove(name, of: image, written: text, prunesParents: prunesParents)
            return
        }
        if Self.isSingle(names) {
            if let conflict = conflict(image, ignoringNames: true) { throw conflict }
            for name in names { try untag(name) }
        }
        try delete(image, prunesParents: prunesParents, isQuiet: false)
    }

    private func matched(_ text: String, _ names: [ImageReference]) -> ImageReference? {
        guard let reference = try? ImageReference(text).withDefaultTag else { return nil }
        if let digest = reference.digest {
            let wanted = reference.digested(digest)
            // By the digest of the manifest an image with tags can be named as well.
            return names.first { $0 == wanted } ?? names.first { $0.name == wanted.name }
        }
        return names.first { $0 == reference }
    }

    private mutating func remove(
        _ name: ImageReference, of image: Image, written text: String, prunesParents: Bool
    ) throws {
        let names = image.tags + image.digests
        if !force, Self.isSingle(names), let use = uses[image.id]?.first {
            throw StorageError(
                .conflict,
                "conflict: unable to remove repository reference \"\(text)\" (must force) - container "
                    + "\(use.containerID.prefix(12)) is using its referenced image \(image.id.short)")
        }
        try untag(name)
        var left = names.filter { $0 != name }
        // Digests of a repository go with its last tag.
        if name.digest == nil, !left.contains(where: { $0.digest == nil && $0.name == name.name }) {
            for digest in left where digest.name == name.name { try untag(digest) }
            left.removeAll { $0.name == name.name }
        }
        guard left.isEmpty else { return }
        try delete(image, prunesParents: prunesParents, isQuiet: true)
    }

    mutating func removeWithNames(_ image: Image) throws {
        if let conflict = conflict(image, ignoringNames: true) { throw conflict }
        for name in image.tags + image.digests { try untag(name) }
        try delete(image, prunesParents: false, isQuiet: false)
    }

    /// Whether the names are at most one tag, and digests of the same repository.
    private static func isSingle(_ names: [ImageReference]) -> Bool {
        guard names.count > 1, let first = names.first else { return true }
        return names.allSatisfy { $0.name == first.name } && names.count { $0.digest == nil } <= 1
    }

    private func conflict(_ image: Image, ignoringNames: Bool) -> StorageError? {
        func error(_ reason: String, canForce: Bool) -> StorageError {
            StorageError(
                .conflict,
                "conflict: unable to delete \(image.id.short) (\(canForce ? "must be forced" : "cannot be forced")) - \(reason)"
            )
        }
        let hasChildren =
            (try? Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM images WHERE parent = ?)",
                arguments: [image.id.description])) ?? false
        if hasChildren { return error("image has dependent child images", canForce: false) }
        let users = uses[image.id] ?? []
        if let use = users.first(where: \.isRunning) {
            return error("image is being used by running container \(use.containerID.prefix(12))", canForce: false)
        }
        if force { return nil }
        if !ignoringNames {
            let names =
                (try? Int.fetchOne(
                    database, sql: "SELECT count(*) FROM imageNames WHERE image = ?", arguments: [image.id.description]))
                ?? 0
            if names > 1 { return error("image is referenced in multiple repositories", canForce: true) }
        }
        if let use = users.first {
            return error("image is being used by stopped container \(use.containerID.prefix(12))", canForce: true)
        }
        return nil
    }

    private mutating func untag(_ name: ImageReference) throws {
        try database.execute(sql: "DELETE FROM imageNames WHERE name = ?", arguments: [name.canonicalName])
        deletions.append(.untagged(name.familiarName))
    }

    /// - Parameter isQuiet: whether an image that something still uses silently stays: its name was what had to go.
    private mutating func delete(_ image: Image, prunesParents: Bool, isQuiet: Bool) throws {
        if let conflict = conflict(image, ignoringNames: false) {
            if isQuiet { return }
            throw conflict
        }
        let id = image.id.description
        for name in try String.fetchAll(database, sql: "SELECT name FROM imageNames WHERE image = ?", arguments: [id]) {
            try untag(ImageReference(name))
        }
        blobs += try String.fetchAll(database, sql: "SELECT blob FROM imageLayers WHERE image = ?", arguments: [id])
            .map { try Digest($0) }
        try database.execute(sql: "DELETE FROM images WHERE id = ?", arguments: [id])
        deletions.append(.deleted(image.id))
        guard prunesParents, let parent = try image.parent.flatMap({ try store.image($0, in: database) }) else {
            return
        }
        if parent.tags.isEmpty, parent.digests.isEmpty, (uses[parent.id] ?? []).isEmpty {
            try delete(parent, prunesParents: true, isQuiet: true)
        }
    }
}
