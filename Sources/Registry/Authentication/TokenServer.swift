import Credentials
import JSON
import NIOCore
import NIOHTTP1

/// Fetches bearer tokens (docs.docker.com, "Token authentication specification" and "OAuth2 token authentication").
struct TokenServer: Sendable {
    let transport: Transport
    let configuration: RegistryConfiguration

    /// An answer with a token may be so long.
    private static let limit = 1 << 20

    /// - Parameters:
    ///   - registryAddress: who sent us to the token server.
    ///   - wantsRefreshToken: ask for an identity token as well, as `login` does.
    func token(
        _ challenge: Challenge, scopes: [String], credential: Credential?, registry: String,
        registryAddress: WebAddress, wantsRefreshToken: Bool = false
    ) async throws -> (token: Authorizer.Token, refreshToken: String?) {
        guard let realm = challenge.parameters["realm"], let address = registryAddress.resolving(realm) else {
            throw RegistryError(
                .invalidResponse,
                "the registry \(registry) wants a token, but names no server to get it from (realm \""
                    + "\((challenge.parameters["realm"] ?? "").prefix(200))\")")
        }
        let isInsecure = configuration.isInsecure(address.authority) || configuration.isInsecure(registry)
        guard address.scheme == .https || credential == nil || isInsecure else {
            throw RegistryError(
                .insecure,
                "the registry \(registry) wants the password sent to \(address.origin), which is not encrypted; if you trust "
                    + "it, list \(registry) in insecure-registries")
        }
        let service = challenge.parameters["service"] ?? ""
        var headers: HTTPHeaders = [:]
        let response: RegistryResponse
        if case .identityToken(let refreshToken) = credential {
            var form = [("grant_type", "refresh_token"), ("service", service), ("client_id", Self.clientID)]
            form += [("refresh_token", refreshToken)]
            if !scopes.isEmpty { form.append(("scope", scopes.joined(separator: " "))) }
            headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            let text = form.map { "\($0.0)=\(Self.formEscaped($0.1))" }.joined(separator: "&")
            response = try await send(.POST, address, headers, .bytes(Array(text.utf8)), isInsecure)
        } else {
            var query: [(String, String)] = service.isEmpty ? [] : [("service", service)]
            query += scopes.map { ("scope", $0) }
            if case .password(let username, let password) = credential {
                headers.add(
                    name: "Authorization", value: "Basic " + Base64.encode(Array("\(username):\(password)".utf8)))
                query.append(("account", username))
                if wantsRefreshToken { query += [("client_id", Self.clientID), ("offline_token", "true")] }
            }
            response = try await send(.GET, address.adding(query), headers, .none, isInsecure)
        }
        let bytes = try await response.bytes(limit: Self.limit, of: "the token for the registry \(registry)")
        guard response.status == 200 else {
            throw RegistryError(response, body: bytes, tokenFor: registry)
        }
        return try parse(bytes, registry: registry, from: address)
    }

    private func parse(
        _ bytes: [UInt8], registry: String, from address: WebAddress
    ) throws -> (token: Authorizer.Token, refreshToken: String?) {
        let value = try? JSONValue(parsing: bytes)
        guard let text = value?["token"]?.string ?? value?["access_token"]?.string, !text.isEmpty,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw RegistryError(
                .invalidResponse, "the token server \(address.origin) of the registry \(registry) gave no token")
        }
        // The specification's default, and some time on the way.
        let lifetime = max(value?["expires_in"]?.integer ?? 60, 60)
        let token = Authorizer.Token(value: text, expiry: .now + .seconds(min(lifetime, 86_400) - 10))
        return (token, value?["refresh_token"]?.string)
    }

    private func send(
        _ method: HTTPMethod, _ address: WebAddress, _ headers: HTTPHeaders, _ body: RequestBody, _ isInsecure: Bool
    ) async throws -> RegistryResponse {
        let retry = RetryPolicy(configuration)
        var attempt = 1
        while true {
            let wait: TimeAmount
            do {
                // A redirect is not followed: the password is for this server alone.
                let response = try await transport.send(
                    method, address, headers: headers, body: body, isInsecure: isInsecure)
                let result = RegistryResponse(response, from: address)
                guard let pause = retry.wait(after: result, attempt: attempt) else { return result }
                await result.discard()
                wait = pause
            } catch {
                if error is CancellationError || Task.isCancelled { throw CancellationError() }
                guard Attempt.Failure(error, at: address).mayPass, let pause = retry.wait(attempt: attempt) else {
                    throw RegistryError(transport: error, "Get", address)
                }
                wait = pause
            }
            attempt += 1
            try await Task.sleep(for: .nanoseconds(wait.nanoseconds))
        }
    }

    private static let clientID = "dhow"

    private static func formEscaped(_ text: String) -> String {
        WebAddress.escaped(text).split(separator: "/", omittingEmptySubsequences: false).joined(separator: "%2F")
            .split(separator: ":", omittingEmptySubsequences: false).joined(separator: "%3A")
    }
}
