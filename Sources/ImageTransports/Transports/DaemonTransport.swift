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
struct DaemonLoad: ArchiveTarget {
    let location: ImageLocation
    let client: EngineClient
    let file: FileDescriptor

    static func destination(
        _ location: ImageLocation, image: ImageLocation.DaemonImage, tags: [ImageReference], client: EngineClient
    ) throws -> DockerArchiveDestination {
        guard case .reference(let reference) = image else {
            throw TransportError(
                .invalidInput,
                "\(location): an image cannot be given its ID: name it, as \(location.transport):NAME:TAG")
        }
        let target = DaemonLoad(location: location, client: client, file: try SpoolFile.unnamedFile())
        return DockerArchiveDestination(location, names: [reference] + tags, target: target)
    }

    func commit() async throws {
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

    func abandon() {}
}
