import Hashing
import NIOCore
import NIOHTTP1
import OCI

/// Where the bytes of one blob go while they are fetched.
///
/// Whoever writes has verified nothing yet: the blob must not be seen under its name before `commit`.
public protocol BlobWriter: Sendable {
    /// Gives `body` what is kept of an earlier attempt, in order.
    /// - Returns: how many bytes these were.
    func replay(_ body: @escaping @Sendable (UnsafeRawBufferPointer) -> Void) async throws -> Int64
    /// Takes the next bytes.
    func write(_ bytes: ByteBuffer) async throws
    /// Forgets everything that was written.
    func restart() async throws
    /// Gives the blob its name. All bytes are there, and are what the digest promises.
    func commit() async throws
}

extension Repository {
    /// Whether the registry has a blob.
    public func hasBlob(_ digest: Digest) async throws -> Bool {
        let response = try await registry.send(
            RegistryRequest(.HEAD, "\(name)/blobs/\(digest)", scopes: [pullScope]))
        await response.discard()
        if response.status == 404 { return false }
        guard response.status == 200 else { throw await failure(response, registry) }
        return true
    }

    /// Fetches a small blob, as an image's configuration, into memory.
    public func blob(_ descriptor: Descriptor) async throws -> [UInt8] {
        let limit = client.configuration.manifestLimit
        guard descriptor.size >= 0, descriptor.size <= limit else {
            throw RegistryError(
                .invalidResponse,
                "the blob \(descriptor.digest) of \(reference.familiarName) has \(descriptor.size) bytes, and may have \(limit)"
            )
        }
        let writer = MemoryWriter()
        try await download(descriptor, into: writer)
        return await writer.bytes
    }

    /// Fetches a blob. A broken connection is taken up where it broke; every byte is verified before `commit`.
    /// - Parameter progress: told how many bytes are there, often.
    public func download(
        _ descriptor: Descriptor, into writer: some BlobWriter, progress: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws {
        guard descriptor.size >= 0 else {
            throw RegistryError(
                .invalidResponse, "the blob \(descriptor.digest) of \(reference.familiarName) has a negative size")
        }
        if try await download(embeddedIn: descriptor, into: writer) { return progress(descriptor.size) }
        try await reading { exchange in
            let download = BlobDownload(
                repository: self, exchange: exchange, descriptor: descriptor, writer: writer, progress: progress)
            try await download.run()
        }
    }

    /// The specification lets a descriptor carry its blob; what is there need not be fetched.
    private func download(embeddedIn descriptor: Descriptor, into writer: some BlobWriter) async throws -> Bool {
        guard let data = descriptor.embeddedData, data.count == descriptor.size,
            try ContentHash.digest(of: data, descriptor.digest.algorithm) == descriptor.digest
        else { return false }
        try await storing(descriptor) {
            try await writer.restart()
            try await writer.write(ByteBuffer(bytes: data))
            try await writer.commit()
        }
        return true
    }

    /// Runs what may fail at our end, so that nobody looks for the fault at the registry's.
    func storing(_ descriptor: Descriptor, _ body: () async throws -> Void) async throws {
        do { try await body() } catch {
            if error is CancellationError { throw error }
            if let error = error as? RegistryError { throw error }
            throw RegistryError(
                .storageFailed, "cannot keep the blob \(descriptor.digest) of \(reference.familiarName): \(error)")
        }
    }

    /// Deletes a blob; most registries do not allow it.
    public func deleteBlob(_ digest: Digest) async throws {
        let response = try await registry.send(
            RegistryRequest(
                .DELETE, "\(name)/blobs/\(digest)", scopes: ["repository:\(name):delete", pushScope]))
        guard (200..<300).contains(response.status) else { throw await failure(response, registry) }
        await response.discard()
    }
}

/// A blob that stays in memory.
private actor MemoryWriter: BlobWriter {
    private(set) var bytes: [UInt8] = []

    func replay(_ body: @escaping @Sendable (UnsafeRawBufferPointer) -> Void) -> Int64 {
        bytes.withUnsafeBytes { body($0) }
        return Int64(bytes.count)
    }
    func write(_ buffer: ByteBuffer) { bytes.append(contentsOf: buffer.readableBytesView) }
    func restart() { bytes = [] }
    func commit() {}
}
