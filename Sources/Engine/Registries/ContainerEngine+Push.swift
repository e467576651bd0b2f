import Credentials
import EngineModel
import JSON
import Kernel
import NIOCore
import OCI
import Registry
import Storage
import Synchronization

extension ContainerEngine {
    /// Sends images to the registry that their name tells.
    /// - Parameter tag: empty for all tags of the repository, unless the name has one.
    public func pushImages(
        _ name: String, tag: String, credential: Credential?
    ) async throws -> AsyncThrowingStream<ProgressMessage, any Error> {
        let reference: ImageReference
        do throws(OCIError) { reference = try Self.reference(name, tagOrDigest: tag) } catch {
            throw EngineError(wrapping: error)
        }
        guard reference.digest == nil else {
            throw EngineError.invalid("cannot push a digest reference")
        }
        return stream { send in
            send(.status("The push refers to repository [\(reference.name)]"))
            let references = try await self.work.run { try self.referencesToPush(reference) }
            for reference in references { try await self.push(reference, credential, send) }
        }
    }

    private func referencesToPush(_ reference: ImageReference) throws -> [ImageReference] {
        let tags = try storage.images.list().flatMap(\.image.tags).filter { $0.name == reference.name }
        guard !tags.isEmpty else {
            throw EngineError(
                .notFound, "An image does not exist locally with the tag: \(reference.familiarRepository)")
        }
        if reference.tag == nil { return tags }
        guard tags.contains(reference) else {
            throw EngineError(.notFound, "tag does not exist: \(reference.familiarName)")
        }
        return [reference]
    }

    private func push(
        _ reference: ImageReference, _ credential: Credential?, _ send: @escaping @Sendable (ProgressMessage) -> Void
    ) async throws {
        let (parts, sources) = try await work.run {
            let parts = try self.storage.images.parts(of: reference.canonicalName)
            var sources: [Digest: [ImageReference]] = [:]
            for (blob, _) in parts.layers {
                sources[blob.digest] = try self.storage.images.repositories(with: blob.digest, in: reference.domain)
            }
            return (parts, sources)
        }
        let manifest = RemoteManifest(
            mediaType: parts.manifest.mediaType ?? MediaType.ociManifest, bytes: parts.manifestBytes,
            digest: parts.manifest.digest)
        // Messages go by the diff ID: it is what the user's other images share.
        let names = Dictionary(
            parts.layers.map { ($0.blob.digest, $0.diffID) }, uniquingKeysWith: { first, _ in first })
        let repository = try registries.repository(reference, credential: credential)
        try await repository.push(
            OutgoingImage(
                manifest: manifest, config: parts.config, configBytes: parts.image.configBytes,
                layers: parts.layers.map(\.blob), sources: sources), as: .tag(reference.tag ?? "latest"),
            from: StoredBlobs(storage.content, work: work)
        ) { progress in
            let id = names[progress.blob.digest] ?? progress.blob.digest
            switch progress.state {
            case .pending: send(.layer("Preparing", id))
            case .waiting: send(.layer("Waiting", id))
            case .moving(let current): send(.layer("Pushing", id, current: current, total: progress.blob.size))
            case .done: send(.layer("Pushed", id))
            case .existed: send(.layer("Layer already exists", id))
            case .mounted(let source): send(.layer("Mounted from \(source)", id))
            }
        }
        try await work.run {
            try self.storage.images.addDigest(reference.digested(manifest.digest), to: parts.image.id)
        }
        let tag = reference.tag ?? ""
        send(.status("\(tag): digest: \(manifest.digest) size: \(manifest.bytes.count)"))
        var last = ProgressMessage()
        last.progressDetail = ProgressMessage.Detail()
        last.aux = [
            "Tag": .string(tag), "Digest": .string(manifest.digest.description),
            "Size": .integer(Int64(manifest.bytes.count)),
        ]
        send(last)
        events.post(
            type: "image", action: "push", id: reference.familiarName,
            attributes: ["name": reference.familiarRepository])
    }
}

/// The store's blobs, to be sent.
private struct StoredBlobs: BlobReader {
    private let content: ContentStore
    private let work: BlockingWork

    init(_ content: ContentStore, work: BlockingWork) {
        self.content = content
        self.work = work
    }

    func open(_ blob: Descriptor, from offset: Int64) async throws -> BlobStream {
        let file = try await work.run { try content.open(blob.digest) }
        let position = Mutex(offset)
        return BlobStream { [work] in
            try await work.run {
                let bytes = try file.pread(count: 256 << 10, at: position.withLock { $0 })
                if bytes.isEmpty { return nil }
                position.withLock { $0 += Int64(bytes.count) }
                return ByteBuffer(bytes: bytes)
            }
        }
    }
}
