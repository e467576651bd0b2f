import Credentials
import EngineModel
import OCI
import Registry
import Storage
import Synchronization

/// `POST /images/create?fromImage=…`.
public struct ImagePullOptions: Sendable {
    /// A name, with or without tag or digest.
    public var image = ""
    /// A tag or a digest; when neither this nor the name has one, all tags are pulled.
    public var tag = ""
    /// As `linux/arm64`; empty for this machine's.
    public var platform = ""
    public var credential: Credential?
    public init() {}
}

extension ContainerEngine {
    /// Fetches images. Whatever goes wrong before the first message is thrown by the first element.
    public func pullImages(
        _ options: ImagePullOptions
    ) async throws -> AsyncThrowingStream<ProgressMessage, any Error> {
        let reference: ImageReference
        let platform: Platform?
        do {
            reference = try Self.reference(options.image, tagOrDigest: options.tag)
            platform = try self.platform(options.platform)
        } catch { throw EngineError(wrapping: error) }
        return stream { send in
            do {
                if reference.tag != nil || reference.digest != nil {
                    return try await self.pull(reference, options, platform, send)
                }
                let repository = try self.registries.repository(
                    reference, named: options.image, credential: options.credential)
                for tag in try await repository.tags() {
                    try await self.pull(reference.tagged(tag), options, platform, send)
                }
            } catch let error as RegistryError where error.code == .unauthorized {
                // As Docker's daemon: at a status of 401 its client asks for a password, also where nobody is to answer.
                throw EngineError(.notFound, error.message)
            }
        }
    }

    static func reference(_ name: String, tagOrDigest: String) throws(OCIError) -> ImageReference {
        var reference = try ImageReference(name)
        if tagOrDigest.contains(":") {
            reference.digest = try Digest(tagOrDigest)
            reference.tag = nil
        } else if !tagOrDigest.isEmpty {
            // As Docker: the parameter counts.
            reference = try reference.tagged(tagOrDigest)
        }
        return reference
    }

    /// Runs `body` and hands on what it sends; it is cancelled when nobody listens any more.
    func stream(
        _ body: @escaping @Sendable (@escaping @Sendable (ProgressMessage) -> Void) async throws -> Void
    ) -> AsyncThrowingStream<ProgressMessage, any Error> {
        AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    try await body { continuation.yield($0) }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: EngineError(wrapping: error))
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// Fetches one image: its documents, then the missing layers side by side, each unpacked while it arrives.
    private func pull(
        _ reference: ImageReference, _ options: ImagePullOptions, _ platform: Platform?,
        _ send: @escaping @Sendable (ProgressMessage) -> Void
    ) async throws {
        let repository = try registries.repository(
            reference, named: options.image, credential: options.credential)
        let name = ManifestName(reference)
        let remote = try await repository.image(name, platform: platform)
        send(.status("Pulling from \(reference.path)", id: name.description))

        let digested = reference.digested(remote.root.digest)
        let names = reference.digest == nil ? [reference, digested] : [digested]
        let (before, pull) = try await work.run {
            (
                (try? self.storage.images.resolve(names[0].canonicalName))?.id,
                try self.storage.images.beginPull(
                    config: remote.configBytes, manifest: (remote.manifest.mediaType, remote.manifest.bytes),
                    layers: remote.layers, references: names)
            )
        }
        for layer in pull.present { send(.layer("Already exists", layer.digest)) }
        let image = try await fetch(pull, of: remote, send)
        for layer in pull.missing { send(.layer("Pull complete", layer.digest)) }

        send(.status("Digest: \(remote.root.digest)"))
        let isNews = !pull.missing.isEmpty || before != image.id
        send(
            .status(
                isNews
                    ? "Status: Downloaded newer image for \(reference.familiarName)"
                    : "Status: Image is up to date for \(reference.familiarName)"))
        events.post(
            type: "image", action: "pull", id: reference.familiarName,
            attributes: ["name": reference.familiarRepository])
    }

