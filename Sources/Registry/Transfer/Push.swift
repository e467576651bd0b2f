import NIOCore
import OCI

/// An image to be sent: its documents, and what its layers may be mounted from.
public struct OutgoingImage: Sendable {
    public var manifest: RemoteManifest
    public var config: Descriptor
    public var configBytes: [UInt8]
    /// Lowest first.
    public var layers: [Descriptor]
    /// Repositories that may have a blob already, the likeliest first.
    public var sources: [Digest: [ImageReference]]

    public init(
        manifest: RemoteManifest, config: Descriptor, configBytes: [UInt8], layers: [Descriptor],
        sources: [Digest: [ImageReference]] = [:]
    ) {
        self.manifest = manifest
        self.config = config
        self.configBytes = configBytes
        self.layers = layers
        self.sources = sources
    }
}

extension Repository {
    /// Sends an image: the layers side by side, then the configuration, then, when all it names is there, the manifest.
    public func push(
        _ image: OutgoingImage, as name: ManifestName, from reader: some BlobReader, report: @escaping TransferReport
    ) async throws {
        var seen: Set<Digest> = []
        // Layers that may not be passed on stay where their URLs say.
        let layers = image.layers.filter {
            seen.insert($0.digest).inserted && !($0.urls ?? []).contains { !$0.isEmpty }
        }
        for layer in layers { report(TransferProgress(layer, .pending)) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, layer) in layers.enumerated() {
                if number >= client.configuration.maximumUploads { report(TransferProgress(layer, .waiting)) }
                group.addTask {
                    try await self.push(layer, sources: image.sources[layer.digest] ?? [], from: reader, report)
                }
            }
            try await group.waitForAll()
        }
        _ = try await upload(image.config, from: MemoryReader(image.configBytes))
        try await put(image.manifest, as: name)
    }

    private func push(
        _ layer: Descriptor, sources: [ImageReference], from reader: some BlobReader, _ report: @escaping TransferReport
    ) async throws {
        let result = try await client.uploads.withSlot {
            let limiter = ReportLimiter()
            // Each is a question to the registry.
            return try await upload(layer, from: reader, mountingFrom: Array(sources.prefix(3))) { current in
                if limiter.isDue { report(TransferProgress(layer, .moving(current: current))) }
            }
        }
        switch result {
        case .existed: report(TransferProgress(layer, .existed))
        case .mounted(let source): report(TransferProgress(layer, .mounted(from: source)))
        case .sent: report(TransferProgress(layer, .done))
        }
    }
}

/// A blob that is in memory.
public struct MemoryReader: BlobReader {
    private let bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    public func open(_ blob: Descriptor, from offset: Int64) async throws -> BlobStream {
        let once = OneBuffer(ByteBuffer(bytes: bytes.dropFirst(Int(clamping: offset))))
        return BlobStream { once.take() }
    }
}
