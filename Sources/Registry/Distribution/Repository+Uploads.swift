import NIOCore
import NIOHTTP1
import OCI
import Synchronization

/// Where the bytes of a blob come from while it is sent.
public protocol BlobReader: Sendable {
    /// The blob from a byte on. It may be asked for more than once.
    func open(_ blob: Descriptor, from offset: Int64) async throws -> BlobStream
}

/// How a blob came to be in a repository.
public enum UploadResult: Sendable, Equatable {
    /// It was there.
    case existed
    /// The registry took it from another of its repositories.
    case mounted(from: String)
    case sent
}

extension Repository {
    /// Sees to it that the registry has a blob.
    /// - Parameters:
    ///   - others: repositories of the same registry that may have it.
    ///   - progress: told how many bytes are sent, often.
    public func upload(
        _ blob: Descriptor, from reader: some BlobReader, mountingFrom others: [ImageReference] = [],
        progress: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws -> UploadResult {
        switch try await find(blob.digest, mountingFrom: others) {
        case .existed: return .existed
        case .mounted(let source): return .mounted(from: source)
        case .missing(let session):
            try await BlobUpload(repository: self, blob: blob, reader: reader, progress: progress).run(at: session)
            return .sent
        }
    }

    /// Sees to it that the registry has a blob without sending it.
    /// - Returns: whether that was possible.
    public func obtain(_ digest: Digest, mountingFrom others: [ImageReference]) async throws -> Bool {
        if case .missing = try await find(digest, mountingFrom: others) { false } else { true }
    }

    /// Sends a blob that the registry does not have.
    public func send(_ blob: Descriptor, from reader: some BlobReader) async throws {
        try await BlobUpload(repository: self, blob: blob, reader: reader, progress: { _ in }).run(at: nil)
    }

    private enum Finding {
        case existed
        case mounted(from: String)
        /// An upload may have been begun for it.
        case missing(WebAddress?)
    }

    private func find(_ digest: Digest, mountingFrom others: [ImageReference]) async throws -> Finding {
        if try await hasBlob(digest) { return .existed }
        for other in others where other.domain == reference.domain && other.path != reference.path {
            switch try await begin(mounting: digest, from: other) {
            case .mounted: return .mounted(from: other.path)
            // The registry does not mount that one, and has begun an upload instead.
            case .session(let location): return .missing(location)
            case .refused: continue
            }
        }
        return .missing(nil)
    }

    private enum MountAnswer {
        case mounted
        case session(WebAddress)
        case refused
    }

    private func begin(mounting digest: Digest, from other: ImageReference) async throws -> MountAnswer {
        var request = RegistryRequest(
            .POST, "\(name)/blobs/uploads/", query: [("mount", digest.description), ("from", other.path)],
            scopes: [pushScope, "repository:\(other.path):pull"])
        request.headers.add(name: "Content-Length", value: "0")
        let response = try await registry.send(request)
        await response.discard()
        switch response.status {
        case 201: return .mounted
        case 202:
            guard let location = response.headers.first(name: "Location"),
                let address = response.address.resolving(location)
            else { return .refused }
            return .session(address)
        // Not a reason to fail: the other repository may be someone else's.
        default: return .refused
        }
    }
}

/// One blob on its way to a registry, over as many connections as it takes.
struct BlobUpload<Reader: BlobReader> {
    let repository: Repository
    let blob: Descriptor
    let reader: Reader
    let progress: @Sendable (Int64) -> Void

    private var registry: Exchange { repository.registry }
    private var what: String { "the blob \(blob.digest) of \(repository.reference.familiarName)" }

    /// - Parameter session: an upload that was begun already.
    func run(at session: WebAddress?) async throws {
        let retry = RetryPolicy(repository.client.configuration)
        var attempt = 1
        var known = session
        // Whether the registry may hold a part of the blob.
        var isBroken = false
        while true {
            let cause: RegistryError
            do {
                var location: WebAddress
                if let known { location = known } else { location = try await begin() }
                known = location
                var offset: Int64 = 0
                if isBroken {
                    guard let state = try await status(of: location) else {
                        // The registry has forgotten it.
                        known = nil
                        isBroken = false
                        continue
                    }
                    (location, offset) = state
                    known = location
                }
                isBroken = true
                return try await send(to: location, from: offset)
            } catch let error as RegistryError where error.code == .unreachable || error.code == .serverFailed {
                cause = error
            }
            guard let wait = retry.wait(attempt: attempt) else { throw cause }
            attempt += 1
            try await Task.sleep(for: .nanoseconds(wait.nanoseconds))
        }
    }

