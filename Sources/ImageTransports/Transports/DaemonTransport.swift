import EngineClient
import JSON
import Kernel
import OCI
import Registry

/// `docker-daemon:` and `dhow:` as sources: what `docker save` gives, read like an archive.
public struct DaemonSource: ImageSource {
    public var location: ImageLocation { archive.location }
    private let archive: DockerArchiveSource

    public init(_ location: ImageLocation, image: ImageLocation.DaemonImage, client: EngineClient) async throws {
        let name =
            switch image {
            case .id(let digest): "\(digest)"
            case .reference(let reference): reference.familiarName
            }
        let file = try SpoolFile.unnamedFile()
        do {
            let stream = try await client.stream(.init("GET", "/images/\(name)/get"))
            while let buffer = try await stream.next() { try file.append(buffer) }
        } catch let error as EngineClientError {
            throw TransportError(
                error.status == 404 ? .notFound : .system, "\(location): loading image from the daemon: \(error)")
        }
        archive = try await DockerArchiveSource(location, path: file.procPath, selection: nil)
    }

    public func manifest(_ digest: Digest?) throws -> RemoteManifest { try archive.manifest(digest) }
    public func open(_ blob: Descriptor, from offset: Int64) async throws -> BlobStream {
        try await archive.open(blob, from: offset)
    }
}

/// `docker-daemon:` and `dhow:` as destinations: an archive for `docker load`.
public actor DaemonDestination: ImageDestination {
    public nonisolated let location: ImageLocation
    public nonisolated let acceptedManifests = [MediaType.dockerManifest]
    public nonisolated let layerPreference = LayerPreference.decompressed
    public nonisolated let acceptsForeignLayers = false
    public nonisolated let takesBlobsInOrder = true

    private let client: EngineClient
    private let file: FileDescriptor
    private let names: [ImageReference]
    private var writer: DockerArchiveWriter

    public init(
        _ location: ImageLocation, image: ImageLocation.DaemonImage, tags: [ImageReference], client: EngineClient
    ) throws {
        guard case .reference(let reference) = image else {
            throw TransportError(
                .invalidInput,
                "\(location): an image cannot be given its ID: name it, as \(location.transport):NAME:TAG")
        }
        self.location = location
        self.client = client
        file = try SpoolFile.unnamedFile()
        names = [reference] + tags
        writer = DockerArchiveWriter(file)
    }

    public func has(_ blob: Descriptor, from other: ImageReference?) -> Bool { writer.contains(blob.digest) }

    public func put(_ blob: OutgoingBlob) async throws -> Descriptor {
        // Nobody else writes meanwhile: blobs come in order.
        var writer = writer
        let result = try await writer.add(blob)
        self.writer = writer
        return result
    }

    public func put(_ manifest: RemoteManifest, isPart: Bool) throws {
        try writer.add(parsed(manifest, in: "\(location)"), names: names)
    }

    public func commit() async throws {
        try writer.finish()
        let size = try file.status().size
        _ = try file.seek(to: 0)
        do {
            let stream = try await client.upload(
                .init("POST", "/images/load", [("quiet", "1")]), from: file.rawValue, length: Int(size))
            for try await document in stream.documents {
                if let error = document["error"]?.string {
                    throw TransportError(.system, "\(location): the daemon did not load the image: \(error)")
                }
            }
        } catch let error as EngineClientError {
            throw TransportError(.system, "\(location): the daemon did not load the image: \(error)")
        }
        withExtendedLifetime(file) {}
    }

    public func abandon() {}
}
