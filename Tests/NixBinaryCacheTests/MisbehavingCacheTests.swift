import Archive
import Kernel
import NixBinaryCache
import NixStore
import Synchronization
import Testing

/// Caches that lie, break off or lead elsewhere: an error that says so, and nothing registered.
@Suite struct MisbehavingCacheTests {
    /// One object, as a cache has it.
    struct Fixture: Sendable {
        let key: SigningKey
        let path: StorePath
        var narInfo: NarInfo
        let file: [UInt8]
        let text: String

        init() throws {
            key = try SigningKey(generating: "test-1")
            text = String(repeating: "the quick brown fox ", count: 40_000)
            let memory = MemoryStore()
            path = try memory.addFile("object", text, signedBy: key)
            let sink = MemorySink()
            let compressing = try CompressingSink(sink, .gzip, level: 1)
            try compressing.write(MemoryStore.archive(of: text))
            try compressing.finish()
            file = sink.bytes
            guard let info = memory.info(of: path) else { throw StoreError(.notFound, "fixture") }
            narInfo = NarInfo(
                info, url: "nar/object.nar.gz", compression: "gzip", fileHash: Hash(.sha256, of: file),
                fileSize: UInt64(file.count))
        }

        var narInfoPath: String { "/\(path.hashPart).narinfo" }
        var description: [UInt8] { Array(narInfo.text(in: StoreDirectory()).utf8) }

        /// The answer of an honest cache.
        func answer(_ request: CacheServer.Request) -> CacheServer.Answer {
            switch request.path {
            case "/nix-cache-info": .file(Array("StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 30\n".utf8))
            case narInfoPath: .file(description)
            case "/nar/object.nar.gz": .file(file)
            default: .status(404)
            }
        }
    }

    private static var settings: TransferSettings {
        var settings = TransferSettings()
        settings.attempts = 3
        settings.firstWait = 1
        settings.stallTimeout = 0.5
        return settings
    }

    /// Fetches the object and gives what came of it.
    private func fetch(
        _ fixture: Fixture, requiresSignatures: Bool = true,
        _ answer: @escaping @Sendable (CacheServer.Request) -> CacheServer.Answer
    ) async throws -> (failure: String?, requests: [CacheServer.Request]) {
        try await onOwnThread {
            let server = try CacheServer(answer)
            defer { server.stop() }
            let destination = MemoryStore()
            var failure: String?
            do {
                let cache = try BinaryCacheStore(CacheAddress(server.address), settings: Self.settings)
                var substituter = Substituter([cache], trustedKeys: TrustedKeys([fixture.key.publicKey]))
                substituter.requiresSignatures = requiresSignatures
                let plan = try substituter.substitute([fixture.path], into: destination)
                failure = plan.unavailable[fixture.path]
            } catch { failure = "\(error)" }
            #expect(destination.paths == (failure == nil ? [fixture.path] : []))
            return (failure, server.requests)
        }
    }

    @Test func honest() async throws {
        let fixture = try Fixture()
        let outcome = try await fetch(fixture) { fixture.answer($0) }
        #expect(outcome.failure == nil)
    }

    @Test func resumesWhereItBroke() async throws {
        let fixture = try Fixture()
        let half = fixture.file.count / 2
        let outcome = try await fetch(fixture) { request in
            guard request.path == "/nar/object.nar.gz" else { return fixture.answer(request) }
            guard let range = request.headers["range"] else { return .cut(fixture.file, after: half) }
            guard let start = Int(range.dropFirst(6).dropLast()) else { return .status(400) }
            return .file(
                Array(fixture.file[start...]),
                headers: ["Content-Range": "bytes \(start)-\(fixture.file.count - 1)/\(fixture.file.count)"],
                status: 206)
        }
        #expect(outcome.failure == nil)
        let asked = outcome.requests.filter { $0.path == "/nar/object.nar.gz" }
        #expect(asked.count == 2)
        #expect(asked.last?.headers["range"] != nil)
    }

    @Test func resumesWithoutRanges() async throws {
        let fixture = try Fixture()
        let counter = Counter()
        let outcome = try await fetch(fixture) { request in
            guard request.path == "/nar/object.nar.gz", counter.next() < 2 else { return fixture.answer(request) }
            return .cut(fixture.file, after: 700)
        }
        #expect(outcome.failure == nil)
    }

    @Test func triesAgainWhenBusy() async throws {
        let fixture = try Fixture()
        let counter = Counter()
        let outcome = try await fetch(fixture) { request in
            request.path == fixture.narInfoPath && counter.next() < 2 ? .status(503) : fixture.answer(request)
        }
        #expect(outcome.failure == nil)
    }