    /// The layers' way in: one child fetches, the other unpacks; the first failure ends both.
    private func fetch(
        _ pull: ImagePull, of remote: RemoteImage, _ send: @escaping @Sendable (ProgressMessage) -> Void
    ) async throws -> LoadedImage {
        let arrivals = BlobArrivals(pull, work: work, locks: blobLocks)
        defer { arrivals.close() }
        let messages = PullMessages(remote, send)
        let cause = FirstFailure()
        do {
            return try await withThrowingTaskGroup(of: LoadedImage?.self) { group in
                group.addTask {
                    do {
                        try await remote.repository.download(pull.missing, into: arrivals) { messages.report($0) }
                    } catch {
                        if !(error is CancellationError) { cause.note(error) }
                        // Lets the other one go, which waits for bytes.
                        pull.fail(StorageError(.system, "the download was given up: \(error)"))
                        throw error
                    }
                    return nil
                }
                group.addTask {
                    try await self.work.runLong { try pull.finish { messages.report($0) } }
                }
                var image: LoadedImage?
                while let result = try await group.next() { image = result ?? image }
                guard let image else { throw CancellationError() }
                return image
            }
        } catch {
            if Task.isCancelled { throw CancellationError() }
            let error = cause.error ?? error
            guard Self.isLackOfSpace(error) else { throw error }
            // What fills the disk is of no use to anybody.
            arrivals.discard()
            let reference = remote.repository.reference
            throw EngineError(
                .system,
                "cannot keep the image \(reference.familiarName) from the registry \(reference.domain): no space left on "
                    + "device: free some space on the disk of \(configuration.dataRoot), for instance with 'docker system "
                    + "prune', and pull again (\(error))")
        }
    }

    private static func isLackOfSpace(_ error: any Error) -> Bool {
        switch error {
        case let error as StorageError: error.code == .noSpace
        // The store's own error, as the client of registries hands it on.
        case let error as RegistryError: error.code == .storageFailed && error.message.contains("no space left")
        default: false
        }
    }
}

/// Why a transfer was given up, before what followed from it.
private final class FirstFailure: Sendable {
    private let state = Mutex<(any Error)?>(nil)

    var error: (any Error)? { state.withLock { $0 } }
    func note(_ error: any Error) { state.withLock { $0 = $0 ?? error } }
}

/// What a pull says about its layers, in Docker's words.
private final class PullMessages: Sendable {
    private let send: @Sendable (ProgressMessage) -> Void
    /// The layers' blobs by diff ID: messages go by the blob.
    private let blobs: [Digest: Digest]
    /// Blobs that are whole: while one still comes, that is what is told.
    private let whole = Mutex<Set<Digest>>([])

    init(_ image: RemoteImage, _ send: @escaping @Sendable (ProgressMessage) -> Void) {
        self.send = send
        blobs = Dictionary(
            zip(image.config.rootfs.diffIDs ?? [], image.layers.map(\.digest)), uniquingKeysWith: { first, _ in first })
    }

    func report(_ progress: TransferProgress) {
        let digest = progress.blob.digest
        switch progress.state {
        case .pending: send(.layer("Pulling fs layer", digest))
        case .waiting: send(.layer("Waiting", digest))
        case .moving(let current):
            send(.layer("Downloading", digest, current: current, total: progress.blob.size))
        case .done:
            whole.withLock { _ = $0.insert(digest) }
            send(.layer("Verifying Checksum", digest))
            send(.layer("Download complete", digest))
        case .existed, .mounted:
            whole.withLock { _ = $0.insert(digest) }
            send(.layer("Download complete", digest))
        }
    }

    func report(_ progress: LoadProgress) {
        guard case .layer(let diffID, let current, let total) = progress, let blob = blobs[diffID],
            whole.withLock({ $0.contains(blob) })
        else { return }
        send(.layer("Extracting", blob, current: current, total: total))
    }
}

extension ProgressMessage {
    /// A message about a layer, which Docker names by twelve digits.
    static func layer(_ status: String, _ digest: Digest) -> Self {
        var message = Self.status(status, id: digest.short)
        message.progressDetail = Detail()
        return message
    }

    static func layer(_ status: String, _ digest: Digest, current: Int64, total: Int64) -> Self {
        var message = layer(status, digest)
        message.progressDetail?.current = current
        message.progressDetail?.total = total
        message.progress = ProgressBar.text(current: current, total: total)
        return message
    }
}
