import Credentials
import JSON
import NIOHTTP1
import OCI

/// A repository that a search found.
public struct SearchResult: Sendable, Equatable {
    public var name: String
    public var description: String
    public var starCount: Int
    public var isOfficial: Bool
    public var isAutomated: Bool
}

extension RegistryClient {
    /// Looks for repositories by words.
    ///
    /// Docker's own registry has an interface for it, and some others have the same; of those that have not, the catalog
    /// is searched.
    /// - Parameter term: words, behind a registry's host and a slash where it is not Docker's own.
    public func search(_ term: String, limit: Int, credential: Credential?) async throws -> [SearchResult] {
        var domain = ImageReference.defaultDomain
        var words = term
        if let slash = term.firstIndex(of: "/") {
            let first = term[..<slash]
            if first.contains(".") || first.contains(":") || first == "localhost" {
                domain = first == "index.docker.io" ? domain : String(first)
                words = String(term[term.index(after: slash)...])
            }
        }
        var endpoint = try configuration.endpoint(for: domain)
        if domain == ImageReference.defaultDomain {
            endpoint.host = "index.docker.io"
            if words.hasPrefix(ImageReference.officialPrefix) {
                words = String(words.dropFirst(ImageReference.officialPrefix.count))
            }
        }
        let exchange = exchange(endpoint, credential: credential)
        var request = RegistryRequest(.GET, "", query: [("q", words), ("n", "\(limit)")], scopes: [])
        request.root = "/v1/search"
        let response = try await exchange.send(request)
        if response.status == 404, domain != ImageReference.defaultDomain {
            await response.discard()
            let names = try await catalog(of: domain, credential: credential)
            return names.filter { words.isEmpty || $0.contains(words) }.prefix(limit).map {
                SearchResult(
                    name: "\(domain)/\($0)", description: "", starCount: 0, isOfficial: false, isAutomated: false)
            }
        }
        guard response.status == 200 else {
            throw await RegistryError(response, for: "search for \(term)", registry: domain)
        }
        let bytes = try await response.bytes(limit: configuration.manifestLimit, of: "the search's result")
        guard let list = (try? JSONValue(parsing: bytes))?["results"]?.array else {
            throw RegistryError(
                .invalidResponse, "the registry \(domain) answers the search with something else than results")
        }
        return list.compactMap { element in
            guard let name = element["name"]?.string else { return nil }
            return SearchResult(
                name: domain == ImageReference.defaultDomain ? name : "\(domain)/\(name)",
                description: element["description"]?.string ?? "",
                starCount: Int(element["star_count"]?.integer ?? 0),
                isOfficial: element["is_official"]?.bool ?? false, isAutomated: element["is_automated"]?.bool ?? false)
        }
    }
}
