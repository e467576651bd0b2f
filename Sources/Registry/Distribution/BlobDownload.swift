import Hashing
import NIOCore
import NIOHTTP1
import OCI

/// One blob on its way from one endpoint, over as many connections as it takes.
struct BlobDownload<Writer: BlobWriter> {
    let repository: Repository
    let exchange: Exchange
    let descriptor: Descriptor
    let writer: Writer
    let progress: @Sendable (Int64) -> Void

    /// Bytes go to the writer in pieces of this size, so that it is not woken for every packet.
    private static var pieceSize: Int { 512 << 10 }
    /// Whoever brings this much between two failures is getting on: the count of failures begins anew.
    private static var worthwhile: Int64 { 1 << 20 }

    private var what: String { "the blob \(descriptor.digest) of \(repository.reference.familiarName)" }

    func run() async throws {
        let retry = RetryPolicy(repository.client.configuration)
        var hash = ContentHash(descriptor.digest.algorithm)
        var received = try await replay(into: hash)
        var isPatched = received > 0
        var mayStartAgain = true
        var attempt = 1
        while true {
            let before = received
            var cause: RegistryError?
            if received < descriptor.size || descriptor.size == 0 && attempt == 1 {
                do {
                    let response = try await open(at: received)
                    if received > 0, response.status == 200 {
                        // A registry without ranges: from the beginning.
                        try await restart()
                        (hash, received, isPatched) = (ContentHash(descriptor.digest.algorithm), 0, false)
                    }
                    try await take(response, hash, &received)
                } catch let error as RegistryError where error.code == .unreachable { cause = error }
            }
            if cause == nil, received == descriptor.size {
                let digest = try hash.digest
                if digest == descriptor.digest {
                    return try await repository.storing(descriptor) { try await writer.commit() }
                }
                try await restart()
                // Pieces from several connections, or from an earlier process, may not fit: once, from the beginning.
                guard isPatched, mayStartAgain else {
                    throw RegistryError(
                        .contentMismatch,
                        "filesystem layer verification failed for digest \(descriptor.digest): \(what) from the registry "
                            + "\(exchange.endpoint.name) has the digest \(digest): it was damaged on the way, or exchanged"
                    )
                }
                (hash, received, isPatched) = (ContentHash(descriptor.digest.algorithm), 0, false)
                mayStartAgain = false
                continue
            }
            if received - before >= Self.worthwhile { attempt = 1 }
            guard let wait = retry.wait(attempt: attempt) else {
                throw cause
                    ?? RegistryError(
                        .contentMismatch,
                        "\(what) ends after \(received) of \(descriptor.size) bytes: the registry \(exchange.endpoint.name) "
                            + "does not have it whole")
            }
            attempt += 1
            isPatched = received > 0
            try await Task.sleep(for: .nanoseconds(wait.nanoseconds))
        }
    }

    private func replay(into hash: ContentHash) async throws -> Int64 {
        var count: Int64 = 0
        try await repository.storing(descriptor) { count = try await writer.replay { hash.update($0) } }
        guard count > descriptor.size else { return count }
        try await restart()
        throw RegistryError(
            .storageFailed, "more than all of \(what) was kept from an earlier attempt; it is removed, so try again")
    }

    private func restart() async throws { try await repository.storing(descriptor) { try await writer.restart() } }

    private func open(at offset: Int64) async throws -> RegistryResponse {
        var request = RegistryRequest(
            .GET, "\(repository.name(at: exchange))/blobs/\(descriptor.digest)",
            scopes: [repository.pullScope(at: exchange)])
        if offset > 0 { request.headers.add(name: "Range", value: "bytes=\(offset)-") }
        let response = try await exchange.send(request)
        let length = response.headers.first(name: "Content-Length").flatMap { Int64($0) }
        func wrongSize(_ size: Int64) -> RegistryError {
            RegistryError(
                .contentMismatch,
                "\(what) has \(size) bytes at the registry \(exchange.endpoint.name), and its manifest promises "
                    + "\(descriptor.size)")
        }
        switch response.status {
        case 200:
            if let length, length > descriptor.size { throw wrongSize(length) }
            return response
        case 206 where offset > 0:
            // `bytes first-last/total`
            let range = response.headers.first(name: "Content-Range") ?? ""
            let parts = range.split { " -/".contains($0) }
            guard parts.count >= 3, Int64(parts[1]) == offset else {
                throw RegistryError(
                    .invalidResponse,
                    "\(what): asked for what follows byte \(offset), the registry \(exchange.endpoint.name) gives the range "
                        + "\"\(range.prefix(100))\"")
            }
            if parts.count > 3, let total = Int64(parts[3]), total > descriptor.size { throw wrongSize(total) }
            return response
        default:
            let failure = await repository.failure(response, exchange)
            guard failure.code == .notFound else {
                throw failure.asPull(of: repository.reference, .digest(descriptor.digest))
            }
            throw RegistryError(
                .notFound,
                "\(what) is not in the registry \(exchange.endpoint.name): \(failure.reason): the image is damaged there, and "
                    + "must be pushed anew", status: response.status, serverErrors: failure.serverErrors)
        }
    }

    /// Takes what one connection brings.
    /// - Throws: `.unreachable` when it broke; what came before is kept.
    private func take(_ response: RegistryResponse, _ hash: ContentHash, _ received: inout Int64) async throws {
        var piece = ByteBuffer()
        var failure: (any Error)?
        do {
            for try await buffer in response.body {
                guard received + Int64(piece.readableBytes + buffer.readableBytes) <= descriptor.size else {
                    throw RegistryError(
                        .contentMismatch,
                        "\(what) is longer than the \(descriptor.size) bytes that its manifest promises: the registry "
                            + "\(exchange.endpoint.name) gives something else")
                }
                piece.writeImmutableBuffer(buffer)
                if piece.readableBytes >= Self.pieceSize { try await flush(&piece, hash, &received) }
            }
        } catch {
            if error is CancellationError || Task.isCancelled {
                // What came is worth keeping for the next time.
                try? await flush(&piece, hash, &received)
                throw CancellationError()
            }
            failure = error
        }
        if let error = failure as? RegistryError { throw error }
        try await flush(&piece, hash, &received)
        if let failure { throw RegistryError(transport: failure, "read \(what)", response.address) }
    }

    private func flush(_ piece: inout ByteBuffer, _ hash: ContentHash, _ received: inout Int64) async throws {
        if piece.readableBytes == 0 { return }
        let bytes = piece
        piece = ByteBuffer()
        hash.update(bytes)
        try await repository.storing(descriptor) { try await writer.write(bytes) }
        received += Int64(bytes.readableBytes)
        progress(received)
    }
}
