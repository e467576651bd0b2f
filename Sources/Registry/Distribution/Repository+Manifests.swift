import Hashing
import JSON
import NIOHTTP1
import OCI

/// A manifest or an index, byte for byte as the registry has it.
public struct RemoteManifest: Sendable, Equatable {
    public var mediaType: String
    public var bytes: [UInt8]
    public var digest: Digest

    public init(mediaType: String, bytes: [UInt8], digest: Digest) {
        self.mediaType = mediaType
        self.bytes = bytes
        self.digest = digest
    }

    public var descriptor: Descriptor { Descriptor(mediaType: mediaType, digest: digest, size: Int64(bytes.count)) }
    public var isIndex: Bool { MediaType.isIndex(mediaType) }
}

extension Repository {
    /// What we can do something with, in our order of preference.
    static let acceptedManifests = [
        MediaType.ociIndex, MediaType.dockerManifestList, MediaType.ociManifest, MediaType.dockerManifest,
        // Understood well enough to say that it is not supported any more.
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ]

    private func request(_ method: HTTPMethod, _ name: ManifestName, at exchange: Exchange) -> RegistryRequest {
        var request = RegistryRequest(
            method, "\(self.name(at: exchange))/manifests/\(name)", scopes: [pullScope(at: exchange)])
        for type in Self.acceptedManifests { request.headers.add(name: "Accept", value: type) }
        return request
    }

    /// Fetches a manifest or an index.
    /// - Throws: `RegistryError`; `.contentMismatch` when it is not what its digest promises.
    public func manifest(_ name: ManifestName) async throws -> RemoteManifest {
        try await reading { exchange in
            let response = try await exchange.send(self.request(.GET, name, at: exchange))
            guard response.status == 200 else {
                throw await self.failure(response, exchange).asPull(of: self.reference, name)
            }
            return try await self.read(response, name, exchange)
        }
    }

    private func read(
        _ response: RegistryResponse, _ name: ManifestName, _ exchange: Exchange
    ) async throws -> RemoteManifest {
        let what = "the manifest for \(reference.familiarName)\(name.suffix)"
        let bytes = try await response.bytes(limit: client.configuration.manifestLimit, of: what)
        let registry = exchange.endpoint.name
        let value: JSONValue
        do { value = try JSONValue(parsing: bytes) } catch {
            let type = response.headers.first(name: "Content-Type") ?? "no type"
            throw RegistryError(
                .invalidResponse,
                "\(what) is no JSON (\(type)): \(error): \(registry) may be no registry, or a proxy answers for it",
                status: response.status)
        }
        var expected: Digest?
        if case .digest(let digest) = name { expected = digest }
        // What the registry calls it by tag, where it says so.
        if expected == nil, let text = response.headers.first(name: "Docker-Content-Digest") {
            guard let digest = try? Digest(text) else {
                throw RegistryError(
                    .invalidResponse,
                    "\(what): the registry \(registry) gives it an invalid digest, \"\(text.prefix(200))\"")
            }
            expected = digest
        }
        let digest = try ContentHash.digest(of: bytes, expected?.algorithm ?? .sha256)
        if let expected, expected != digest {
            throw RegistryError(
                .contentMismatch,
                "manifest verification failed for digest \(expected): \(what) from the registry \(registry) has the digest "
                    + "\(digest): it was damaged on the way, or exchanged")
        }
        let header = (response.headers.first(name: "Content-Type") ?? "").prefix { $0 != ";" }.trimmedSpaces
        let own = value["mediaType"]?.string
        // A document that could be read as two things is read as neither.
        if let own, MediaType.isIndex(own) != MediaType.isIndex(header), Self.acceptedManifests.contains(header) {
            throw RegistryError(
                .invalidResponse, "\(what) says that it is \(own), and the registry \(registry) that it is \(header)")
        }
        var type = own ?? header
        if !Self.acceptedManifests.contains(type) {
            if value["manifests"] != nil { type = MediaType.ociIndex }
            if value["config"] != nil { type = MediaType.ociManifest }
        }
        if value["schemaVersion"]?.integer == 1 {
            throw RegistryError(
                .notSupported,
                "\(what) is of Docker's schema 1, support for which has been removed everywhere; push the image anew with a "
                    + "newer tool")
        }
        return RemoteManifest(mediaType: type, bytes: bytes, digest: digest)
    }

