import NIOHTTP1
import OCI

/// The manifests, blobs and tags of one name in a registry, as one user sees them.
public struct Repository: Sendable {
    let client: RegistryClient
    /// Without tag and digest.
    public let reference: ImageReference
    /// Whom to read from, in this order: mirrors, then the registry.
    let readers: [Exchange]
    /// Whom to write to.
    let registry: Exchange

    var name: String { reference.path }
    var pullScope: String { "repository:\(name):pull" }

    /// What the repository is called at one of the readers.
    func name(at reader: Exchange) -> String { reader.endpoint.repository?.path ?? name }
    func pullScope(at reader: Exchange) -> String { "repository:\(name(at: reader)):pull" }

    var pushScope: String { "repository:\(name):pull,push" }

    /// Reads from the first endpoint that can give it. What the last one said is what went wrong.
    func reading<Result: Sendable>(
        _ body: @Sendable (Exchange) async throws -> Result
    ) async throws -> Result {
        var failure: any Error = RegistryError(.invalidInput, "there is no registry for \(reference.familiarName)")
        for reader in readers {
            do { return try await body(reader) } catch {
                if error is CancellationError || Task.isCancelled { throw CancellationError() }
                // Another endpoint does not empty a full disk.
                if let error = error as? RegistryError, error.code == .storageFailed { throw error }
                failure = error
            }
        }
        throw failure
    }

    /// The error that an answer means, for this repository.
    func failure(
        _ response: RegistryResponse, _ exchange: Exchange, for what: String? = nil
    ) async -> RegistryError {
        await RegistryError(response, for: what ?? reference.familiarName, registry: exchange.endpoint.name)
    }
}

/// How a manifest is asked for.
public enum ManifestName: Hashable, Sendable, CustomStringConvertible {
    case tag(String)
    case digest(Digest)

    /// The more exact of what a reference holds; `latest` for neither.
    public init(_ reference: ImageReference) {
        self = reference.digest.map { .digest($0) } ?? .tag(reference.tag ?? ImageReference.defaultTag)
    }

    public var description: String {
        switch self {
        case .tag(let tag): tag
        case .digest(let digest): digest.description
        }
    }

    /// As the end of a reference: `:12` or `@sha256:…`.
    var suffix: String {
        switch self {
        case .tag(let tag): ":\(tag)"
        case .digest(let digest): "@\(digest)"
        }
    }
}
