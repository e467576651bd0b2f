import NIOCore
import OCI
import Registry
import Synchronization

/// `docker://` as a source.
public struct RegistrySource: ImageSource {
    public let location: ImageLocation
    public let registry: Repository
    private let name: ManifestName

    public init(_ registry: Repository, _ reference: ImageReference) {
        location = .registry(reference)
        self.registry = registry
        name = ManifestName(reference)
    }

    public func manifest(_ digest: Digest?) async throws -> RemoteManifest {
        try await registry.manifest(digest.map { .digest($0) } ?? name)
    }

    public func open(_ blob: Descriptor, from offset: Int64) async throws -> BlobStream {
        let pipe = BlobPipe()
        let download = Task { [registry] in
            do {
                try await registry.download(blob, into: PipeWriter(pipe, skipping: offset))
                pipe.finish()
            } catch { pipe.finish(error) }
        }
        return PipeEnd(pipe) { download.cancel() }.stream
    }
}

/// Passes a download on while it comes.
private final class PipeWriter: BlobWriter {
    private let pipe: BlobPipe
    private let toSkip: Mutex<Int64>
    private let passed = Counter()

    init(_ pipe: BlobPipe, skipping count: Int64) {
        self.pipe = pipe
        toSkip = Mutex(count)
    }

    func replay(_ body: @escaping @Sendable (UnsafeRawBufferPointer) -> Void) -> Int64 { 0 }

    func write(_ bytes: ByteBuffer) async throws {
        passed.add(bytes.readableBytes)
        var bytes = bytes
        let skipped = toSkip.withLock { left in
            let count = Int(min(left, Int64(bytes.readableBytes)))
            left -= Int64(count)
            return count
        }
        bytes.moveReaderIndex(forwardBy: skipped)
        try await pipe.put(bytes)
    }

    func restart() throws {
        // What has been passed on cannot be taken back.
        guard passed.value == 0 else {
            throw TransportError(
                .interrupted, "the connection broke, and the registry only gives the blob from its beginning")
        }
    }

    func commit() {}
}

/// `docker://` as a destination.
public final class RegistryDestination: ImageDestination {
    public let location: ImageLocation
    private let registry: Repository
    private let names: [ManifestName]
    public let acceptedManifests: [String] = []
    public let layerPreference = LayerPreference.compressed
    public let acceptsForeignLayers = true
    public let takesBlobsInOrder = false

    /// - Parameter tags: further ones that the image gets.
    public init(_ registry: Repository, _ reference: ImageReference, tags: [String]) {
        location = .registry(reference)
        self.registry = registry
        names = [ManifestName(reference)] + tags.map { .tag($0) }
    }

    public func has(_ blob: Descriptor, from other: ImageReference?) async throws -> Bool {
        try await registry.obtain(blob.digest, mountingFrom: [other].compactMap(\.self))
    }

    public func put(_ blob: OutgoingBlob) async throws -> Descriptor {
        if let descriptor = blob.descriptor {
            try await registry.send(descriptor, from: OpenedReader(open: blob.open))
            return descriptor
        }
        let spool = try await SpoolFile(blob.open(0))
        let descriptor = Descriptor(mediaType: nil, digest: spool.digest, size: spool.size)
        if try await registry.hasBlob(spool.digest) { return descriptor }
        try await registry.send(
            descriptor, from: OpenedReader { offset in .of(spool.file, from: offset, to: spool.size) })
        return descriptor
    }

    public func put(_ manifest: RemoteManifest, isPart: Bool) async throws {
        guard !isPart else { return try await registry.put(manifest, as: .digest(manifest.digest)) }
        for name in names {
            if case .digest(let wanted) = name, wanted != manifest.digest {
                throw TransportError(
                    .contentMismatch,
                    "\(location) names a digest, and the image to be put there has another, \(manifest.digest)")
            }
            try await registry.put(manifest, as: name)
        }
    }

    public func commit() {}
    public func abandon() {}
}

private struct OpenedReader: BlobReader {
    let open: @Sendable (Int64) async throws -> BlobStream

    func open(_ blob: Descriptor, from offset: Int64) async throws -> BlobStream { try await open(offset) }
}
