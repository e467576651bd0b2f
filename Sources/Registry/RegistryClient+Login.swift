import Credentials
import NIOHTTP1
import OCI

extension RegistryClient {
    /// Tries a credential at a registry.
    /// - Returns: the identity token that the registry gave for the password, if it gives such.
    /// - Throws: `RegistryError.unauthorized` when it is not accepted.
    public func logIn(to domain: String, with credential: Credential) async throws -> String? {
        let endpoint = try configuration.endpoint(for: domain)
        // Without credentials first: to see what the registry wants, and on which scheme.
        let anonymous = exchange(endpoint, credential: nil)
        var request = RegistryRequest(.GET, "", scopes: [])
        request.isAnonymous = true
        let first = try await anonymous.send(request)
        let challenges = Challenge.parse(first.headers["WWW-Authenticate"])
        await first.discard()
        switch first.status {
        // Everybody may in; there is nothing to try the password at.
        case 200: return nil
        case 401: break
        default: throw refusal(first)
        }
        if let bearer = challenges.first(where: { $0.scheme == "bearer" }) {
            let server = TokenServer(transport: transport, configuration: configuration)
            let (token, refreshToken) = try await server.token(
                bearer, scopes: [], credential: credential, registry: domain, registryAddress: first.address,
                wantsRefreshToken: true)
            request.headers.add(name: "Authorization", value: "Bearer \(token.value)")
            let second = try await anonymous.send(request)
            await second.discard()
            guard second.status == 200 else { throw refusal(second) }
            return refreshToken
        }
        guard challenges.contains(where: { $0.scheme == "basic" }) else { throw refusal(first) }
        guard case .password(let username, let password) = credential else {
            throw RegistryError(
                .unauthorized, "the registry \(domain) wants a user name and a password, and takes no token")
        }
        request.headers.add(
            name: "Authorization", value: "Basic " + Base64.encode(Array("\(username):\(password)".utf8)))
        let second = try await anonymous.send(request)
        await second.discard()
        guard second.status == 200 else { throw refusal(second) }
        return nil
    }

    /// In Docker's words.
    private func refusal(_ response: RegistryResponse) -> RegistryError {
        let reason = HTTPResponseStatus(statusCode: response.status).reasonPhrase
        return RegistryError(
            response.status == 401 || response.status == 403 ? .unauthorized : .invalidResponse,
            "login attempt to \(response.address.withoutSecrets) failed with status: \(response.status) \(reason)",
            status: response.status)
    }
}