    /// What a tag refers to, without fetching it.
    /// - Returns: `nil` when there is no such manifest.
    public func resolve(_ name: ManifestName) async throws -> Descriptor? {
        try await reading { exchange in
            let response = try await exchange.send(self.request(.HEAD, name, at: exchange))
            await response.discard()
            if response.status == 404 { return nil }
            if response.status == 200,
                let digest = response.headers.first(name: "Docker-Content-Digest").flatMap({ try? Digest($0) }),
                let size = response.headers.first(name: "Content-Length").flatMap({ Int64($0) })
            {
                return Descriptor(
                    mediaType: response.headers.first(name: "Content-Type"), digest: digest, size: size)
            }
            // An answer to HEAD has no body to say why, and some registries leave the digest out.
            let full = try await exchange.send(self.request(.GET, name, at: exchange))
            if full.status == 404 { return nil }
            guard full.status == 200 else {
                throw await self.failure(full, exchange).asPull(of: self.reference, name)
            }
            return try await self.read(full, name, exchange).descriptor
        }
    }

    /// Stores a manifest or an index under a tag, or under its digest alone.
    ///
    /// A registry that does not keep referrers itself gets the tag for them updated (distribution specification,
    /// "Unavailable Referrers API").
    public func put(_ manifest: RemoteManifest, as name: ManifestName) async throws {
        var request = RegistryRequest(.PUT, "\(self.name)/manifests/\(name)", scopes: [pushScope])
        request.headers.add(name: "Content-Type", value: manifest.mediaType)
        request.body = .bytes(manifest.bytes)
        let response = try await registry.send(request)
        guard response.status == 201 || response.status == 200 || response.status == 202 else {
            throw await failure(response, registry)
        }
        await response.discard()
        if let text = response.headers.first(name: "Docker-Content-Digest"), let digest = try? Digest(text),
            digest != manifest.digest
        {
            throw RegistryError(
                .contentMismatch,
                "the registry \(registry.endpoint.name) has stored the manifest \(manifest.digest) of \(reference.familiarName) as "
                    + "\(digest): it changed what it was given")
        }
        if response.headers.first(name: "OCI-Subject") == nil { try await recordReferrer(manifest) }
    }

    /// Deletes a manifest by its digest, or a tag.
    public func delete(_ name: ManifestName) async throws {
        let request = RegistryRequest(
            .DELETE, "\(self.name)/manifests/\(name)", scopes: ["repository:\(self.name):delete", pushScope])
        let response = try await registry.send(request)
        guard (200..<300).contains(response.status) else {
            throw await failure(response, registry, for: reference.familiarName + name.suffix)
        }
        await response.discard()
    }
}

extension RegistryError {
    /// This error of a registry in the words that Docker has for a pull, because scripts look for them.
    func asPull(of repository: ImageReference, _ name: ManifestName) -> RegistryError {
        var result = self
        let image = repository.familiarName
        switch code {
        case .notFound:
            if says("NAME_UNKNOWN") {
                result.message = "repository \(image) not found: \(reason)"
            } else if says("MANIFEST_UNKNOWN") || serverErrors.isEmpty {
                let said = serverErrors.isEmpty ? "manifest unknown: manifest unknown" : reason
                result.message = "manifest for \(image)\(name.suffix) not found: \(said)"
            }
        case .denied:
            result.message =
                "pull access denied for \(image), repository does not exist or may require 'docker login': \(reason)"
        case .unauthorized where !serverErrors.isEmpty || status == 401:
            // What a registry says of a repository that is not there, too, so as not to say which there are.
            let said = serverErrors.isEmpty ? "no basic auth credentials" : reason
            result.message =
                "pull access denied for \(image), repository does not exist or may require 'docker login \(repository.domain)': "
                + said
        default: break
        }
        return result
    }
}
