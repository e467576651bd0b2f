import Hashing
import JSON
import Kernel
import OCI
import Registry

/// `docker-archive:` as a source: what `docker save`, skopeo and others write.
///
/// The archive has no manifest in today's sense, so one is made of what it has: its layers go by the digests of their
/// uncompressed bytes.
public struct DockerArchiveSource: ImageSource {
    public let location: ImageLocation
    private let tar: TarIndex
    private let document: RemoteManifest
    private let configBytes: [UInt8]
    private let configDigest: Digest
    private let layers: [Digest: TarIndex.Part]

    /// - Parameter path: where the archive really is, when that is not where `location` says. Blocks.
    public init(_ location: ImageLocation, path: String, selection: ImageLocation.ArchiveSelection?) async throws {
        self.location = location
        let place = "\(location)"
        tar = try TarIndex(path)
        let item = try Self.item(selection, of: Self.items(tar, place), place)
        guard let configName = item["Config"]?.string, let bytes = try tar.bytes(configName, limit: manifestLimit)
        else {
            throw TransportError(.invalidImage, "\(place): the image's configuration is not in the archive")
        }
        configBytes = bytes
        configDigest = try ContentHash.digest(of: bytes)
        let config: ImageConfig
        do throws(JSONError) { config = try ImageConfig(parsing: bytes) } catch {
            throw TransportError(.invalidImage, "\(place): the image's configuration is none: \(error)")
        }
        let names = (item["Layers"]?.array ?? []).compactMap(\.string)
        let diffIDs = config.rootfs.diffIDs ?? []
        guard names.count == diffIDs.count else {
            throw TransportError(
                .invalidImage,
                "\(place): Inconsistent layer count: \(names.count) in manifest, \(diffIDs.count) in config")
        }
        var parts: [Digest: TarIndex.Part] = [:]
        var manifest = Manifest()
        manifest.config = Descriptor(mediaType: MediaType.dockerConfig, digest: configDigest, size: Int64(bytes.count))
        var sizes: [Digest: Int64] = [:]
        for (name, diffID) in zip(names, diffIDs) {
            if sizes[diffID] == nil {
                guard let part = tar.part(name) else {
                    throw TransportError(.notFound, "\(place): the layer \"\(name)\" is missing in the archive")
                }
                parts[diffID] = part
                sizes[diffID] = try await Self.plainSize(of: part, in: tar)
            }
            // The type that containers/image gives them, whatever they are.
            manifest.layers.append(
                Descriptor(mediaType: MediaType.dockerLayerGzip, digest: diffID, size: sizes[diffID] ?? 0))
        }
        layers = parts
        document = try RemoteManifest(manifest.bytes(.docker), expected: nil, in: place)
    }

    /// How long a layer is when it is decompressed, which some writers leave to the reader.
    private static func plainSize(of part: TarIndex.Part, in tar: TarIndex) async throws -> Int64 {
        let sniffed = try await SniffedStream(tar.stream(part))
        if sniffed.compression == .none { return part.size }
        var size: Int64 = 0
        for try await buffer in Recoding.decompress.apply(to: sniffed.stream) { size += Int64(buffer.readableBytes) }
        return size
    }

    /// All names in an archive. Blocks.
    public static func tags(_ path: String) throws -> [String] {
        try items(TarIndex(path), "docker-archive:\(path)").flatMap {
            ($0["RepoTags"]?.array ?? []).compactMap(\.string)
        }
    }

    private static func items(_ tar: TarIndex, _ place: String) throws -> [JSONValue] {
        guard let bytes = try tar.bytes("manifest.json", limit: manifestLimit) else {
            throw TransportError(
                .invalidImage, "\(place): there is no manifest.json in it: it is no archive of docker save")
        }
        guard let items = (try? JSONValue(parsing: bytes))?.array else {
            throw TransportError(.invalidImage, "\(place): its manifest.json is no JSON list")
        }
        return items
    }

    private static func item(
        _ selection: ImageLocation.ArchiveSelection?, of items: [JSONValue], _ place: String
    ) throws(TransportError) -> JSONValue {
        switch selection {
        case .index(let index):
            guard items.indices.contains(index) else {
                throw TransportError(
                    .notFound, "\(place): Invalid source index @\(index), only \(items.count) manifest items available")
            }
            return items[index]
        case .reference(let reference):
            for item in items {
                for tag in item["RepoTags"]?.array ?? [] {
                    if let name = tag.string, let known = try? ImageReference(name), known == reference { return item }
                }
            }
            throw TransportError(.notFound, "\(place): Tag \"\(reference.canonicalName)\" not found")
        case nil:
            guard items.count == 1, let item = items.first else {
                throw TransportError(
                    .invalidInput,
                    "\(place): Unexpected tar manifest.json: expected 1 item, got \(items.count); say which by :NAME:TAG or "
                        + ":@INDEX")
            }
            return item
        }
    }

    public func manifest(_ digest: Digest?) throws -> RemoteManifest {
        guard digest == nil || digest == document.digest else {
            throw TransportError(.notFound, "\(location): there is no manifest \(digest.map { "\($0)" } ?? "")")
        }
        return document
    }

    public func open(_ blob: Descriptor, from offset: Int64) async throws -> BlobStream {
        if blob.digest == configDigest { return .of(Array(configBytes.dropFirst(Int(clamping: offset)))) }
        guard let part = layers[blob.digest] else {
            throw TransportError(.notFound, "\(location): Unknown blob \(blob.digest)")
        }
        let sniffed = try await SniffedStream(tar.stream(part))
        if sniffed.compression == .none {
            return offset == 0 ? sniffed.stream.verified(as: blob, at: "\(location)") : tar.stream(part, from: offset)
        }
        let plain = Recoding.decompress.apply(to: sniffed.stream).verified(as: blob, at: "\(location)")
        return plain.dropping(offset)
    }
}