    private func begin() async throws -> WebAddress {
        var request = RegistryRequest(.POST, "\(repository.name)/blobs/uploads/", scopes: [repository.pushScope])
        request.headers.add(name: "Content-Length", value: "0")
        let response = try await registry.send(request)
        guard response.status == 202 else { throw await repository.failure(response, registry) }
        await response.discard()
        return try location(response)
    }

    private func location(_ response: RegistryResponse) throws -> WebAddress {
        guard let text = response.headers.first(name: "Location"), let address = response.address.resolving(text) else {
            throw RegistryError(
                .invalidResponse,
                "\(what): the registry \(registry.endpoint.name) does not say where to send it (no valid Location)")
        }
        return address
    }

    /// How far an upload has come.
    /// - Returns: `nil` when the registry does not know it any more.
    private func status(of location: WebAddress) async throws -> (WebAddress, Int64)? {
        let response = try await registry.send(RegistryRequest(.GET, at: location, scopes: [repository.pushScope]))
        await response.discard()
        guard response.status == 204 || response.status == 200 else { return nil }
        let next = (try? self.location(response)) ?? location
        // `0-last`, where nothing at all is written as `0-0` too: one byte is sent twice rather than left out.
        let range = response.headers.first(name: "Range") ?? ""
        guard let last = range.split(separator: "-").last.flatMap({ Int64($0.trimmedSpaces) }), last > 0 else {
            return nil
        }
        guard last < blob.size else { return nil }
        return (next, last + 1)
    }

    private func send(to start: WebAddress, from first: Int64) async throws {
        var (location, offset) = (start, first)
        let limit = repository.client.configuration.uploadChunkSize ?? .max
        // Whole, where nothing was sent and nothing forbids it.
        if offset == 0, blob.size <= limit { return try await finish(at: location, from: 0) }
        // A registry that is out of step again and again is not getting anywhere.
        var correctionsLeft = 10
        while offset < blob.size {
            let count = min(blob.size - offset, limit)
            var request = RegistryRequest(.PATCH, at: location, scopes: [repository.pushScope])
            request.headers.add(name: "Content-Type", value: "application/octet-stream")
            request.headers.add(name: "Content-Range", value: "\(offset)-\(offset + count - 1)")
            request.body = body(from: offset, count: count)
            request.isRepeatable = false
            let response = try await registry.send(request)
            if response.status == 416 {
                // Out of step: what the registry has is what counts.
                await response.discard()
                correctionsLeft -= 1
                guard correctionsLeft > 0, let state = try await status(of: location), state.1 != offset else {
                    throw await repository.failure(response, registry)
                }
                (location, offset) = state
                continue
            }
            guard response.status == 202 || response.status == 201 || response.status == 204 else {
                throw await repository.failure(response, registry)
            }
            await response.discard()
            location = try self.location(response)
            offset += count
        }
        try await finish(at: location, from: blob.size)
    }

    /// The last request, with what is left of the blob.
    private func finish(at location: WebAddress, from offset: Int64) async throws {
        var request = RegistryRequest(
            .PUT, at: location.adding([("digest", blob.digest.description)]), scopes: [repository.pushScope])
        request.headers.add(name: "Content-Type", value: "application/octet-stream")
        request.body = offset < blob.size ? body(from: offset, count: blob.size - offset) : .none
        if offset >= blob.size { request.headers.add(name: "Content-Length", value: "0") }
        request.isRepeatable = false
        request.isPatient = true
        let response = try await registry.send(request)
        guard response.status == 201 || response.status == 204 else {
            throw await repository.failure(response, registry)
        }
        await response.discard()
    }

    private func body(from offset: Int64, count: Int64) -> RequestBody {
        .stream(length: count) { [reader, blob, progress] in
            let counter = ByteCounter(offset: offset, left: count)
            let stream = try await reader.open(blob, from: offset)
            let next = stream.makeAsyncIterator().source
            return BlobStream {
                guard let buffer = try await next() else { return nil }
                let piece = counter.take(buffer)
                progress(counter.offset)
                return piece
            }
        }
    }
}

/// Cuts a stream off at the end of a chunk.
private final class ByteCounter: Sendable {
    private let state: Mutex<(offset: Int64, left: Int64)>

    init(offset: Int64, left: Int64) {
        state = Mutex((offset, left))
    }

    /// How far the blob is sent.
    var offset: Int64 { state.withLock { $0.offset } }

    func take(_ buffer: ByteBuffer) -> ByteBuffer? {
        state.withLock { state in
            let count = Int(min(Int64(buffer.readableBytes), state.left))
            guard count > 0, let slice = buffer.getSlice(at: buffer.readerIndex, length: count) else { return nil }
            state.left -= Int64(count)
            state.offset += Int64(count)
            return slice
        }
    }
}
