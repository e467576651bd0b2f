import Credentials
import Hashing
import NIOCore
import OCI
import Registry
import Synchronization

@testable import Registry

/// A small image as a registry has it.
struct TestImage: Sendable {
    var layers: [[UInt8]]
    var config: [UInt8]
    var manifest: [UInt8]

    /// - Parameter sizes: the layers', in bytes.
    init(_ sizes: [Int] = [3000, 70_000], platform: (os: String, architecture: String) = ("linux", "amd64")) throws {
        layers = sizes.enumerated().map { number, size in
            (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
        }
        let diffIDs = try layers.map { "\"\(try Self.digest($0))\"" }.joined(separator: ",")
        config = Array(
            #"{"architecture":"\#(platform.architecture)","os":"\#(platform.os)","rootfs":{"type":"layers","diff_ids":[\#(diffIDs)]}}"#
                .utf8)
        let list = try layers.map {
            #"{"mediaType":"\#(MediaType.ociLayer)","digest":"\#(try Self.digest($0))","size":\#($0.count)}"#
        }.joined(separator: ",")
        manifest = Array(
            (#"{"schemaVersion":2,"mediaType":"\#(MediaType.ociManifest)","config":{"mediaType":"\#(MediaType.ociConfig)","#
                + #""digest":"\#(try Self.digest(config))","size":\#(config.count)},"layers":[\#(list)]}"#).utf8)
    }

    static func digest(_ bytes: [UInt8]) throws -> Digest { try ContentHash.digest(of: bytes) }

    var digest: Digest { get throws { try Self.digest(manifest) } }

    func descriptor(_ layer: Int) throws -> Descriptor {
        Descriptor(
            mediaType: MediaType.ociLayer, digest: try Self.digest(layers[layer]), size: Int64(layers[layer].count))
    }

    /// Answers for the repository `name` as a registry should.
    func respond(_ request: TestRequest, name: String = "app") -> TestAnswer {
        guard let answer = try? answer(request, name) else {
            return .error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        }
        return answer
    }

    private func answer(_ request: TestRequest, _ name: String) throws -> TestAnswer? {
        if request.path == "/v2/" { return .json("{}") }
        for manifestName in ["1", "latest", try digest.description]
        where request.path == "/v2/\(name)/manifests/\(manifestName)" {
            return TestAnswer(
                headers: [
                    ("Content-Type", MediaType.ociManifest), ("Docker-Content-Digest", try digest.description),
                ], body: manifest)
        }
        if request.path.contains("/manifests/") { return .error(404, "MANIFEST_UNKNOWN", "manifest unknown") }
        for blob in layers + [config] where request.path == "/v2/\(name)/blobs/\(try Self.digest(blob))" {
            guard let range = request.header("Range"), let start = Self.start(range) else {
                return TestAnswer(body: blob)
            }
            return TestAnswer(
                status: 206, headers: [("Content-Range", "bytes \(start)-\(blob.count - 1)/\(blob.count)")],
                body: Array(blob[start...]))
        }
        return nil
    }

    /// The number in `bytes=N-`.
    static func start(_ range: String) -> Int? { Int(range.dropFirst("bytes=".count).prefix { $0 != "-" }) }
}

/// Blobs in memory, by digest; what is not finished stays for the next attempt.
final class MemoryStore: BlobDestination {
    private struct State {
        var whole: [Digest: [UInt8]] = [:]
        var partial: [Digest: [UInt8]] = [:]
        var restarts = 0
    }

    private let state = Mutex(State())

    var blobs: [Digest: [UInt8]] { state.withLock { $0.whole } }
    var partial: [Digest: [UInt8]] { state.withLock { $0.partial.filter { !$0.value.isEmpty } } }
    var restarts: Int { state.withLock { $0.restarts } }

    func keep(_ bytes: [UInt8], of digest: Digest) { state.withLock { $0.partial[digest] = bytes } }
    func add(_ bytes: [UInt8], _ digest: Digest) { state.withLock { $0.whole[digest] = bytes } }

    func begin(_ blob: Descriptor) async throws -> (any BlobWriter)? {
        state.withLock { $0.whole[blob.digest] == nil } ? writer(blob.digest) : nil
    }

    func writer(_ digest: Digest) -> some BlobWriter { Writer(store: self, digest: digest) }

    private struct Writer: BlobWriter {
        let store: MemoryStore
        let digest: Digest

        func replay(_ body: @escaping @Sendable (UnsafeRawBufferPointer) -> Void) -> Int64 {
            let kept = store.state.withLock { $0.partial[digest] ?? [] }
            kept.withUnsafeBytes { body($0) }
            return Int64(kept.count)
        }
        func write(_ bytes: ByteBuffer) {
            store.state.withLock { $0.partial[digest, default: []].append(contentsOf: bytes.readableBytesView) }
        }
        func restart() {
            store.state.withLock {
                $0.partial[digest] = nil
                $0.restarts += 1
            }
        }
        func commit() { store.state.withLock { $0.whole[digest] = $0.partial.removeValue(forKey: digest) ?? [] } }
    }
}

/// A client that does not wait long for anything.
func withClient<Result: Sendable>(
    addresses: [String: String] = [:], _ change: (inout RegistryConfiguration) -> Void = { _ in },
    _ body: @Sendable (RegistryClient) async throws -> Result
) async throws -> Result {
    var configuration = RegistryConfiguration()
    configuration.firstWait = .milliseconds(1)
    configuration.longestWait = .seconds(2)
    configuration.stallTimeout = .seconds(20)
    configuration.certificateDirectories = []
    change(&configuration)
    let client = RegistryClient(configuration, addresses: addresses)
    do {
        let result = try await body(client)
        await client.shutdown()
        return result
    } catch {
        await client.shutdown()
        throw error
    }
}

/// The registry's error that `body` ends with.
func registryError(_ body: @Sendable () async throws -> Void) async -> RegistryError? {
    do { try await body() } catch {
        return error as? RegistryError ?? RegistryError(.invalidInput, "another error: \(error)")
    }
    return nil
}