    @Test func alwaysBreaksOff() async throws {
        let fixture = try Fixture()
        let outcome = try await fetch(fixture) { request in
            request.path.hasPrefix("/nar/") ? .cut(fixture.file, after: 100) : fixture.answer(request)
        }
        #expect(outcome.failure?.contains("cannot download") == true)
    }

    @Test func stalls() async throws {
        let fixture = try Fixture()
        let outcome = try await fetch(fixture) { request in
            request.path.hasPrefix("/nar/") ? .stall(fixture.file, after: 100) : fixture.answer(request)
        }
        #expect(outcome.failure?.contains("stalled") == true)
    }

    @Test func wrongBytes() async throws {
        let fixture = try Fixture()
        let outcome = try await fetch(fixture) { request in
            guard request.path.hasPrefix("/nar/") else { return fixture.answer(request) }
            let sink = MemorySink()
            guard let compressing = try? CompressingSink(sink, .gzip, level: 1) else { return .status(500) }
            let other = fixture.text.replacing("fox", with: "dog")
            guard (try? compressing.write(MemoryStore.archive(of: other))) != nil,
                (try? compressing.finish()) != nil
            else { return .status(500) }
            return .file(sink.bytes)
        }
        #expect(outcome.failure?.contains("corrupt") == true)
    }

    @Test func damagedCompression() async throws {
        let fixture = try Fixture()
        let outcome = try await fetch(fixture) { request in
            guard request.path.hasPrefix("/nar/") else { return fixture.answer(request) }
            var bytes = fixture.file
            bytes[bytes.count / 2] ^= 0xFF
            return .file(bytes)
        }
        #expect(outcome.failure?.contains("corrupt") == true)
    }

    @Test func hypertext() async throws {
        let fixture = try Fixture()
        let page = Array("<!DOCTYPE html>\n<html><body>Sign in to the café's network</body></html>\n".utf8)
        let everywhere = try await fetch(fixture) { _ in .file(page) }
        #expect(everywhere.failure?.contains("corrupt") == true)
        let described = try await fetch(fixture) { request in
            request.path == fixture.narInfoPath ? .file(page) : fixture.answer(request)
        }
        #expect(described.failure?.contains("corrupt") == true)
        let archived = try await fetch(fixture) { request in
            request.path.hasPrefix("/nar/") ? .file(page) : fixture.answer(request)
        }
        #expect(archived.failure?.contains("corrupt") == true)
    }

    @Test func redirectsInCircles() async throws {
        let fixture = try Fixture()
        let outcome = try await fetch(fixture) { request in
            request.path.hasPrefix("/nar/")
                ? .status(302, headers: ["Location": request.path]) : fixture.answer(request)
        }
        #expect(outcome.failure?.contains("circles") == true)
    }

    @Test func followsARedirect() async throws {
        let fixture = try Fixture()
        let outcome = try await fetch(fixture) { request in
            switch request.path {
            case "/nar/object.nar.gz": .status(307, headers: ["Location": "/elsewhere"])
            case "/elsewhere": .file(fixture.file)
            default: fixture.answer(request)
            }
        }
        #expect(outcome.failure == nil)
    }

    @Test func giantDescription() async throws {
        let fixture = try Fixture()
        let line = Array(("StorePath: " + String(repeating: "x", count: 65_000) + "\n").utf8)
        let outcome = try await fetch(fixture) { request in
            request.path == fixture.narInfoPath ? .endless(line) : fixture.answer(request)
        }
        #expect(outcome.failure?.contains("longer than") == true)
    }

    @Test(arguments: ["none", "gzip"]) func endlessArchive(compression: String) async throws {
        var fixture = try Fixture()
        fixture.narInfo.compression = compression
        fixture.narInfo.fileSize = nil
        fixture.narInfo.fileHash = nil
        // Members of gzip one after the other are one stream.
        let piece = compression == "none" ? Array(fixture.text.utf8) : fixture.file
        let lying = fixture
        let outcome = try await fetch(fixture) { request in
            request.path.hasPrefix("/nar/") ? .endless(piece) : lying.answer(request)
        }
        #expect(outcome.failure?.contains("more than") == true)
    }

