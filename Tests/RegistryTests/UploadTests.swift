import JSON
import NIOHTTP1
import OCI
import Synchronization
import Testing

@testable import Registry

/// A registry that takes uploads, and can be told to break connections.
final class UploadServer: Sendable {
    struct State {
        var uploads: [String: [UInt8]] = [:]
        var blobs: [String: [UInt8]] = [:]
        var manifests: [String: (type: String, bytes: [UInt8])] = [:]
        var nextUpload = 0
        /// How many requests with a body are answered by breaking off after half of it.
        var failures = 0
    }

    let state: Mutex<State>
    /// Repositories that blobs may be mounted from, with what they have.
    let others: [String: Set<String>]

    init(failures: Int = 0, others: [String: Set<String>] = [:]) {
        state = Mutex(State(failures: failures))
        self.others = others
    }

    func respond(_ request: TestRequest) -> TestAnswer {
        state.withLock { state in
            let parts = request.path.split(separator: "/").map(String.init)
            guard parts.count >= 4 else { return .json("{}") }
            switch (request.method, parts[2]) {
            case ("HEAD", "blobs"): return .empty(state.blobs[parts[3]] == nil ? 404 : 200)
            case ("POST", "blobs"):
                let query = Self.parameters(request.query)
                if let mount = query["mount"], let from = query["from"], others[from]?.contains(mount) == true {
                    state.blobs[mount] = []
                    return .empty(201)
                }
                state.nextUpload += 1
                state.uploads["\(state.nextUpload)"] = []
                return .empty(202, [("Location", "/v2/app/blobs/uploads/\(state.nextUpload)?state=1")])
            case ("GET", "blobs"):
                guard let upload = state.uploads[parts[4]] else { return .error(404, "BLOB_UPLOAD_UNKNOWN", "unknown") }
                return .empty(204, [("Range", "0-\(max(upload.count, 1) - 1)"), ("Location", request.path)])
            case ("PATCH", "blobs"), ("PUT", "blobs"):
                guard var upload = state.uploads[parts[4]] else {
                    return .error(404, "BLOB_UPLOAD_UNKNOWN", "unknown")
                }
                if let range = request.header("Content-Range"), Int(range.prefix { $0 != "-" }) != upload.count {
                    return .empty(416, [("Range", "0-\(upload.count - 1)"), ("Location", request.path)])
                }
                if state.failures > 0, !request.body.isEmpty {
                    state.failures -= 1
                    state.uploads[parts[4]] = upload + request.body.prefix(request.body.count / 2)
                    return TestAnswer(ending: .silence)
                }
                upload += request.body
                state.uploads[parts[4]] = upload
                if request.method == "PATCH" {
                    return .empty(202, [("Location", "\(request.path)?state=2"), ("Range", "0-\(upload.count - 1)")])
                }
                let digest = Self.parameters(request.query)["digest"] ?? ""
                guard (try? TestImage.digest(upload).description) == digest else {
                    return .error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
                }
                state.uploads[parts[4]] = nil
                state.blobs[digest] = upload
                return .empty(201)
            case ("PUT", "manifests"):
                state.manifests[parts[3]] = (request.header("Content-Type") ?? "", request.body)
                return .empty(201)
            case (_, "manifests"):
                guard let manifest = state.manifests[parts[3]] else {
                    return .error(404, "MANIFEST_UNKNOWN", "unknown")
                }
                return TestAnswer(headers: [("Content-Type", manifest.type)], body: manifest.bytes)
            default: return .error(404, "UNSUPPORTED", "not here")
            }
        }
    }

    private static func parameters(_ query: String) -> [String: String] {
        var result: [String: String] = [:]
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2 { result[parts[0]] = parts[1] }
        }
        return result
    }
}

@Suite struct UploadTests {
    private let bytes = (0..<500_000).map { UInt8(truncatingIfNeeded: $0 &* 17) }

