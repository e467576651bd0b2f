import JSON
import OCI

// From the parts of an archive to the images in it.
extension ImageArchive {
    /// The images in the archive, each once, with all their names.
    /// - Parameter platform: which one to take of an index; `nil` takes the host's.
    func images(for platform: Platform?) throws -> [ArchivedImage] {
        var images: [ArchivedImage] = []
        if has(ImageLayout.fileName), let index = document(ImageLayout.indexName) {
            images = try storage("read \(ImageLayout.indexName)") {
                try layoutImages(Index(parsing: index), for: platform)
            }
        }
        if let manifest = document("manifest.json") {
            let listed = try storage("read manifest.json") { try dockerImages(manifest) }
            for image in listed {
                // The same image as in the index, whose names may be more.
                if let at = try images.firstIndex(where: { try $0.id == image.id }) {
                    for name in image.references where !images[at].references.contains(name) {
                        images[at].references.append(name)
                    }
                } else if images.isEmpty || !has(ImageLayout.fileName) {
                    images.append(image)
                }
            }
        } else if images.isEmpty, let repositories = document("repositories") {
            images = try storage("read repositories") { try legacyImages(repositories) }
        }
        guard !images.isEmpty else {
            throw StorageError(
                .invalidInput,
                "the archive holds no image: it has neither manifest.json, nor an OCI layout, nor repositories; "
                    + "a root file system is taken with import")
        }
        if let platform {
            for image in images where !platform.runs(image.config.platform) {
                throw StorageError(
                    .platformMismatch,
                    "the image in the archive is for \(image.config.platform), and \(platform) was asked for")
            }
        }
        return images
    }

    // MARK: OCI layout

    private func layoutImages(_ index: Index, for platform: Platform?) throws -> [ArchivedImage] {
        var images: [ArchivedImage] = []
        for descriptor in index.images {
            guard let image = try layoutImage(descriptor, for: platform, depth: 0) else { continue }
            let names = try Self.references(descriptor)
            if let at = try images.firstIndex(where: { try $0.id == image.id }) {
                images[at].references += names.filter { !images[at].references.contains($0) }
            } else {
                var image = image
                image.references = names
                images.append(image)
            }
        }
        return images
    }

    private func layoutImage(_ descriptor: Descriptor, for platform: Platform?, depth: Int) throws -> ArchivedImage? {
        guard depth < 4 else { throw StorageError(.invalidInput, "the archive's indexes nest deeper than 4 levels") }
        guard let bytes = try document(descriptor) else {
            throw StorageError(.invalidInput, "the archive lacks the document \(descriptor.digest) that it refers to")
        }
        let value = try JSONValue(parsing: bytes)
        let type = descriptor.mediaType ?? value["mediaType"]?.string
        if MediaType.isIndex(type) || (type == nil && value["manifests"] != nil) {
            return try layoutImage(choosing: Index(json: value), named: descriptor.digest, for: platform, depth: depth)
        }
        let manifest = try Manifest(json: value)
        // Artifacts that are no images (signatures, charts) have another configuration.
        guard MediaType.isConfig(manifest.config.mediaType) || manifest.config.mediaType == nil else { return nil }
        guard let config = try document(manifest.config) else {
            throw StorageError(.invalidInput, "the archive lacks the image's configuration \(manifest.config.digest)")
        }
        var blobs: [Digest] = []
        for layer in manifest.layers {
            guard MediaType.isLayer(layer.mediaType) || layer.mediaType == nil else {
                throw StorageError(
                    .notSupported, "the image has a layer of type \(layer.mediaType ?? ""), which cannot be unpacked")
            }
            guard let blob = blob(ImageLayout.blobPath(layer.digest)) else {
                throw StorageError(.invalidInput, "the archive lacks the layer \(layer.digest)")
            }
            blobs.append(blob)
        }
        return try image(
            config, blobs: blobs,
            manifest: (manifest.mediaType ?? type ?? MediaType.ociManifest, bytes), references: [])
    }

    private func layoutImage(
        choosing index: Index, named digest: Digest, for platform: Platform?, depth: Int
    ) throws -> ArchivedImage? {
        // Of a partial copy only the manifests that are there can be taken.
        var present = index
        present.manifests = index.images.filter { has(ImageLayout.blobPath($0.digest)) }
        guard let chosen = present.manifest(for: platform ?? .host) else {
            let platforms = index.images.compactMap { $0.platform?.description }.joined(separator: ", ")
            throw StorageError(
                .platformMismatch,
                "the image index \(digest) has no image for \(platform ?? .host) in the archive; it lists: "
                    + "\(platforms.isEmpty ? "none" : platforms)")
        }
        return try layoutImage(chosen, for: platform, depth: depth + 1)
    }

    private static func references(_ descriptor: Descriptor) throws -> [ImageReference] {
        if let name = descriptor.annotations?[Annotation.containerdImageName] {
            return [try ImageReference(name).withDefaultTag]
        }
        // A bare word is a tag of a name that is written nowhere.
        guard let name = descriptor.annotations?[Annotation.referenceName],
            name.contains("/") || name.contains(":"), let reference = try? ImageReference(name)
        else { return [] }
        return [reference.withDefaultTag]
    }