    @Test(arguments: ["../../etc/passwd", "/etc/passwd", "nar/../../x", "nar//x", "file:///etc/passwd", "ftp://host/x"])
    func namesAFileElsewhere(url: String) async throws {
        var fixture = try Fixture()
        fixture.narInfo.url = url
        let lying = fixture
        let outcome = try await fetch(fixture) { lying.answer($0) }
        #expect(outcome.failure?.contains("outside of itself") == true)

        // And a cache in a directory.
        try await onOwnThread {
            let root = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp", prefix: "dhow-cache-")
            defer { try? FileDescriptor.currentDirectory.removeTree(root) }
            let cache = try BinaryCacheStore(CacheAddress("file://\(root)"), creates: true)
            try FileDescriptor.currentDirectory.writeFile(
                root + lying.narInfoPath, lying.description, creating: true)
            let destination = MemoryStore()
            let error = #expect(throws: StoreError.self) {
                try Substituter([cache], trustedKeys: TrustedKeys([lying.key.publicKey]))
                    .substitute([lying.path], into: destination)
            }
            #expect(error?.reason.contains("outside of itself") == true)
            #expect(destination.paths.isEmpty)
        }
    }

    enum Lie: CaseIterable {
        case fileHash, fileSize, narHash, narSize, noSignature, otherKey, changedReferences, otherObject, unsupported
    }

    @Test(arguments: Lie.allCases) func lies(_ lie: Lie) async throws {
        var fixture = try Fixture()
        let stranger = try SigningKey(generating: "test-1")
        let directory = StoreDirectory()
        switch lie {
        case .fileHash: fixture.narInfo.fileHash = Hash(.sha256, of: "other")
        case .fileSize: fixture.narInfo.fileSize = UInt64(fixture.file.count + 1)
        case .narHash:
            fixture.narInfo.info.narHash = Hash(.sha256, of: "other")
            try fixture.narInfo.info.sign(with: fixture.key, in: directory)
        case .narSize:
            fixture.narInfo.info.narSize += 8
            try fixture.narInfo.info.sign(with: fixture.key, in: directory)
        case .noSignature: fixture.narInfo.info.signatures = []
        case .otherKey: try fixture.narInfo.info.sign(with: stranger, in: directory)
        case .changedReferences: fixture.narInfo.info.references = [fixture.path]
        case .otherObject:
            fixture.narInfo.info.path = try MemoryStore().addFile("else", "else")
            try fixture.narInfo.info.sign(with: fixture.key, in: directory)
        case .unsupported: fixture.narInfo.compression = "br"
        }
        let lying = fixture
        let outcome = try await fetch(fixture) { lying.answer($0) }
        let expected =
            switch lie {
            case .noSignature, .otherKey, .changedReferences: "lacks a signature"
            case .unsupported: "'br'"
            default: "corrupt"
            }
        #expect(outcome.failure?.contains(expected) == true, "\(outcome.failure ?? "accepted")")
        if [.noSignature, .otherKey, .changedReferences].contains(lie) {
            // Nothing was even downloaded.
            #expect(!outcome.requests.contains { $0.path.hasPrefix("/nar/") })
        }
    }

    @Test func anotherStoresCache() async throws {
        let fixture = try Fixture()
        let outcome = try await fetch(fixture) { request in
            request.path == "/nix-cache-info" ? .file(Array("StoreDir: /opt/store\n".utf8)) : fixture.answer(request)
        }
        #expect(outcome.failure?.contains("/opt/store") == true)
    }

    @Test func nobodyListens() async throws {
        let outcome = try await onOwnThread { () -> String in
            let server = try CacheServer { _ in .status(404) }
            server.stop()
            do {
                _ = try BinaryCacheStore(CacheAddress(server.address), settings: Self.settings)
                return ""
            } catch { return "\(error)" }
        }
        #expect(outcome.contains("connection refused"))
    }

    @Test func loginsStayWithTheirHost() async throws {
        let fixture = try Fixture()
        let other = try CacheServer { _ in .file(fixture.file) }
        let otherAddress = "http://localhost:\(other.port)/x"
        let server = try CacheServer { request in
            guard request.headers["authorization"] == "Basic bWU6c2VjcmV0" else { return .status(401) }
            return request.path.hasPrefix("/nar/")
                ? .status(302, headers: ["Location": otherAddress]) : fixture.answer(request)
        }
        try await onOwnThread {
            var settings = Self.settings
            settings.logins = NetworkLogins(parsing: "machine 127.0.0.1\n login me # mine\n password secret\n")
            let cache = try BinaryCacheStore(CacheAddress(server.address), settings: settings)
            let destination = MemoryStore()
            try Substituter([cache], trustedKeys: TrustedKeys([fixture.key.publicKey]))
                .substitute([fixture.path], into: destination)
            #expect(destination.paths == [fixture.path])
            let error = #expect(throws: StoreError.self) {
                try BinaryCacheStore(CacheAddress(server.address), settings: Self.settings)
            }
            #expect(error?.reason.contains("netrc-file") == true)
        }
        #expect(other.requests.count == 1)
        #expect(other.requests.first?.headers["authorization"] == nil)
        try await onOwnThread {
            server.stop()
            other.stop()
        }
    }
}

/// Counts calls from several threads.
final class Counter: Sendable {
    private let value = Mutex(0)

    /// How many calls there were before.
    func next() -> Int {
        value.withLock { value in
            defer { value += 1 }
            return value
        }
    }
}