    private func upload(
        to registry: UploadServer, chunk: Int64? = nil, mountingFrom others: [String] = []
    ) async throws -> (UploadResult, TestServer) {
        let server = try await TestServer { registry.respond($0) }
        let result = try await withClient {
            $0.uploadChunkSize = chunk
        } _: { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let blob = Descriptor(mediaType: nil, digest: try TestImage.digest(bytes), size: Int64(bytes.count))
            return try await repository.upload(
                blob, from: MemoryReader(bytes),
                mountingFrom: others.map { try ImageReference("\(server.host)/\($0)") })
        }
        #expect(registry.state.withLock { $0.uploads.isEmpty })
        return (result, server)
    }

    private func kept(_ registry: UploadServer) throws -> [UInt8]? {
        let digest = try TestImage.digest(bytes).description
        return registry.state.withLock { $0.blobs[digest] }
    }

    @Test func whole() async throws {
        let registry = UploadServer()
        let (result, server) = try await upload(to: registry)
        #expect(result == .sent)
        #expect(try kept(registry) == bytes)
        #expect(server.requests.map(\.method).filter { $0 == "PATCH" }.isEmpty)
    }

    @Test func inChunks() async throws {
        let registry = UploadServer()
        let (_, server) = try await upload(to: registry, chunk: 200_000)
        #expect(try kept(registry) == bytes)
        #expect(
            server.requests("PATCH", "/uploads/").map { $0.header("Content-Range") }
                == ["0-199999", "200000-399999", "400000-499999"])
    }

    @Test(arguments: [nil, 200_000] as [Int64?])
    func brokenConnectionIsTakenUp(_ chunk: Int64?) async throws {
        let registry = UploadServer(failures: 2)
        let (_, server) = try await upload(to: registry, chunk: chunk)
        #expect(try kept(registry) == bytes)
        // One upload, whose count the registry was asked for.
        #expect(server.requests("POST", "/uploads/").count == 1)
        #expect(server.requests("GET", "/uploads/").count == 2)
    }

    @Test func brokenForGood() async throws {
        let registry = UploadServer(failures: .max)
        await #expect(throws: RegistryError.self) { try await upload(to: registry) }
    }

    @Test func whatIsThereIsNotSent() async throws {
        let registry = UploadServer()
        let digest = try TestImage.digest(bytes).description
        registry.state.withLock { $0.blobs[digest] = [1] }
        let (result, server) = try await upload(to: registry)
        #expect(result == .existed)
        #expect(server.requests.filter { $0.method != "HEAD" }.isEmpty)
    }

    @Test(arguments: [401, 403, 404, 405, 418, 429, 500]) func refusals(_ status: Int) async throws {
        let server = try await TestServer { _ in .error(status, "DENIED", "no") }
        try await withClient {
            $0.maximumAttempts = 1
        } _: { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let blob = Descriptor(mediaType: nil, digest: try TestImage.digest(bytes), size: Int64(bytes.count))
            let error = await registryError { _ = try await repository.upload(blob, from: MemoryReader(bytes)) }
            #expect(error?.status == status || error?.code == .rateLimited || error?.code == .serverFailed)
            #expect(error?.message.contains("app") == true)
        }
    }

    @Test func mounted() async throws {
        let registry = UploadServer(others: ["second": [try TestImage.digest(bytes).description]])
        let (result, server) = try await upload(to: registry, mountingFrom: ["app", "second"])
        #expect(result == .mounted(from: "second"))
        #expect(server.requests("PUT", "").isEmpty)
    }

    @Test func mountThatIsNotGrantedBecomesAnUpload() async throws {
        let registry = UploadServer()
        let (result, server) = try await upload(to: registry, mountingFrom: ["first", "second"])
        #expect(result == .sent)
        #expect(try kept(registry) == bytes)
        #expect(server.requests("POST", "/uploads/").count == 1)
    }

    @Test func imageIsWholeBeforeItsManifest() async throws {
        let registry = UploadServer()
        let server = try await TestServer { registry.respond($0) }
        let image = try TestImage()
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let manifest = RemoteManifest(
                mediaType: MediaType.ociManifest, bytes: image.manifest, digest: try image.digest)
            struct Layers: BlobReader {
                let image: TestImage
                func open(_ blob: Descriptor, from offset: Int64) async throws -> BlobStream {
                    let layer = try image.layers.first { try TestImage.digest($0) == blob.digest } ?? []
                    return try await MemoryReader(layer).open(blob, from: offset)
                }
            }
            try await repository.push(
                OutgoingImage(
                    manifest: manifest,
                    config: Descriptor(
                        mediaType: MediaType.ociConfig, digest: TestImage.digest(image.config),
                        size: Int64(image.config.count)), configBytes: image.config,
                    layers: [image.descriptor(0), image.descriptor(1)]), as: .tag("1"), from: Layers(image: image)
            ) { _ in }
        }
        let last = try #require(server.requests.last)
        #expect(last.path == "/v2/app/manifests/1")
        #expect(last.header("Content-Type") == MediaType.ociManifest)
        #expect(last.body == image.manifest)
        #expect(registry.state.withLock { $0.blobs.count } == 3)
    }

    @Test func registryThatStoresSomethingElse() async throws {
        let server = try await TestServer { _ in .empty(201, [("Docker-Content-Digest", "\(Digest.empty)")]) }
        let image = try TestImage()
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let error = await registryError {
                try await repository.put(
                    RemoteManifest(mediaType: MediaType.ociManifest, bytes: image.manifest, digest: try image.digest),
                    as: .tag("1"))
            }
            #expect(error?.code == .contentMismatch)
        }
    }

    @Test func referrersWithoutTheInterface() async throws {
        let registry = UploadServer()
        let server = try await TestServer { registry.respond($0) }
        let image = try TestImage()
        let subject = try image.digest
        let signature = Array(
            #"{"schemaVersion":2,"artifactType":"test/signature","subject":{"mediaType":"x","digest":"\#(subject)","size":1},"config":{"mediaType":"\#(MediaType.ociEmpty)","digest":"\#(Digest.empty)","size":0},"layers":[],"annotations":{"a":"b"}}"#
                .utf8)
        let digest = try TestImage.digest(signature)
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let before = try await repository.referrers(of: subject)
            #expect(before == [])
            // Twice: it is listed once.
            for _ in 0..<2 {
                try await repository.put(
                    RemoteManifest(mediaType: MediaType.ociManifest, bytes: signature, digest: digest),
                    as: .digest(digest))
            }
            let after = try await repository.referrers(of: subject)
            #expect(after.map(\.digest) == [digest])
            #expect(after.first?.artifactType == "test/signature")
            #expect(after.first?.annotations == ["a": "b"])
            let others = try await repository.referrers(of: subject, artifactType: "test/other")
            #expect(others == [])
        }
        #expect(registry.state.withLock { $0.manifests.keys.contains("sha256-\(subject.hex)") })
    }

    @Test func referrersFromTheInterface() async throws {
        let server = try await TestServer { request in
            .json(
                #"{"schemaVersion":2,"manifests":[{"digest":"\#(Digest.empty)","size":0,"artifactType":"a"},{"digest":"\#(Digest.empty)","size":0,"artifactType":"b"}]}"#
            )
        }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let found = try await repository.referrers(of: .empty, artifactType: "b")
            // Also from a registry that does not filter.
            #expect(found.map(\.artifactType) == ["b"])
        }
        #expect(server.requests.first?.query == "artifactType=b")
    }

    @Test func tagsInPages() async throws {
        let server = try await TestServer { request in
            if request.query.contains("last=b") { return .json(#"{"name":"app","tags":["c"]}"#) }
            return .json(
                #"{"name":"app","tags":["a","b"]}"#, 200, [("Link", #"</v2/app/tags/list?n=2&last=b>; rel="next""#)])
        }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let tags = try await repository.tags()
            #expect(tags == ["a", "b", "c"])
        }
    }

    @Test(arguments: [#"{"name":"app","tags":null}"#, "{}"]) func noTags(_ body: String) async throws {
        let server = try await TestServer { _ in .json(body) }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let tags = try await repository.tags()
            #expect(tags == [])
        }
    }

    @Test func pagesInACircle() async throws {
        let server = try await TestServer { _ in
            .json(#"{"name":"app","tags":["a"]}"#, 200, [("Link", #"</v2/app/tags/list?n=2>; rel="next""#)])
        }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let error = await registryError { _ = try await repository.tags() }
            #expect(error?.code == .invalidResponse)
        }
        #expect(server.requests.count == 2)
    }
}
