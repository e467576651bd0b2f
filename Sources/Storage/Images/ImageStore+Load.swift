import GRDB
import Kernel
import OCI

extension ImageStore {
    /// Loads every image in an archive: docker-archive (of any age) or OCI layout, compressed or not.
    ///
    /// The archive is read once, from beginning to end, and may be a pipe. Either all images in it are loaded, or
    /// none.
    /// - Parameter platform: which manifest of an index to take; `nil` takes the host's, and images that are no index
    ///   whatever they are for.
    /// - Throws: `StorageError.invalidInput`, `.digestMismatch`, `.limitExceeded`, `.platformMismatch`, `.noSpace`.
    public func load(
        from archive: FileDescriptor, platform: Platform? = nil,
        progress: @escaping @Sendable (LoadProgress) -> Void = { _ in }
    ) throws(StorageError) -> [LoadedImage] {
        try storage("load the archive") {
            var contents = ImageArchive()
            do {
                try contents.read(archive, into: context)
                let images = try contents.images(for: platform)
                let loaded = try record(images, verified: Set(contents.brought), progress: progress)
                // Blobs that no manifest mentions.
                let brought = contents.brought
                contents = ImageArchive()
                try context.collectGarbage(blobs: brought)
                return loaded
            } catch {
                let brought = contents.brought
                contents = ImageArchive()
                _ = try? context.collectGarbage(blobs: brought)
                throw error
            }
        }
    }

    private func record(
        _ images: [ArchivedImage], verified: Set<Digest>, progress: @escaping @Sendable (LoadProgress) -> Void
    ) throws -> [LoadedImage] {
        var leases: [Leases.Lease] = []
        var rows: [NewImage] = []
        for image in images {
            let diffIDs = image.config.rootfs.diffIDs ?? []
            let sources = zip(diffIDs, image.blobs).map {
                LayerSource(diffID: $0, blob: $1, isVerified: verified.contains($1))
            }
            leases += try layers.ensure(sources, progress: progress)
            rows.append(
                NewImage(
                    id: try image.id, configBytes: image.configBytes, diffIDs: diffIDs, blobs: image.blobs,
                    manifest: image.manifest, parent: nil, references: image.references))
        }
        try context.write("record the images") { database in for row in rows { try insert(row, in: database) } }
        withExtendedLifetime(leases) {}
        try context.flushing.added(context)
        return rows.map { row in
            let loaded = LoadedImage(id: row.id, references: row.references)
            progress(.loaded(loaded))
            return loaded
        }
    }
}
