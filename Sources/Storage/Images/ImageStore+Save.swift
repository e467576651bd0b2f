import Archive
import Hashing
import JSON
import Kernel
import OCI

extension ImageStore {
    /// Writes images into an archive.
    /// - Parameter names: what `resolve` finds; a name with a tag is saved with that tag, a repository with all of its
    ///   tags, an ID with none.
    public func save(
        _ names: [String], to output: FileDescriptor, format: ImageArchiveFormat = .dockerArchive,
        platform: Platform? = nil
    ) throws(StorageError) {
        try storage("save images") {
            let layout = try layout(of: names, format: format, platform: platform)
            let writer = TarWriter(DescriptorSink(output))
            var folders: Set<String> = []
            for part in layout {
                // Every folder once, before what lies in it.
                var folder = ""
                for component in part.path.split(separator: "/").dropLast() {
                    folder += folder.isEmpty ? "\(component)" : "/\(component)"
                    if folders.insert(folder).inserted { try writer.add(TarEntry(path: folder, kind: .directory)) }
                }
                var entry = TarEntry(path: part.path, kind: .file, mode: 0o444)
                switch part.content {
                case .bytes(let bytes):
                    entry.size = Int64(bytes.count)
                    try writer.add(entry, content: bytes)
                case .blob(let digest, let size):
                    entry.size = size
                    try writer.add(entry, content: DescriptorSource(context.content.open(digest)))
                }
            }
            try writer.finish()
        }
    }

    /// Writes images as an OCI layout into a directory, which is made where it is missing.
    public func saveLayout(
        _ names: [String], to directory: String, platform: Platform? = nil
    ) throws(StorageError) {
        try storage("save images to \(directory)") {
            let here = FileDescriptor.currentDirectory
            for part in try layout(of: names, format: .ociArchive, platform: platform) {
                let path = "\(directory)/\(part.path)"
                let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
                    separator: "/")
                try here.makeDirectories(folder)
                switch part.content {
                case .bytes(let bytes): try here.replaceFile(path, with: bytes)
                case .blob(let digest, _):
                    let temporary = "\(path).part"
                    let file = try FileDescriptor.open(temporary, [.writeOnly, .create, .truncate], mode: 0o644)
                    do {
                        try file.copyContents(of: context.content.open(digest))
                        try file.close()
                        try here.rename(temporary, to: path)
                    } catch {
                        try? here.unlinkIfPresent(temporary)
                        throw error
                    }
                }
            }
        }
    }
}

/// A file of an image layout.
private struct LayoutPart {
    enum Content {
        case bytes([UInt8])
        case blob(Digest, size: Int64)
    }
    var path: String
    var content: Content
}

extension ImageStore {
    /// The files of a layout with the images, in the order in which they are written: the same images give the same
    /// bytes.
    private func layout(
        of names: [String], format: ImageArchiveFormat, platform: Platform?
    ) throws -> [LayoutPart] {
        var blobs: [Digest: LayoutPart.Content] = [:]
        var index = Index()
        index.mediaType = MediaType.ociIndex
        var entries: [DockerArchiveEntry] = []
        var repositories: [String: [String: String]] = [:]
        for (image, tags) in try imagesToSave(names, platform: platform) {
            let (manifest, bytes) = try manifest(of: image, contents: &blobs)
            blobs[manifest.digest] = .bytes(bytes)
            blobs[image.id] = .bytes(image.configBytes)
            for tag in tags.isEmpty ? [nil] : tags.map(Optional.some) {
                var descriptor = manifest
                if let tag {
                    descriptor.annotations = [
                        Annotation.containerdImageName: tag.canonicalName,
                        // What tools that only know the specification look at: skopeo takes a whole name as well.
                        Annotation.referenceName: tag.tag ?? "",
                    ]
                }
                descriptor.platform = image.platform
                index.manifests.append(descriptor)
            }
            var entry = DockerArchiveEntry()
            entry.config = ImageLayout.blobPath(image.id)
            entry.repoTags = tags.isEmpty ? nil : tags.map(\.familiarName)
            entry.layers = try Manifest(parsing: bytes).layers.map { ImageLayout.blobPath($0.digest) }
            entries.append(entry)
            for tag in tags {
                repositories[tag.familiarRepository, default: [:]][tag.tag ?? ""] = image.id.hex
            }
        }
        var parts = blobs.map { LayoutPart(path: ImageLayout.blobPath($0.key), content: $0.value) }
            .sorted { $0.path < $1.path }
        parts.append(LayoutPart(path: ImageLayout.indexName, content: .bytes(index.json.bytes())))
        if format == .dockerArchive {
            parts.append(LayoutPart(path: "manifest.json", content: .bytes(entries.json.bytes())))
        }
        parts.append(LayoutPart(path: ImageLayout.fileName, content: .bytes(ImageLayout().json.bytes())))
        if format == .dockerArchive, !repositories.isEmpty {
            parts.append(LayoutPart(path: "repositories", content: .bytes(repositories.json.bytes())))
        }
        return parts
    }

