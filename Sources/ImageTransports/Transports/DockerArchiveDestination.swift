import Kernel
import OCI
import Registry

/// `docker-archive:` as a destination: always a new file.
public actor DockerArchiveDestination: ImageDestination {
    public nonisolated let location: ImageLocation
    public nonisolated let acceptedManifests = [MediaType.dockerManifest]
    public nonisolated let layerPreference = LayerPreference.decompressed
    public nonisolated let acceptsForeignLayers = false
    public nonisolated let takesBlobsInOrder = true

    private let output: ArchiveOutput
    private let names: [ImageReference]
    private var writer: DockerArchiveWriter

    /// - Parameter tags: further names that the image gets.
    public init(path: String, name: ImageReference?, tags: [ImageReference]) throws {
        location = .dockerArchive(path: path, name.map { .reference($0) })
        output = try ArchiveOutput(
            path,
            occupied: "docker-archive doesn't support modifying existing images: remove \(path), or choose another name"
        )
        names = [name].compactMap(\.self) + tags
        writer = DockerArchiveWriter(output.file)
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

    public func commit() throws {
        try writer.finish()
        try output.commit()
    }

    public func abandon() { output.abandon() }
}