    // MARK: docker-archive

    private func dockerImages(_ bytes: [UInt8]) throws -> [ArchivedImage] {
        var images: [ArchivedImage] = []
        for entry in try [DockerArchiveEntry](json: JSONValue(parsing: bytes)) {
            guard let config = document(entry.config) else {
                throw StorageError(.invalidInput, "the archive lacks the image's configuration \"\(entry.config)\"")
            }
            if entry.config.hasPrefix("blobs/") {
                let parts = entry.config.split(separator: "/")
                if parts.count == 3 { try Self.check(config, Digest("\(parts[1]):\(parts[2])")) }
            }
            let blobs = try (entry.layers ?? []).map { path in
                guard let blob = blob(path) else {
                    throw StorageError(.invalidInput, "the archive lacks the layer \"\(path)\"")
                }
                return blob
            }
            let references = try (entry.repoTags ?? []).map { try ImageReference($0).withDefaultTag }
            let image = try image(config, blobs: blobs, manifest: nil, references: references)
            if let at = try images.firstIndex(where: { try $0.id == image.id }) {
                images[at].references += references
            } else {
                images.append(image)
            }
        }
        return images
    }

    private func image(
        _ bytes: [UInt8], blobs: [Digest], manifest: (type: String, bytes: [UInt8])?, references: [ImageReference]
    ) throws -> ArchivedImage {
        let config = try storage("read the image's configuration") { try ImageConfig(parsing: bytes) }
        guard config.os.isEmpty || config.os == "linux" else {
            throw StorageError(.platformMismatch, "cannot load \(config.os) image on linux")
        }
        let diffIDs = config.rootfs.diffIDs ?? []
        guard diffIDs.count == blobs.count else {
            throw StorageError(
                .invalidInput,
                "the image's configuration lists \(diffIDs.count) layers, and its manifest \(blobs.count)")
        }
        return ArchivedImage(
            configBytes: bytes, config: config, blobs: blobs, manifest: manifest, references: references)
    }
}

/// One image in `manifest.json`.
struct DockerArchiveEntry: JSONRecord {
    var config = ""
    var repoTags: [String]?
    var layers: [String]?
    var unknownMembers = JSONObject()

    mutating func members(_ json: inout JSONMembers) {
        json.required("Config", &config)
        json.nullable("RepoTags", &repoTags)
        json.nullable("Layers", &layers)
    }
}

// MARK: Archives of Docker before 1.10

extension ImageArchive {
    /// `repositories` names the top layer of each image; every layer has a folder with its own configuration, which
    /// names the one below it.
    private func legacyImages(_ bytes: [UInt8]) throws -> [ArchivedImage] {
        var images: [ArchivedImage] = []
        let repositories = try [String: [String: String]](json: JSONValue(parsing: bytes))
        for (repository, tags) in repositories.sorted(by: { $0.key < $1.key }) {
            for (tag, id) in tags.sorted(by: { $0.key < $1.key }) {
                let reference = try ImageReference(repository).tagged(tag)
                let image = try legacyImage(id)
                if let at = try images.firstIndex(where: { try $0.id == image.id }) {
                    images[at].references.append(reference)
                } else {
                    images.append(image)
                    images[images.count - 1].references = [reference]
                }
            }
        }
        return images
    }

    private func legacyImage(_ top: String) throws -> ArchivedImage {
        var blobs: [Digest] = []
        var history: [ImageConfig.HistoryEntry] = []
        var next: String? = top
        var config: JSONObject?
        while let id = next {
            guard blobs.count < 512 else { throw StorageError(.invalidInput, "the image has more than 512 layers") }
            guard let bytes = document("\(id)/json"), case .object(let step) = try JSONValue(parsing: bytes) else {
                throw StorageError(.invalidInput, "the archive lacks \"\(id)/json\"")
            }
            guard let blob = blob("\(id)/layer.tar") else {
                throw StorageError(.invalidInput, "the archive lacks the layer \"\(id)/layer.tar\"")
            }
            blobs.append(blob)
            var entry = ImageConfig.HistoryEntry()
            entry.created = step["created"]?.string
            entry.author = step["author"]?.string
            entry.comment = step["comment"]?.string
            entry.createdBy = step["container_config"]?["Cmd"]?.array?.compactMap(\.string).joined(separator: " ")
            history.append(entry)
            config = config ?? step
            next = step["parent"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        }
        guard var config else { throw StorageError(.invalidInput, "the image has no layers") }
        for name in ["id", "parent", "Size", "parent_id", "layer_id", "throwaway"] { config[name] = nil }
        // Layers of this age are not compressed: the blob's digest is the diff ID.
        config["rootfs"] = ImageConfig.RootFS(diffIDs: blobs.reversed()).json
        config["history"] = Array(history.reversed()).json
        return try image(JSONValue.object(config).bytes(), blobs: blobs.reversed(), manifest: nil, references: [])
    }
}