    /// The images that `names` mean, each once, with the tags under which they were asked for.
    private func imagesToSave(_ names: [String], platform: Platform?) throws -> [(Image, [ImageReference])] {
        var result: [(image: Image, tags: [ImageReference])] = []
        func add(_ image: Image, _ tags: [ImageReference]) {
            if let at = result.firstIndex(where: { $0.image.id == image.id }) {
                result[at].tags += tags.filter { !result[at].tags.contains($0) }
            } else {
                result.append((image, tags))
            }
        }
        for name in names {
            let reference = Self.fullID(name) == nil ? try? ImageReference(name) : nil
            if let reference, reference.tag == nil, reference.digest == nil {
                // A bare repository means all of its tags.
                let tagged = try list().map(\.image).compactMap { image in
                    let tags = image.tags.filter { $0.name == reference.name }
                    return tags.isEmpty ? nil : (image, tags)
                }
                if !tagged.isEmpty {
                    for (image, tags) in tagged {
                        if let platform { _ = try resolve(image.id.description, platform: platform) }
                        add(image, tags)
                    }
                    continue
                }
            }
            let image = try resolve(name, platform: platform)
            add(image, image.tags.filter { $0 == reference })
        }
        guard !result.isEmpty else { throw StorageError(.invalidInput, "no image was named to be saved") }
        return result
    }

    /// The manifest an image came with, or one made from what is kept of its layers.
    func manifest(of image: Image) throws -> (Descriptor, [UInt8]) {
        var contents: [Digest: LayoutPart.Content] = [:]
        return try manifest(of: image, contents: &contents)
    }

    private func manifest(
        of image: Image, contents: inout [Digest: LayoutPart.Content]
    ) throws -> (Descriptor, [UInt8]) {
        var layers: [Descriptor] = []
        for blob in try blobs(of: image.id) {
            guard let size = try context.content.size(of: blob) else {
                throw StorageError(
                    .notFound,
                    "the blob \(blob) of the image \(image.displayName) is not in the content store; load it again")
            }
            contents[blob] = .blob(blob, size: size)
            layers.append(Descriptor(mediaType: try mediaType(of: blob), digest: blob, size: size))
        }
        if let bytes = try manifestBytes(of: image.id), let descriptor = image.manifest { return (descriptor, bytes) }
        var manifest = Manifest()
        manifest.mediaType = MediaType.ociManifest
        manifest.config = Descriptor(
            mediaType: MediaType.ociConfig, digest: image.id, size: Int64(image.configBytes.count))
        manifest.layers = layers
        let bytes = manifest.json.bytes()
        return (
            Descriptor(
                mediaType: MediaType.ociManifest, digest: try ContentHash.digest(of: bytes), size: Int64(bytes.count)),
            bytes
        )
    }

    private func mediaType(of blob: Digest) throws -> String {
        let head = try context.content.open(blob).read(count: Compression.detectionLength)
        let compression = head.withUnsafeBytes { Compression(detecting: $0) }
        return MediaType.ociLayer + compression.mediaTypeSuffix
    }
}
