import Kernel
import OCI
import Registry

/// What an archive becomes when it is complete.
protocol ArchiveTarget: Sendable {
    /// To write the archive into.
    var file: FileDescriptor { get }
    func commit() async throws
    func abandon()
}

/// `docker-archive:` as a destination: always a new file; and what is loaded into daemons.
public actor DockerArchiveDestination: ImageDestination {
    public nonisolated let location: ImageLocation
    public nonisolated let acceptedManifests = [MediaType.dockerManifest]
    public nonisolated let layerPreference = LayerPreference.decompressed
    public nonisolated let acceptsForeignLayers = false
    public nonisolated let takesBlobsInOrder = true

    private let target: any ArchiveTarget
    private let names: [ImageReference]
    private var writer: DockerArchiveWriter

    /// - Parameter tags: further names that the image gets.
    public init(path: String, name: ImageReference?, tags: [ImageReference]) throws {
        let occupied =
            "docker-archive doesn't support modifying existing images: remove \(path), or choose another name"
        self.init(
            .dockerArchive(path: path, name.map { .reference($0) }),
            names: [name].compactMap(\.self) + tags, target: try ArchiveOutput(path, occupied: occupied))
    }

    init(_ location: ImageLocation, names: [ImageReference], target: any ArchiveTarget) {
        self.location = location
        self.names = names
        self.target = target
        writer = DockerArchiveWriter(target.file)
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
        guard !isPart, !manifest.isIndex else {
            throw TransportError(
                .notSupported, "a docker-archive holds no lists of images for several platforms: choose one of them")
        }
        try writer.add(parsed(manifest, in: "\(location)"), names: names)
    }

    public func commit() async throws {
        try writer.finish()
        try await target.commit()
    }

    public func abandon() { target.abandon() }
}
