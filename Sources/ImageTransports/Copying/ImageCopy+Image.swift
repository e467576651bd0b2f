import Archive
import Hashing
import JSON
import OCI
import Registry
import Synchronization

extension ImageCopy {
    /// Copies what a manifest names.
    /// - Returns: the manifest that describes it at the destination, which is not there yet.
    func copyImage(_ document: RemoteManifest) async throws -> RemoteManifest {
        var manifest = try parsed(document, in: "\(source.location)")
        let own = ManifestFamily(document.mediaType)
        let isArtifact = own == .oci && manifest.config.mediaType != MediaType.ociConfig
        let family =
            isArtifact
            ? own : try targetFamily(of: document.mediaType, needsZstd: options.compression == .zstd)
        if isArtifact, !destination.acceptedManifests.isEmpty,
            !destination.acceptedManifests.contains(MediaType.ociManifest)
        {
            throw TransportError(
                .notSupported,
                "\(source.location) is no image to run containers from, but an artifact of type "
                    + "\(manifest.config.mediaType ?? "unknown"), which \(destination.location) cannot hold")
        }
        let copied = try await copyLayers(of: manifest, isFree: !isArtifact)
        for (number, blob) in copied.enumerated() {
            guard let blob else { continue }
            manifest.layers[number].digest = blob.digest
            manifest.layers[number].size = blob.size
            if blob.compression != nil || family != own {
                manifest.layers[number].mediaType = try layerType(
                    of: manifest.layers[number], blob.compression, in: family)
            }
        }
        for (number, layer) in manifest.layers.enumerated() where copied[number] == nil && family != own {
            manifest.layers[number].mediaType = try layerType(of: layer, nil, in: family)
        }
        let isChanged = family != own || copied.contains { $0?.compression != nil }
        if isChanged { try refuseChange("the manifest", of: document) }
        try await copyConfig(of: &manifest, from: own, to: family)
        guard isChanged else { return document }
        let bytes = manifest.bytes(family)
        return RemoteManifest(mediaType: family.manifestType, bytes: bytes, digest: try ContentHash.digest(of: bytes))
    }

    private func layerType(
        of layer: Descriptor, _ compression: LayerKind.Compression?, in family: ManifestFamily
    ) throws(TransportError) -> String {
        guard var kind = LayerKind(layer.mediaType) else {
            throw TransportError(
                .notSupported,
                "\(source.location): a layer has the type \"\(layer.mediaType ?? "")\", which cannot be converted")
        }
        if let compression { kind.compression = compression }
        guard let type = family.layerType(kind) else {
            throw TransportError(
                .notSupported,
                "\(source.location): zstd compression is not supported for docker images: ask for --format oci, or for "
                    + "--dest-compress-format gzip")
        }
        return type
    }

    /// The configuration, in the family's form.
    private func copyConfig(
        of manifest: inout Manifest, from own: ManifestFamily, to family: ManifestFamily
    ) async throws {
        let config = manifest.config
        report("Copying config \(config.digest)")
        guard own == .docker, family == .oci else {
            if family != own { manifest.config.mediaType = family.configType }
            _ = try await copied(config, isConfig: true, isFree: false).value
            return
        }
        let bytes = try ociConfiguration(try await source.bytes(of: config)).bytes(GoJSON.compact)
        let descriptor = Descriptor(
            mediaType: MediaType.ociConfig, digest: try ContentHash.digest(of: bytes), size: Int64(bytes.count))
        manifest.config = descriptor
        guard try await !destination.has(descriptor, from: nil) else { return }
        _ = try await destination.put(
            OutgoingBlob(descriptor: descriptor, isConfig: true) { offset in .of(Array(bytes.dropFirst(Int(offset)))) })
    }

    // MARK: Blobs

    /// - Parameter isFree: whether layers may be recompressed.
    /// - Returns: for each layer what became of it; `nil` for one that stays where it is.
    private func copyLayers(of manifest: Manifest, isFree: Bool) async throws -> [CopiedBlob?] {
        var result = [CopiedBlob?](repeating: nil, count: manifest.layers.count)
        try await withThrowingTaskGroup(of: (Int, CopiedBlob).self) { group in
            let limit = destination.takesBlobsInOrder ? 1 : max(options.parallelBlobs, 1)
            var running = 0
            for (number, layer) in manifest.layers.enumerated() {
                if destination.acceptsForeignLayers, layer.urls?.contains(where: { !$0.isEmpty }) == true { continue }
                if running == limit, let (done, blob) = try await group.next() {
                    result[done] = blob
                    running -= 1
                }
                running += 1
                group.addTask {
                    let task = await copied(layer, isConfig: false, isFree: isFree)
                    return try await withTaskCancellationHandler {
                        (number, try await task.value)
                    } onCancel: {
                        task.cancel()
                    }
                }
            }
            for try await (done, blob) in group { result[done] = blob }
        }
        return result
    }

