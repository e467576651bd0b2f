import JSON
import NIOCore
import OCI
import Testing

@testable import Registry

/// A registry that lies, stalls, cuts off, sends too much, or is none at all. What must come of it: a sentence that
/// names the image and the registry, and nothing stored.
@Suite struct MisbehavingRegistryTests {
    /// Pulls `app:1` from a server that answers as `respond` says; checks what every failure must fulfil.
    private func failure(
        of image: TestImage, _ change: @escaping (inout RegistryConfiguration) -> Void = { _ in },
        keepsPartial: Bool = false, _ respond: @escaping @Sendable (TestRequest) -> TestAnswer?
    ) async throws -> RegistryError {
        let server = try await TestServer { respond($0) ?? image.respond($0) }
        let store = MemoryStore()
        let error = try await withClient(change) { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            return await registryError {
                let found = try await repository.image(.tag("1"), platform: nil)
                try await repository.download(found.layers, into: store) { _ in }
            }
        }
        let found = try #require(error)
        #expect(found.message.contains(server.host))
        // What is whole is right; and of what is not, nothing can be seen.
        for (digest, bytes) in store.blobs { #expect(try TestImage.digest(bytes) == digest) }
        #expect(store.blobs.count < image.layers.count)
        if !keepsPartial { #expect(store.partial[try image.descriptor(1).digest] == nil) }
        return found
    }

    private func isBlob(_ request: TestRequest, _ image: TestImage, _ layer: Int = 1) -> Bool {
        request.path.hasSuffix((try? image.descriptor(layer).digest.description) ?? "none")
    }

    @Test func exchangedBlob() async throws {
        let image = try TestImage()
        let error = try await failure(of: image) { request in
            isBlob(request, image) ? TestAnswer(body: [UInt8](repeating: 7, count: image.layers[1].count)) : nil
        }
        #expect(error.code == .contentMismatch)
        #expect(error.message.contains("filesystem layer verification failed for digest"))
    }

    @Test func longerBlob() async throws {
        let image = try TestImage()
        let error = try await failure(of: image, keepsPartial: true) { request in
            isBlob(request, image) ? TestAnswer(body: image.layers[1] + [1]) : nil
        }
        #expect(error.code == .contentMismatch)
    }

    /// Without a length to see it by.
    @Test func endlessBlob() async throws {
        let image = try TestImage()
        let error = try await failure(of: image, keepsPartial: true) { request in
            guard isBlob(request, image) else { return nil }
            return TestAnswer(
                headers: [("Transfer-Encoding", "chunked"), ("Content-Length", "")].filter { !$0.1.isEmpty },
                body: [UInt8](repeating: 7, count: 64 << 10), ending: .repeated(5 << 30))
        }
        #expect(error.code == .contentMismatch)
    }

    @Test func shorterBlob() async throws {
        let image = try TestImage()
        let error = try await failure(of: image, keepsPartial: true) { request in
            guard isBlob(request, image) else { return nil }
            return request.header("Range") == nil
                ? TestAnswer(body: Array(image.layers[1].dropLast(5)))
                : .error(416, "BLOB_UPLOAD_INVALID", "no such range")
        }
        #expect([.contentMismatch, .invalidResponse].contains(error.code))
    }

    @Test func connectionsThatAlwaysBreak() async throws {
        let image = try TestImage()
        let server = try await TestServer { request in
            guard isBlob(request, image) else { return image.respond(request) }
            return TestAnswer(headers: [("Content-Length", "\(image.layers[1].count)")], body: [], ending: .cut)
        }
        try await withClient {
            $0.maximumAttempts = 3
        } _: { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let store = MemoryStore()
            let error = await registryError {
                try await repository.download(image.descriptor(1), into: store.writer(image.descriptor(1).digest))
            }
            #expect(error?.code == .unreachable)
            #expect(store.blobs.isEmpty)
        }
        #expect(server.requests("GET", "/blobs/").count == 3)
    }

    @Test func brokenConnectionIsTakenUpWhereItBroke() async throws {
        let image = try TestImage([1_500_000])
        let whole = image.layers[0]
        let server = try await TestServer { request in
            guard isBlob(request, image, 0) else { return image.respond(request) }
            // Each connection brings 600,000 bytes.
            let start = request.header("Range").flatMap(TestImage.start) ?? 0
            let piece = Array(whole[start..<min(start + 600_000, whole.count)])
            var answer = TestAnswer(
                status: start == 0 ? 200 : 206, headers: [("Content-Length", "\(whole.count - start)")], body: piece,
                ending: start + piece.count < whole.count ? .cut : .whole)
            if start > 0 {
                answer.headers.append(("Content-Range", "bytes \(start)-\(whole.count - 1)/\(whole.count)"))
            }
            return answer
        }
        // A reset drops what the client had not read yet: how many connections it takes is not known.
        try await withClient({ $0.maximumAttempts = 100 }) { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let store = MemoryStore()
            let descriptor = try image.descriptor(0)
            try await repository.download(descriptor, into: store.writer(descriptor.digest))
            #expect(store.blobs[descriptor.digest] == whole)
            #expect(store.restarts == 0)
        }
        // How much of a piece was still on its way when the connection broke differs.
        let starts = server.requests("GET", "/blobs/").map { $0.header("Range").flatMap(TestImage.start) ?? 0 }
        #expect(starts.count >= 3)
        #expect(zip(starts, starts.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test func registryWithoutRangesStartsAgain() async throws {
        let image = try TestImage([100_000])
        let server = try await TestServer { request in
            isBlob(request, image, 0) ? TestAnswer(body: image.layers[0]) : image.respond(request)
        }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let store = MemoryStore()
            let descriptor = try image.descriptor(0)
            store.keep(Array(image.layers[0].prefix(40_000)), of: descriptor.digest)
            try await repository.download(descriptor, into: store.writer(descriptor.digest))
            #expect(store.blobs[descriptor.digest] == image.layers[0])
            #expect(store.restarts == 1)
        }
    }

    @Test func damagedRestOfAnEarlierAttemptIsFetchedAnew() async throws {
        let image = try TestImage([100_000])
        let server = try await TestServer { image.respond($0) }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let store = MemoryStore()
            let descriptor = try image.descriptor(0)
            store.keep([UInt8](repeating: 0, count: 40_000), of: descriptor.digest)
            try await repository.download(descriptor, into: store.writer(descriptor.digest))
            #expect(store.blobs[descriptor.digest] == image.layers[0])
        }
        #expect(server.requests("GET", "/blobs/").map { $0.header("Range") } == ["bytes=40000-", nil])
    }

