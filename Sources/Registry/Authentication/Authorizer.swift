import Credentials
import JSON
import NIOHTTP1

/// Proves to one registry who one user is, for one transfer: finds out what the registry wants, fetches tokens, and
/// keeps them for as long as they are good.
///
/// Tokens are never shared between users, since each has an authorizer of its own.
actor Authorizer {
    private let credential: Credential?
    private let server: TokenServer
    private let name: String
    private var scheme = Scheme.unknown
    private var tokens: [Scopes: Token] = [:]
    private var fetching: [Scopes: Task<Token, any Error>] = [:]

    private typealias Scopes = Set<String>

    private enum Scheme {
        case unknown
        case basic
        case bearer(Challenge)
    }

    struct Token: Sendable {
        var value: String
        /// When it should not be used any more.
        var expiry: ContinuousClock.Instant
    }

    /// - Parameter name: the registry, in messages.
    init(_ credential: Credential?, name: String, server: TokenServer) {
        self.credential = credential
        self.name = name
        self.server = server
    }

    /// The `Authorization` to send unasked, as far as is known what the registry wants.
    func header(for address: WebAddress, scopes: [String]) async throws -> String? {
        if case .registryToken(let token) = credential { return "Bearer \(token)" }
        switch scheme {
        case .unknown: return nil
        case .basic: return basicHeader
        case .bearer(let challenge): return try await bearerHeader(challenge, from: address, Set(scopes))
        }
    }

    /// The `Authorization` that answers a refusal; `nil` when there is nothing (more) to show.
    /// - Parameter refused: what was refused, if anything was sent.
    func answer(
        _ challenges: [Challenge], from address: WebAddress, scopes: [String], after refused: String?
    ) async throws -> String? {
        if case .registryToken = credential { return nil }
        // A token is worth more than a password that is sent with every request.
        if let bearer = challenges.first(where: { $0.scheme == "bearer" }) {
            var wanted = Set(scopes)
            for scope in (bearer.parameters["scope"] ?? "").split(separator: " ") { wanted.insert(String(scope)) }
            scheme = .bearer(bearer)
            // Expired a moment ago, or not enough: it is not offered again.
            if let refused { tokens = tokens.filter { "Bearer \($0.value.value)" != refused } }
            let header = try await bearerHeader(bearer, from: address, wanted)
            return header == refused ? nil : header
        }
        if challenges.contains(where: { $0.scheme == "basic" }) {
            scheme = .basic
            return refused == nil ? basicHeader : nil
        }
        return nil
    }

    private var basicHeader: String? {
        guard case .password(let username, let password) = credential else { return nil }
        return "Basic " + Base64.encode(Array("\(username):\(password)".utf8))
    }

    private func bearerHeader(_ challenge: Challenge, from address: WebAddress, _ scopes: Scopes) async throws -> String
    {
        "Bearer \(try await token(challenge, from: address, scopes).value)"
    }

    private func token(_ challenge: Challenge, from address: WebAddress, _ scopes: Scopes) async throws -> Token {
        if let token = tokens.first(where: { $0.key.isSuperset(of: scopes) && $0.value.expiry > .now })?.value {
            return token
        }
        // Layers that start together share one question.
        if let task = fetching[scopes] { return try await task.value }
        let task = Task { [credential, server, name] in
            try await server.token(
                challenge, scopes: scopes.sorted(), credential: credential, registry: name, registryAddress: address
            ).token
        }
        fetching[scopes] = task
        defer { fetching[scopes] = nil }
        let token = try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
        tokens[scopes] = token
        return token
    }
}
