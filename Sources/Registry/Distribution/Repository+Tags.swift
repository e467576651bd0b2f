import Credentials
import JSON
import NIOHTTP1
import OCI

extension Repository {
    /// All tags, in the registry's order (by name).
    public func tags() async throws -> [String] {
        try await reading { exchange in
            try await Pages(exchange, client: client, of: "the tags of \(reference.familiarName)").read(
                "\(name(at: exchange))/tags/list", list: "tags", scopes: [pullScope(at: exchange)],
                image: reference.familiarName)
        }
    }
}

extension RegistryClient {
    /// The repositories of a registry, as far as it tells.
    public func catalog(of domain: String, credential: Credential?) async throws -> [String] {
        let exchange = exchange(try configuration.endpoint(for: domain), credential: credential)
        return try await Pages(exchange, client: self, of: "the catalog of \(domain)").read(
            "_catalog", list: "repositories", scopes: ["registry:catalog:*"], image: domain)
    }
}

/// A list that comes in pages, linked by `Link` headers (RFC 8288).
struct Pages: Sendable {
    private let exchange: Exchange
    private let client: RegistryClient
    private let what: String

    /// A million names; a registry that links its pages in a circle must end somewhere.
    private static let limit = 1_000_000
    private static let pageSize = 1000

    init(_ exchange: Exchange, client: RegistryClient, of what: String) {
        self.exchange = exchange
        self.client = client
        self.what = what
    }

    func read(_ path: String, list: String, scopes: [String], image: String) async throws -> [String] {
        var names: [String] = []
        var seen: Set<WebAddress> = []
        var request = RegistryRequest(.GET, path, query: [("n", "\(Self.pageSize)")], scopes: scopes)
        while true {
            let response = try await exchange.send(request)
            guard response.status == 200 else {
                throw await RegistryError(response, for: image, registry: exchange.endpoint.name)
            }
            let bytes = try await response.bytes(limit: client.configuration.manifestLimit, of: what)
            guard let value = try? JSONValue(parsing: bytes), value.object != nil else {
                throw RegistryError(
                    .invalidResponse, "\(what): the registry \(exchange.endpoint.name) gave no JSON object")
            }
            // An empty list is null, as Go writes it.
            names += (value[list]?.array ?? []).compactMap(\.string)
            guard names.count <= Self.limit else {
                throw RegistryError(.invalidResponse, "\(what): there are more than \(Self.limit)")
            }
            guard let link = response.headers.first(name: "Link").flatMap(LinkHeader.next),
                let address = response.address.resolving(link)
            else { return names }
            guard seen.insert(address).inserted else {
                throw RegistryError(
                    .invalidResponse, "\(what): the registry \(exchange.endpoint.name) links its pages in a circle")
            }
            request = RegistryRequest(.GET, at: address, scopes: scopes)
        }
    }
}