    /// Wrong bytes, and never more than half of them at a time: this must end.
    @Test func wrongPatchworkIsGivenUp() async throws {
        let image = try TestImage([3_000_000])
        let wrong = [UInt8](repeating: 5, count: 3_000_000)
        let server = try await TestServer { request in
            let start = request.header("Range").flatMap(TestImage.start) ?? 0
            let end = min(start + 1_600_000, wrong.count)
            return TestAnswer(
                status: start == 0 ? 200 : 206,
                headers: [
                    ("Content-Length", "\(wrong.count - start)"),
                    ("Content-Range", "bytes \(start)-\(wrong.count - 1)/\(wrong.count)"),
                ], body: Array(wrong[start..<end]), ending: end < wrong.count ? .cut : .whole)
        }
        // A reset drops what the client had not read yet: how many connections it takes is not known.
        try await withClient({ $0.maximumAttempts = 100 }) { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let store = MemoryStore()
            let descriptor = try image.descriptor(0)
            let error = await registryError {
                try await repository.download(descriptor, into: store.writer(descriptor.digest))
            }
            #expect(error?.code == .contentMismatch)
            #expect(store.blobs.isEmpty)
        }
    }

    @Test func wrongRangeIsRefused() async throws {
        let image = try TestImage([100_000])
        let server = try await TestServer { request in
            TestAnswer(
                status: 206, headers: [("Content-Range", "bytes 0-99999/100000")], body: image.layers[0])
        }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let store = MemoryStore()
            let descriptor = try image.descriptor(0)
            store.keep(Array(image.layers[0].prefix(40_000)), of: descriptor.digest)
            let error = await registryError {
                try await repository.download(descriptor, into: store.writer(descriptor.digest))
            }
            #expect(error?.code == .invalidResponse)
        }
    }

    @Test func stallsCountAsLostConnections() async throws {
        let image = try TestImage()
        let error = try await failure(
            of: image,
            {
                $0.stallTimeout = .milliseconds(50)
                $0.maximumAttempts = 2
            }, keepsPartial: true
        ) { request in
            guard isBlob(request, image) else { return nil }
            return TestAnswer(
                headers: [("Content-Length", "\(image.layers[1].count)")], body: Array(image.layers[1].prefix(10)),
                ending: .stall)
        }
        #expect(error.code == .unreachable)
        #expect(error.message.contains("stalled"))
    }

    @Test func exchangedManifest() async throws {
        let image = try TestImage()
        let other = try TestImage([5])
        let server = try await TestServer { _ in
            TestAnswer(headers: [("Content-Type", MediaType.ociManifest)], body: other.manifest)
        }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let error = await registryError { _ = try await repository.manifest(.digest(image.digest)) }
            #expect(error?.code == .contentMismatch)
            #expect(error?.message.contains("manifest verification failed for digest \(try image.digest)") == true)
        }
    }

    @Test func manifestOfAnotherDigestThanItsHeader() async throws {
        let image = try TestImage()
        let error = try await failure(of: image) { request in
            guard request.path.contains("/manifests/") else { return nil }
            return TestAnswer(
                headers: [("Content-Type", MediaType.ociManifest), ("Docker-Content-Digest", "\(Digest.empty)")],
                body: image.manifest)
        }
        #expect(error.code == .contentMismatch)
    }

    @Test(arguments: [
        (MediaType.ociManifest, "<html><body>Welcome to the hotel</body></html>"), ("text/html", "<html></html>"),
        (MediaType.ociManifest, "{}"), (MediaType.ociManifest, "[1,2]"), (MediaType.ociManifest, ""),
        (MediaType.ociIndex, #"{"schemaVersion":2,"manifests":[{"digest":"sha256:../../etc","size":1}]}"#),
        (MediaType.ociManifest, #"{"schemaVersion":2,"config":{"digest":"x","size":-1},"layers":[]}"#),
        (MediaType.ociManifest, #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociIndex)","manifests":[]}"#),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", #"{"schemaVersion":1,"name":"app"}"#),
    ])
    func manifestsOfAnotherShape(_ type: String, _ body: String) async throws {
        let image = try TestImage()
        let error = try await failure(of: image) { request in
            request.path.contains("/manifests/")
                ? TestAnswer(headers: [("Content-Type", type)], body: Array(body.utf8)) : nil
        }
        #expect([.invalidResponse, .notSupported].contains(error.code))
        #expect(error.message.contains("app"))
    }

    @Test(arguments: [true, false]) func endlessManifest(_ tellsItsLength: Bool) async throws {
        let image = try TestImage()
        let error = try await failure(of: image) { request in
            guard request.path.contains("/manifests/") else { return nil }
            var answer = TestAnswer(
                headers: [("Content-Type", MediaType.ociManifest)], body: [UInt8](repeating: 0x20, count: 64 << 10),
                ending: .repeated(5 << 30))
            if !tellsItsLength { answer.headers.append(("Content-Length", "\(4 << 20)")) }
            return answer
        }
        #expect(error.code == .invalidResponse)
    }

    @Test func indexesWithoutEnd() async throws {
        // An index that lists itself cannot be made; one that is answered for every digest can.
        let server = try await TestServer { request in
            let index =
                #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociIndex)","manifests":[{"mediaType":"\#(MediaType.ociIndex)","digest":"\#(Digest.empty)","size":0}]}"#
            return TestAnswer(headers: [("Content-Type", MediaType.ociIndex)], body: Array(index.utf8))
        }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let error = await registryError { _ = try await repository.image(.tag("1"), platform: nil) }
            #expect(error?.code == .contentMismatch)
        }
    }

    @Test func redirectsInCircles() async throws {
        let image = try TestImage()
        let server = try await TestServer { request in
            request.path.contains("/blobs/") ? .empty(307, [("Location", request.path)]) : image.respond(request)
        }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let error = await registryError { _ = try await repository.image(.tag("1"), platform: nil) }
            #expect(error?.code == .invalidResponse)
            #expect(error?.message.contains("stopped after 10 redirects") == true)
        }
        #expect(server.requests("GET", "/blobs/").count == 11)
    }

    @Test(arguments: ["file:///etc/passwd", "http://", "\u{1}"])
    func redirectsToNowhere(_ location: String) async throws {
        let image = try TestImage()
        let error = try await failure(of: image) { request in
            request.path.contains("/blobs/") ? .empty(307, [("Location", location)]) : nil
        }
        #expect([.invalidResponse, .unreachable].contains(error.code))
    }

    @Test func missingImageInDockersWords() async throws {
        let image = try TestImage()
        let error = try await failure(of: image) { request in
            request.path.contains("/manifests/") ? .error(404, "MANIFEST_UNKNOWN", "manifest unknown") : nil
        }
        #expect(error.code == .notFound)
        #expect(error.message.hasPrefix("manifest for 127.0.0.1:"))
        #expect(error.message.hasSuffix("/app:1 not found: manifest unknown: manifest unknown"))
    }

    @Test func deniedImageInDockersWords() async throws {
        let image = try TestImage()
        let error = try await failure(of: image) { request in
            request.path.contains("/manifests/")
                ? .error(403, "DENIED", "requested access to the resource is denied") : nil
        }
        #expect(error.code == .denied)
        #expect(
            error.message.hasSuffix(
                "/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
            ))
    }

    @Test func missingBlob() async throws {
        let image = try TestImage()
        let error = try await failure(of: image) { request in
            isBlob(request, image) ? .error(404, "BLOB_UNKNOWN", "blob unknown to registry") : nil
        }
        #expect(error.code == .notFound)
        #expect(error.message.contains("must be pushed anew"))
    }

    @Test func comeBackLater() async throws {
        let image = try TestImage()
        let server = try await TestServer { request in
            .empty(429, [("Retry-After", "0")])
        }
        try await withClient {
            $0.maximumAttempts = 4
        } _: { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let error = await registryError { _ = try await repository.manifest(.tag("1")) }
            #expect(error?.code == .rateLimited)
            #expect(error?.message.contains("toomanyrequests") == true)
        }
        #expect(server.requests.count == 4)
        _ = image
    }

    @Test func retryAfterIsObeyed() async throws {
        let image = try TestImage()
        let box = Flag()
        let server = try await TestServer { request in
            box.raise() ? .empty(503, [("Retry-After", "1")]) : image.respond(request)
        }
        try await withClient {
            $0.firstWait = .hours(1)
        } _: { client in
            // Our own wait would be an hour: only the registry's explains that there is an answer at all.
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            _ = try await repository.manifest(.tag("1"))
        }
        #expect(server.requests.count == 2)
    }

    @Test func longRetryAfterIsReportedAtOnce() async throws {
        let server = try await TestServer { _ in .empty(429, [("Retry-After", "3600")]) }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let failure1 = await registryError { _ = try await repository.manifest(.tag("1")) }
            #expect(failure1?.code == .rateLimited)
        }
        #expect(server.requests.count == 1)
    }

    @Test func failuresOfTheServerPass() async throws {
        let image = try TestImage()
        let box = Flag()
        let server = try await TestServer { request in box.raise() ? .empty(500) : image.respond(request) }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            _ = try await repository.manifest(.tag("1"))
        }
    }

    @Test func nobodyListens() async throws {
        let socket = try UnheardSocket()
        let port = socket.port
        try await withClient {
            $0.maximumAttempts = 2
        } _: { client in
            let repository = try client.repository(ImageReference("127.0.0.1:\(port)/app"), credential: nil)
            let error = await registryError { _ = try await repository.manifest(.tag("1")) }
            #expect(error?.code == .unreachable)
            let message = error?.message ?? ""
            #expect(message.contains("connection refused"))
            #expect(message.contains("127.0.0.1:\(port)"))
        }
    }

    @Test func noSuchHost() async throws {
        try await withClient {
            $0.maximumAttempts = 1
        } _: { client in
            let repository = try client.repository(ImageReference("no-such-host.invalid/app"), credential: nil)
            let error = await registryError { _ = try await repository.manifest(.tag("1")) }
            #expect(error?.code == .unreachable)
            #expect(error?.message.contains("no-such-host.invalid") == true)
        }
    }

    @Test func noImageForThePlatform() async throws {
        let index =
            #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociIndex)","manifests":[{"mediaType":"\#(MediaType.ociManifest)","digest":"\#(Digest.empty)","size":1,"platform":{"os":"linux","architecture":"s390x"}}]}"#
        let server = try await TestServer { _ in
            TestAnswer(headers: [("Content-Type", MediaType.ociIndex)], body: Array(index.utf8))
        }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let error = await registryError {
                _ = try await repository.image(.tag("1"), platform: Platform("linux/arm/v7"))
            }
            #expect(error?.code == .platformMismatch)
            #expect(
                error?.message.contains("no matching manifest for linux/arm/v7 in the manifest list entries") == true)
            #expect(error?.message.contains("linux/s390x") == true)
        }
    }

    @Test func brokenMirrorIsPassedOver() async throws {
        let image = try TestImage()
        let broken = try await TestServer { _ in .error(404, "MANIFEST_UNKNOWN", "manifest unknown") }
        let good = try await TestServer { image.respond($0, name: "library/app") }
        try await withClient {
            $0.mirrors = ["http://\(broken.host)", "http://\(good.host)"]
        } _: { client in
            let repository = try client.repository(ImageReference("app"), credential: nil)
            let found = try await repository.image(.tag("1"), platform: nil)
            #expect(found.manifest.digest == (try image.digest))
        }
        #expect(!broken.requests.isEmpty)
    }

    @Test func fullDiskIsOurs() async throws {
        struct NoSpace: Error, CustomStringConvertible { var description: String { "no space left on the disk" } }
        struct FullDisk: BlobWriter {
            func replay(_ body: @escaping @Sendable (UnsafeRawBufferPointer) -> Void) async throws -> Int64 { 0 }
            func write(_ bytes: ByteBuffer) async throws { throw NoSpace() }
            func restart() async throws {}
            func commit() async throws {}
        }
        let image = try TestImage()
        let server = try await TestServer { image.respond($0) }
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let error = await registryError { try await repository.download(image.descriptor(1), into: FullDisk()) }
            #expect(error?.code == .storageFailed)
            #expect(error?.message.contains("no space left on the disk") == true)
        }
        // It is not the connection's fault, so it is not tried again.
        #expect(server.requests("GET", "/blobs/").count == 1)
    }

    @Test func cancelledDownloadKeepsWhatCame() async throws {
        let image = try TestImage([2_000_000])
        let server = try await TestServer { request in
            guard isBlob(request, image, 0) else { return image.respond(request) }
            return TestAnswer(
                headers: [("Content-Length", "2000000")], body: Array(image.layers[0].prefix(1_000_000)), ending: .stall
            )
        }
        let store = MemoryStore()
        let descriptor = try image.descriptor(0)
        try await withClient { client in
            let repository = try client.repository(ImageReference("\(server.host)/app"), credential: nil)
            let (events, continuation) = AsyncStream.makeStream(of: Int64.self)
            let task = Task {
                try await repository.download(descriptor, into: store.writer(descriptor.digest)) {
                    continuation.yield($0)
                }
            }
            for await _ in events { break }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        let kept = try #require(store.partial[descriptor.digest])
        #expect(kept.count >= 512 << 10)
        #expect(Array(image.layers[0].prefix(kept.count)) == kept)
    }
}
