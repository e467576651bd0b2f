import Credentials
import Kernel
import NIOSSL
import OCI
import Testing

@testable import Registry

/// Against the registry that everybody else's clients are tested with.
@Suite(.enabled(if: DebianRegistry.isInstalled, "needs Debian's docker-registry")) struct DebianRegistryTests {
    /// A client that waits until the registry has started.
    private func withRegistry(
        _ protection: DebianRegistry.Protection = .none, _ host: String? = nil,
        _ body: @escaping @Sendable (RegistryClient, DebianRegistry, String) async throws -> Void
    ) async throws {
        let registry = try DebianRegistry(protection)
        let certificates = try TemporaryDirectory()
        let name = host.map { "\($0):\(registry.port)" } ?? registry.host
        if protection == .tls {
            let folder = "\(certificates.path)/\(name)"
            try FileDescriptor.currentDirectory.makeDirectory(folder)
            try FileDescriptor.currentDirectory.makeSymbolicLink("\(folder)/ca.crt", to: registry.authority)
        }
        try await withClient(addresses: host.map { [$0: "127.0.0.1"] } ?? [:]) {
            $0.certificateDirectories = [certificates.path]
            $0.firstWait = .milliseconds(20)
            // Until it listens, connections are refused: that is tried again.
            $0.maximumAttempts = 50
            $0.longestWait = .milliseconds(200)
        } _: { client in
            try await body(client, registry, name)
        }
    }

    private struct Layers: BlobReader {
        let image: TestImage
        func open(_ blob: Descriptor, from offset: Int64) async throws -> BlobStream {
            let layer = try image.layers.first { try TestImage.digest($0) == blob.digest } ?? []
            return try await MemoryReader(layer).open(blob, from: offset)
        }
    }

    private static func outgoing(_ image: TestImage) throws -> OutgoingImage {
        OutgoingImage(
            manifest: RemoteManifest(mediaType: MediaType.ociManifest, bytes: image.manifest, digest: try image.digest),
            config: Descriptor(
                mediaType: MediaType.ociConfig, digest: try TestImage.digest(image.config),
                size: Int64(image.config.count)),
            configBytes: image.config, layers: try image.layers.indices.map { try image.descriptor($0) })
    }

    /// There and back, and away.
    private static func roundTrip(_ client: RegistryClient, _ name: String, _ credential: Credential?) async throws {
        let image = try TestImage([3000, 2_500_000])
        let repository = try client.repository(ImageReference("\(name)/team/app"), credential: credential)
        try await repository.push(outgoing(image), as: .tag("1"), from: Layers(image: image)) { _ in }
        let tags = try await repository.tags()
        #expect(tags == ["1"])
        let resolved = try await repository.resolve(.tag("1"))
        #expect(resolved?.digest == (try image.digest))
        let store = MemoryStore()
        let found = try await repository.image(.digest(image.digest), platform: nil)
        #expect(found.configBytes == image.config)
        try await repository.download(found.layers, into: store) { _ in }
        for layer in image.layers { #expect(store.blobs[try TestImage.digest(layer)] == layer) }
        let catalog = try await client.catalog(of: name, credential: credential)
        #expect(catalog == ["team/app"])
        let hits = try await client.search("\(name)/team", limit: 5, credential: credential)
        #expect(hits.map(\.name) == ["\(name)/team/app"])
        try await repository.delete(.digest(image.digest))
        let gone = try await repository.resolve(.tag("1"))
        #expect(gone == nil)
        let error = await registryError { _ = try await repository.manifest(.tag("1")) }
        #expect(error?.message == "manifest for \(name)/team/app:1 not found: manifest unknown: manifest unknown")
    }

    @Test func plain() async throws {
        try await withRegistry { client, _, name in try await Self.roundTrip(client, name, nil) }
    }

    @Test func chunked() async throws {
        let registry = try DebianRegistry()
        try await withClient {
            $0.uploadChunkSize = 1 << 20
            $0.firstWait = .milliseconds(20)
            $0.maximumAttempts = 50
            $0.longestWait = .milliseconds(200)
        } _: { client in
            try await Self.roundTrip(client, registry.host, nil)
        }
    }

    @Test func encrypted() async throws {
        try await withRegistry(.tls, "registry.test") { client, _, name in
            #expect(!client.configuration.isInsecure(name))
            try await Self.roundTrip(client, name, nil)
        }
    }

    @Test func strangersCertificate() async throws {
        try await withRegistry(.tls, "registry.test") { client, registry, name in
            // The same server, and nobody who vouches for it.
            try await withClient(addresses: ["registry.test": "127.0.0.1"]) {
                $0.firstWait = .milliseconds(20)
                $0.longestWait = .milliseconds(200)
                $0.maximumAttempts = 50
            } _: { client in
                let repository = try client.repository(ImageReference("\(name)/app"), credential: nil)
                let error = await registryError { _ = try await repository.tags() }
                #expect(error?.code == .insecure)
                #expect(error?.message.contains("/etc/docker/certs.d/\(name)/ca.crt") == true)
            }
            // Nor is it whom we asked for.
            try await withClient(addresses: ["other.test": "127.0.0.1"]) {
                $0.certificateDirectories = ["\(registry.directory.path)/certs"]
            } _: { client in
                let other = "other.test:\(registry.port)"
                let folder = "\(registry.directory.path)/certs/\(other)"
                try FileDescriptor.currentDirectory.makeDirectories(folder)
                try FileDescriptor.currentDirectory.makeSymbolicLink("\(folder)/ca.crt", to: registry.authority)
                let repository = try client.repository(ImageReference("\(other)/app"), credential: nil)
                let error = await registryError { _ = try await repository.tags() }
                #expect(error?.code == .insecure)
            }
            // Listed as insecure, it will do.
            try await withClient(addresses: ["registry.test": "127.0.0.1"]) {
                $0.insecureRegistries = ["registry.test"]
            } _: { client in
                try await Self.roundTrip(client, name, nil)
            }
        }
    }

    @Test func plainWhereTLSIsExpected() async throws {
        let registry = try DebianRegistry()
        try await withClient(addresses: ["registry.test": "127.0.0.1"]) {
            $0.firstWait = .milliseconds(20)
            $0.longestWait = .milliseconds(200)
            $0.maximumAttempts = 50
        } _: { client in
            let repository = try client.repository(
                ImageReference("registry.test:\(registry.port)/app"),
                credential: .password(username: "me", password: "x"))
            let error = await registryError { _ = try await repository.tags() }
            #expect(error?.code == .insecure)
            #expect(error?.message.contains("http: server gave HTTP response to HTTPS client") == true)
        }
    }

    @Test func withPassword() async throws {
        try await withRegistry(.password) { client, _, name in
            let credential = Credential.password(username: "me", password: "secret")
            try await Self.roundTrip(client, name, credential)
            let token = try await client.logIn(to: name, with: credential)
            #expect(token == nil)
            let refused = await registryError {
                _ = try await client.logIn(to: name, with: .password(username: "me", password: "wrong"))
            }
            #expect(refused?.code == .unauthorized)
            let nobody = try client.repository(ImageReference("\(name)/team/app"), credential: nil)
            let error = await registryError { _ = try await nobody.tags() }
            #expect(error?.code == .unauthorized)
        }
    }

    @Test func mountsFromAnotherRepository() async throws {
        try await withRegistry { client, _, name in
            let image = try TestImage()
            let first = try client.repository(ImageReference("\(name)/first"), credential: nil)
            try await first.push(Self.outgoing(image), as: .tag("1"), from: Layers(image: image)) { _ in }
            let second = try client.repository(ImageReference("\(name)/second"), credential: nil)
            let result = try await second.upload(
                image.descriptor(1), from: Layers(image: image), mountingFrom: [ImageReference("\(name)/first")])
            #expect(result == .mounted(from: "first"))
        }
    }
}
