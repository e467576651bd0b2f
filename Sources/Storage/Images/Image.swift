import OCI

/// An image in the store.
public struct Image: Sendable, Equatable {
    /// The digest of its configuration.
    public var id: Digest
    public var config: ImageConfig
    /// The bytes of the configuration, as they came.
    public var configBytes: [UInt8]
    /// The top layer; `nil` for an image without layers.
    public var chainID: Digest?
    /// Names with tags, sorted.
    public var tags: [ImageReference]
    /// Names with digests, sorted.
    public var digests: [ImageReference]
    /// The image that this one was committed from.
    public var parent: Digest?
    /// The unpacked layers, in bytes.
    public var size: Int64
    public var platform: Platform
    /// From the configuration; `nil` when it has none.
    public var created: DateTime?
    /// When a name was last given to it.
    public var lastTagged: DateTime?
    /// The manifest it came with, or that was made for it.
    public var manifest: Descriptor?

    /// The name Docker shows: a tag, or the ID.
    public var displayName: String { tags.first?.familiarName ?? id.description }

    /// - Throws: `StorageError.platformMismatch` when the image's code does not run on `host`.
    public func requireRunnable(on host: Platform = .host) throws(StorageError) {
        guard !host.runs(platform), !platform.architecture.isEmpty else { return }
        throw StorageError(
            .platformMismatch,
            "the image \(displayName) is for \(platform), and this machine runs \(host); "
                + "load the image for \(host), or ask for --platform \(platform) where an emulator is installed")
    }
}

/// An image as `images` lists it.
public struct ImageSummary: Sendable, Equatable {
    public var image: Image
    /// Bytes of layers that other images have as well.
    public var sharedSize: Int64
    /// Bytes of layers that only this image has.
    public var uniqueSize: Int64
    /// Whether it has no tag.
    public var isDangling: Bool { image.tags.isEmpty }
    public var labels: [String: String] { image.config.config?.labels ?? [:] }
}

/// One line of `history`, the newest first.
public struct ImageHistoryItem: Sendable, Equatable {
    /// The image's ID on the first line; `nil` (`<missing>`) below.
    public var id: Digest?
    public var created: DateTime?
    public var createdBy: String
    public var comment: String
    /// In bytes; 0 for a step that made no layer.
    public var size: Int64
    public var tags: [ImageReference]
}

/// What `load` brought.
public struct LoadedImage: Sendable, Equatable {
    public var id: Digest
    /// The names it was given; empty for an image that came without.
    public var references: [ImageReference]

    public init(id: Digest, references: [ImageReference]) {
        self.id = id
        self.references = references
    }
}

/// How a load gets on.
public enum LoadProgress: Sendable, Equatable {
    /// Of a layer, by its diff ID or blob digest; bytes of the blob.
    case layer(id: Digest, current: Int64, total: Int64)
    /// A layer that was there already.
    case layerExists(id: Digest)
    case loaded(LoadedImage)
}

/// A container that uses an image.
public struct ImageUse: Sendable, Equatable {
    public var containerID: String
    public var isRunning: Bool

    public init(containerID: String, isRunning: Bool) {
        self.containerID = containerID
        self.isRunning = isRunning
    }
}

/// One line of what `rmi` did.
public enum ImageDeletion: Sendable, Equatable {
    /// A familiar name.
    case untagged(String)
    /// An image's ID or a layer's chain ID.
    case deleted(Digest)
}

/// How images are written.
public enum ImageArchiveFormat: Sendable {
    /// What `docker save` of version 25 and later writes: an OCI layout and a `manifest.json` in one tar.
    case dockerArchive
    /// An OCI layout in a tar.
    case ociArchive
}