    private func copied(_ blob: Descriptor, isConfig: Bool, isFree: Bool) async -> Task<CopiedBlob, any Error> {
        await blobs.copy(blob.digest) {
            if !isConfig { report("Copying blob \(blob.digest)") }
            var attempt = 0
            while true {
                do { return try await copyBlob(blob, isConfig: isConfig, isFree: isFree) } catch let error
                    as TransportError
                {
                    guard error.code == .interrupted, attempt < options.retries else { throw error }
                    attempt += 1
                }
            }
        }
    }

    private func copyBlob(_ blob: Descriptor, isConfig: Bool, isFree: Bool) async throws -> CopiedBlob {
        guard blob.size >= 0 else {
            throw TransportError(.invalidImage, "\(source.location): the blob \(blob.digest) has a negative size")
        }
        let kind = isConfig || !isFree ? nil : LayerKind(blob.mediaType)
        let mayReuse = kind == nil || options.compression.flatMap { $0.kind } ?? kind?.compression == kind?.compression
        if mayReuse, try await destination.has(blob, from: source.repository) {
            return CopiedBlob(digest: blob.digest, size: blob.size)
        }
        guard let kind else { return try await pass(blob, isConfig: isConfig) }
        let preference = options.layers ?? destination.layerPreference
        if preference == .unchanged { return try await pass(blob, isConfig: false) }
        // What is to be recompressed waits before it opens anything: a connection would not wait as long.
        let changes = preference == .decompressed ? kind.compression != .none : !mayReuse || kind.compression == .none
        guard changes else { return try await recode(blob, kind, preference) }
        return try await recodings.withSlot { try await recode(blob, kind, preference) }
    }

    private func recode(
        _ blob: Descriptor, _ kind: LayerKind, _ preference: LayerPreference
    ) async throws -> CopiedBlob {
        // The content decides: what a manifest says of a layer's compression is not always so.
        let sniffed = try await SniffedStream(source.open(blob, from: 0))
        let (recoding, compression) = recoding(from: sniffed.compression, preference)
        guard recoding != .none else {
            let first = Mutex<BlobStream?>(sniffed.stream)
            var copied = try await put(
                OutgoingBlob(descriptor: plain(blob)) { offset in
                    let begun = first.withLock { stream in
                        defer { stream = nil }
                        return offset == 0 ? stream : nil
                    }
                    if let begun { return begun }
                    return try await source.open(blob, from: offset)
                }, blob)
            if let compression, compression != kind.compression { copied.compression = compression }
            return copied
        }
        var copied = try await put(OutgoingBlob(descriptor: nil) { _ in recoding.apply(to: sniffed.stream) }, blob)
        copied.compression = compression
        return copied
    }

    /// What to do with a layer, and what it is after that; `nil` where no media type says so.
    private func recoding(
        from found: Compression, _ preference: LayerPreference
    ) -> (Recoding, LayerKind.Compression?) {
        switch preference {
        case .unchanged: return (.none, found.kind)
        case .decompressed:
            return found == .none ? (.none, LayerKind.Compression.none) : (.decompress, LayerKind.Compression.none)
        case .compressed:
            let wanted = options.compression ?? (found == .none ? .gzip : found)
            if wanted == found { return (.none, found.kind) }
            // zlib's usual 6 takes twice the time of 4 for 3 % less.
            let level = options.compressionLevel ?? (wanted == .gzip ? 4 : nil)
            return (.compress(wanted, level: level), wanted.kind)
        }
    }

    private func pass(_ blob: Descriptor, isConfig: Bool) async throws -> CopiedBlob {
        try await put(
            OutgoingBlob(descriptor: plain(blob), isConfig: isConfig) { offset in
                try await source.open(blob, from: offset)
            }, blob)
    }

    private func put(_ outgoing: OutgoingBlob, _ blob: Descriptor) async throws -> CopiedBlob {
        do {
            let result = try await destination.put(outgoing)
            return CopiedBlob(digest: result.digest, size: result.size)
        } catch let error as ArchiveError {
            throw TransportError(.invalidImage, "\(source.location): the layer \(blob.digest): \(error)")
        }
    }

    /// Without what only the manifest needs.
    private func plain(_ blob: Descriptor) -> Descriptor {
        Descriptor(mediaType: blob.mediaType, digest: blob.digest, size: blob.size)
    }
}

extension Compression {
    /// As media types know it.
    var kind: LayerKind.Compression? {
        switch self {
        case .none: LayerKind.Compression.none
        case .gzip: .gzip
        case .zstd: .zstd
        case .xz, .bzip2: nil
        }
    }
}
