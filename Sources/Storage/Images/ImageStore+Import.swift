import Archive
import GRDB
import Hashing
import Kernel
import OCI

extension ImageStore {
    public struct ImportOptions: Sendable {
        public var reference: ImageReference?
        public var message = ""
        /// `--change` instructions, such as `CMD ["sh"]`.
        public var changes: [String] = []
        public var platform: Platform?

        public init() {}
    }

    /// Makes an image of one layer from a root file system's tar, compressed or not.
    /// - Throws: `StorageError.invalidInput` for a change that is none, or an archive that is none.
    public func importRootFileSystem(
        from archive: FileDescriptor, options: ImportOptions = ImportOptions()
    ) throws(StorageError) -> Digest {
        try storage("import the file system") {
            var config = ImageRunConfig()
            for change in options.changes { try config.apply(change: change) }
            var image = newConfig(platform: options.platform ?? .host, config: config)
            return try keep(
                on: nil, of: nil, reference: options.reference,
                writing: { ingest in
                    try Self.layer(from: archive).copy(to: ClosureSink { try ingest.write($0) })
                },
                describing: { layer in
                    image.rootfs.diffIDs = [layer.diffID]
                    var entry = ImageConfig.HistoryEntry()
                    entry.created = image.created
                    entry.comment = options.message.isEmpty ? "Imported from -" : options.message
                    image.history = [entry]
                    return image
                })
        }
    }

    /// The archive as it comes when a layer may be compressed so, and decompressed otherwise.
    private static func layer(from archive: FileDescriptor) throws -> any ByteSource {
        var head: [UInt8] = []
        while head.count < Compression.detectionLength {
            let more = try archive.read(count: Compression.detectionLength - head.count)
            if more.isEmpty { break }
            head += more
        }
        guard !head.isEmpty else { throw StorageError(.invalidInput, "the archive is empty") }
        let rest = DescriptorSource(archive)
        var pending = head[...]
        let whole = ClosureSource { buffer in
            guard !pending.isEmpty else { return try rest.read(into: buffer) }
            let count = min(pending.count, buffer.count)
            buffer.copyBytes(from: pending.prefix(count))
            pending = pending.dropFirst(count)
            return count
        }
        switch head.withUnsafeBytes({ Compression(detecting: $0) }) {
        case .none, .gzip, .zstd: return whole
        case .xz, .bzip2: return try DecompressingSource(whole)
        }
    }

    public struct CommitOptions: Sendable {
        public var reference: ImageReference?
        public var author = ""
        public var message = ""
        /// `--change` instructions.
        public var changes: [String] = []
        /// What the container ran with; becomes the image's `config` after `changes`.
        public var config: ImageRunConfig
        /// The image that the container was made from.
        public var parent: Digest?
        public var containerID: String

        public init(containerID: String, parent: Digest?, config: ImageRunConfig) {
            self.containerID = containerID
            self.parent = parent
            self.config = config
        }
    }

    /// Makes an image from a container's writable layer; the container should not run, or be paused.
    public func commit(_ options: CommitOptions) throws(StorageError) -> Digest {
        try storage("commit the container \(options.containerID)") {
            var config = options.config
            for change in options.changes { try config.apply(change: change) }
            let parent = try options.parent.map { id in try image(id) }
            let containers = ContainerLayers(context)
            let base = try containers.chainID(of: options.containerID)
            let difference = try containers.difference(options.containerID)
            var new = newConfig(platform: parent?.platform ?? .host, config: config)
            new.author = options.author.isEmpty ? nil : options.author
            new.comment = options.message.isEmpty ? nil : options.message
            new.container = options.containerID
            return try keep(
                on: base, of: parent, reference: options.reference,
                writing: { ingest in
                    let writer = TarWriter(ClosureSink { try ingest.write($0) })
                    try difference.write(to: writer)
                    try writer.finish()
                },
                describing: { layer in
                    new.rootfs.diffIDs = (parent?.config.rootfs.diffIDs ?? []) + [layer.diffID]
                    var entry = ImageConfig.HistoryEntry()
                    entry.created = new.created
                    entry.createdBy = ((config.entrypoint ?? []) + (config.cmd ?? [])).joined(separator: " ")
                    entry.author = new.author
                    entry.comment = new.comment
                    new.history = (parent?.config.history ?? []) + [entry]
                    return new
                })
        }
    }

    private func newConfig(platform: Platform, config: ImageRunConfig) -> ImageConfig {
        var image = ImageConfig()
        image.created = DateTime.now.description
        image.os = platform.os
        image.architecture = platform.architecture
        // Docker names a variant only where the architecture alone does not say it.
        image.variant = platform.architecture == "arm64" && platform.variant == "v8" ? nil : platform.variant
        image.config = config
        return image
    }

    /// Writes one new layer, and records an image with it on top.
    private func keep(
        on base: Digest?, of parent: Image?, reference: ImageReference?,
        writing: (ContentStore.Ingest) throws -> Void, describing: (Layer) throws -> ImageConfig
    ) throws -> Digest {
        guard reference?.digest == nil else {
            throw StorageError(.invalidInput, "cannot import digest reference")
        }
        var leases: [Leases.Lease] = []
        var brought: [Digest] = []
        do {
            let ingest = try context.content.ingest()
            try writing(ingest)
            let blob = try ingest.commit(expected: nil, expectedSize: nil) { digest in
                leases.append(context.leases.take(digest.description))
                brought.append(digest)
            }
            let (layer, lease) = try layers.add(blob: blob, on: base)
            leases.append(lease)
            let config = try describing(layer)
            let bytes = config.json.bytes()
            let row = NewImage(
                id: try ContentHash.digest(of: bytes), configBytes: bytes, diffIDs: config.rootfs.diffIDs ?? [],
                blobs: (try parent.map { try blobs(of: $0.id) } ?? []) + [blob], manifest: nil, parent: parent?.id,
                references: reference.map { [$0.withDefaultTag] } ?? [])
            try context.write("record the image") { try insert(row, in: $0) }
            withExtendedLifetime(leases) {}
            try context.flushing.added(context)
            return row.id
        } catch {
            leases = []
            _ = try? context.collectGarbage(blobs: brought)
            throw error
        }
    }
}
