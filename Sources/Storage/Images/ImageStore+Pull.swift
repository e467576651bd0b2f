import GRDB
import Hashing
import Kernel
import OCI
import Synchronization

/// An image that is being fetched: which blobs are missing, and their arrival.
///
/// One task fetches what `missing` lists into `arrival(of:)`, while `finish`, on a thread of its own, unpacks the layers
/// as they come. A pull that is given up leaves its verified blobs for the next.
public final class ImagePull: Sendable {
    public let id: Digest
    /// Blobs to be fetched, each once, lowest first.
    public let missing: [Descriptor]
    /// Blobs of layers that need not be.
    public let present: [Descriptor]
    /// Whether the image, with these very layers, is in the store.
    public let isKnown: Bool

    private let store: ImageStore
    private let image: ImageStore.NewImage
    private let arrivals: [Digest: BlobArrival]
    private let leases: [Leases.Lease]

    fileprivate init(_ store: ImageStore, _ image: ImageStore.NewImage, layers: [Descriptor]) throws {
        self.store = store
        self.image = image
        id = image.id
        let context = store.context
        leases = layers.map { context.leases.take($0.digest.description) }
        isKnown = try context.read("look for the image \(image.id)") { database in
            try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM images WHERE id = ? AND manifest IS NOT NULL)",
                arguments: [image.id.description]) ?? false
        }
        var seen: Set<Digest> = []
        var (missing, present): ([Descriptor], [Descriptor]) = ([], [])
        for layer in layers where seen.insert(layer.digest).inserted {
            if try isKnown || context.content.size(of: layer.digest) == layer.size {
                present.append(layer)
            } else {
                missing.append(layer)
            }
        }
        self.missing = missing
        self.present = present
        arrivals = Dictionary(
            missing.map { ($0.digest, BlobArrival($0.digest, size: $0.size, in: context.content)) },
            uniquingKeysWith: { first, _ in first })
    }

    /// - Returns: `nil` for a blob that is not missing.
    public func arrival(of digest: Digest) -> BlobArrival? { arrivals[digest] }

    /// Notes that a blob is whole and verified, so that it is kept even if the pull is given up.
    public func keep(_ digest: Digest) throws(StorageError) {
        try store.context.write("keep the blob \(digest)") { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO keptBlobs (blob, kept, boot) VALUES (?, ?, ?)",
                arguments: [digest.description, DateTime.now.seconds, Flushing.boot])
        }
    }

    /// Ends `finish`: nothing more will come.
    public func fail(_ error: StorageError) {
        for arrival in arrivals.values { arrival.fail(error) }
    }

    /// Unpacks the layers as they arrive, and then records the image and its names. Blocks until all have arrived.
    public func finish(
        progress: @escaping @Sendable (LoadProgress) -> Void = { _ in }
    ) throws(StorageError) -> LoadedImage {
        try storage("store the image") {
            let context = store.context
            var layerLeases: [Leases.Lease] = []
            if !isKnown {
                let sources = zip(image.diffIDs, image.blobs).map {
                    LayerSource(diffID: $0, blob: $1, arrival: arrivals[$1])
                }
                layerLeases = try store.layers.ensure(sources, progress: progress)
                // A layer that was unpacked before is not read; its blob must be here all the same.
                for arrival in arrivals.values { try arrival.waitUntilWhole() }
            }
            try context.write("record the image") { database in
                try store.insert(image, in: database)
                for blob in image.blobs {
                    try database.execute(sql: "DELETE FROM keptBlobs WHERE blob = ?", arguments: [blob.description])
                }
            }
            withExtendedLifetime((layerLeases, leases)) {}
            try context.flushing.added(context)
            let loaded = LoadedImage(id: id, references: image.references)
            progress(.loaded(loaded))
            return loaded
        }
    }
}

extension ImageStore {
    /// Begins to fetch an image.
    /// - Parameters:
    ///   - manifest: the manifest for the platform, byte for byte.
    ///   - layers: as the manifest lists them.
    ///   - references: the names to give it: a tag, and the repository with the digest that the name had there.
    public func beginPull(
        config: [UInt8], manifest: (type: String, bytes: [UInt8]), layers: [Descriptor], references: [ImageReference]
    ) throws(StorageError) -> ImagePull {
        try storage("begin to fetch the image") {
            let parsed = try ImageConfig(parsing: config)
            let diffIDs = parsed.rootfs.diffIDs ?? []
            guard diffIDs.count == layers.count else {
                throw StorageError(
                    .invalidInput,
                    "the image's configuration lists \(diffIDs.count) layers, and its manifest \(layers.count)")
            }
            let image = NewImage(
                id: try ContentHash.digest(of: config), configBytes: config, diffIDs: diffIDs,
                blobs: layers.map(\.digest),
                manifest: manifest, parent: nil, references: references)
            return try ImagePull(self, image, layers: layers)
        }
    }

    /// What is needed to send an image elsewhere.
    public struct Parts: Sendable {
        public var image: Image
        public var manifest: Descriptor
        public var manifestBytes: [UInt8]
        public var config: Descriptor
        /// Lowest first; diff ID beside each.
        public var layers: [(blob: Descriptor, diffID: Digest)]
    }

    /// The parts of an image, with the manifest that it came with, or one made for it.
    public func parts(of text: String) throws(StorageError) -> Parts {
        try storage("read the image \(text)") {
            let image = try resolve(text)
            let (descriptor, bytes) = try manifest(of: image)
            let manifest = try Manifest(parsing: bytes)
            return Parts(
                image: image, manifest: descriptor, manifestBytes: bytes, config: manifest.config,
                layers: Array(zip(manifest.layers, image.config.rootfs.diffIDs ?? [])))
        }
    }

    /// Notes that a repository has an image under a digest.
    public func addDigest(_ reference: ImageReference, to id: Digest) throws(StorageError) {
        try context.write("note the digest of \(id)") { try self.name(id, reference, in: $0) }
    }

    /// The repositories in a registry that have an image with this blob, as far as names tell.
    public func repositories(with blob: Digest, in domain: String) throws(StorageError) -> [ImageReference] {
        try context.read("look for the repositories of a blob") { database in
            // Only a digest says that the image was there: a tag may have been given here.
            let names = try String.fetchAll(
                database,
                sql: """
                    SELECT DISTINCT imageNames.name FROM imageLayers JOIN imageNames USING (image)
                    WHERE imageLayers.blob = ? AND imageNames.name LIKE '%@%'
                    """, arguments: [blob.description])
            var seen: Set<String> = []
            return try names.map { try ImageReference($0).repository }
                .filter { $0.domain == domain && seen.insert($0.path).inserted }
        }
    }
}
