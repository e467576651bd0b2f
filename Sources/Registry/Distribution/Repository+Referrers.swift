import Hashing
import JSON
import NIOHTTP1
import OCI

extension Repository {
    /// What refers to a manifest: signatures, attestations, whatever names it as its subject.
    ///
    /// A registry without the interface for it keeps them in an index under a tag that is made from the digest
    /// (distribution specification, "Referrers Tag Schema").
    public func referrers(of digest: Digest, artifactType: String? = nil) async throws -> [Descriptor] {
        let query = artifactType.map { [("artifactType", $0)] } ?? []
        let response = try await registry.send(
            RegistryRequest(.GET, "\(name)/referrers/\(digest)", query: query, scopes: [pullScope]))
        let index: Index
        switch response.status {
        case 200:
            let bytes = try await response.bytes(
                limit: client.configuration.manifestLimit, of: "the referrers of \(digest)")
            do throws(JSONError) { index = try Index(parsing: bytes) } catch {
                throw RegistryError(
                    .invalidResponse,
                    "the registry \(registry.endpoint.name) gives something else than an index as the referrers of \(digest) "
                        + "in \(reference.familiarName): \(error)")
            }
        case 404, 405:
            await response.discard()
            index = try await referrersByTag(digest) ?? Index()
        default: throw await failure(response, registry)
        }
        // The registry need not filter.
        guard let artifactType else { return index.manifests }
        return index.manifests.filter { $0.artifactType == artifactType }
    }

    private static func referrersTag(_ digest: Digest) -> String {
        "\(digest.algorithm.rawValue)-\(digest.hex.prefix(64))"
    }

    private func referrersByTag(_ digest: Digest) async throws -> Index? {
        do {
            let manifest = try await manifest(.tag(Self.referrersTag(digest)))
            return try Index(parsing: manifest.bytes)
        } catch let error as RegistryError where error.code == .notFound { return nil }
    }

    /// Enters a manifest that has a subject into the list under the tag.
    func recordReferrer(_ manifest: RemoteManifest) async throws {
        guard let value = try? JSONValue(parsing: manifest.bytes), let subject = value["subject"], !subject.isNull,
            let digest = (subject["digest"]?.string).flatMap({ try? Digest($0) })
        else { return }
        var descriptor = manifest.descriptor
        descriptor.artifactType =
            value["artifactType"]?.string ?? value["config"]?["mediaType"]?.string
        if let annotations = value["annotations"] { descriptor.annotations = try? [String: String](json: annotations) }
        var index = try await referrersByTag(digest) ?? Index()
        guard !index.manifests.contains(where: { $0.digest == descriptor.digest }) else { return }
        index.mediaType = MediaType.ociIndex
        index.manifests.append(descriptor)
        let bytes = index.json.bytes()
        let list = RemoteManifest(
            mediaType: MediaType.ociIndex, bytes: bytes, digest: try ContentHash.digest(of: bytes))
        try await put(list, as: .tag(Self.referrersTag(digest)))
    }
}
