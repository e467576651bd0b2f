import Credentials
import EngineModel
import JSON
import OCI
import Registry
import Storage

extension ContainerEngine {
    /// Tries credentials at a registry; returns Docker's answer, with the registry's identity token if it gave one.
    public func logIn(_ auth: AuthConfig) async throws -> AuthResponse {
        let host = Credential.host(of: auth.serverAddress)
        let domain = Credential.key(for: host) == Credential.dockerHubKey || host.isEmpty ? "docker.io" : host
        guard let credential = auth.credential else {
            throw EngineError.invalid("the credentials for \(domain) are empty: a user name and a password are needed")
        }
        do {
            let token = try await registries.logIn(to: domain, with: credential)
            return AuthResponse(status: "Login Succeeded", identityToken: token ?? "")
        } catch { throw EngineError(wrapping: error) }
    }

    /// What a name means in its registry, without fetching the image.
    public func distribution(_ name: String, credential: Credential?) async throws -> DistributionInspect {
        do {
            let (manifest, repository) = try await remoteManifest(name, credential: credential)
            var result = DistributionInspect()
            result.descriptor = manifest.descriptor
            if manifest.isIndex {
                result.platforms = try Index(parsing: manifest.bytes).manifests.compactMap(\.platform)
            } else {
                let image = try await repository.image(manifest, named: name, platform: nil)
                result.platforms = [image.config.platform]
            }
            return result
        } catch { throw EngineError(wrapping: error) }
    }

    /// The manifest or index behind a name, as the registry has it.
    public func manifest(_ name: String, credential: Credential?) async throws -> (Descriptor, [UInt8]) {
        do {
            let (manifest, _) = try await remoteManifest(name, credential: credential)
            return (manifest.descriptor, manifest.bytes)
        } catch { throw EngineError(wrapping: error) }
    }

    private func remoteManifest(_ name: String, credential: Credential?) async throws -> (RemoteManifest, Repository) {
        let reference = try ImageReference(name)
        let repository = try registries.repository(reference, named: name, credential: credential)
        return (try await repository.manifest(ManifestName(reference)), repository)
    }

    /// Looks for repositories.
    public func searchImages(
        _ term: String, limit: Int, filters: Filters, credential: Credential?
    ) async throws -> [ImageSearchResult] {
        guard !term.isEmpty else { throw EngineError.invalid("invalid search term: it is empty") }
        guard (0...100).contains(limit) else {
            throw EngineError.invalid("limit \(limit) is outside the range of [1, 100]")
        }
        do {
            try filters.validate(["is-official", "is-automated", "stars"])
            let isOfficial = try filters.bool("is-official")
            let isAutomated = try filters.bool("is-automated")
            let stars = try filters["stars"].map { text in
                guard let number = Int(text) else { throw EngineError.invalid("invalid filter 'stars=\(text)'") }
                return number
            }.max()
            let found = try await registries.search(term, limit: limit == 0 ? 25 : limit, credential: credential)
            return found.filter { result in
                result.isOfficial == isOfficial ?? result.isOfficial
                    && result.isAutomated == isAutomated ?? result.isAutomated && result.starCount >= stars ?? 0
            }.map { result in
                var item = ImageSearchResult()
                item.name = result.name
                item.description = result.description
                item.starCount = result.starCount
                item.isOfficial = result.isOfficial
                item.isAutomated = result.isAutomated
                return item
            }
        } catch let error as InvalidFilter { throw EngineError.invalid("\(error)") } catch {
            throw EngineError(wrapping: error)
        }
    }
}

extension EngineError {
    init(_ error: RegistryError) {
        let code: Code
        switch error.code {
        case .notFound: code = .notFound
        // As Docker has it: a registry does not tell strangers whether a repository is there.
        case .denied: code = .notFound
        case .unauthorized: code = .unauthorized
        case .invalidInput, .platformMismatch: code = .invalidParameter
        case .notSupported: code = .notImplemented
        case .rateLimited, .serverFailed, .unreachable, .insecure, .invalidResponse, .contentMismatch, .storageFailed:
            code = .system
        }
        self.init(code, error.message)
    }
}
