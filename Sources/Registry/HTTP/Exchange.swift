import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Synchronization

/// Talks with one endpoint: which scheme it speaks, who we are, redirects, and what to try again.
final class Exchange: Sendable {
    let endpoint: Endpoint
    private let transport: Transport
    private let configuration: RegistryConfiguration
    private let authorizer: Authorizer
    private let schemes: SchemeMemory
    private let retry: RetryPolicy

    init(
        _ endpoint: Endpoint, transport: Transport, configuration: RegistryConfiguration, authorizer: Authorizer,
        schemes: SchemeMemory
    ) {
        self.endpoint = endpoint
        self.transport = transport
        self.configuration = configuration
        self.authorizer = authorizer
        self.schemes = schemes
        retry = RetryPolicy(configuration)
    }

    /// Sends a request until it has an answer that is worth reporting.
    ///
    /// Answers with an error's status are returned, not thrown, but for those that were tried in vain.
    /// - Throws: `RegistryError`, `CancellationError`.
    func send(_ request: RegistryRequest) async throws -> RegistryResponse {
        var attempt = 1
        while true {
            try Task.checkCancellation()
            let wait: TimeAmount
            do {
                let response = try await sendOnce(request)
                guard let pause = retry.wait(after: response, attempt: attempt) else { return response }
                await response.discard()
                wait = pause
            } catch let error as Attempt.Failure {
                guard request.isRepeatable, error.mayPass, let pause = retry.wait(attempt: attempt) else {
                    throw RegistryError(
                        transport: error.cause, Self.verb(request.method), error.address)
                }
                wait = pause
            }
            attempt += 1
            try await Task.sleep(for: .nanoseconds(wait.nanoseconds))
        }
    }

    /// As Go's client, which people know, begins its errors: `Get`, `Head`.
    private static func verb(_ method: HTTPMethod) -> String {
        method.rawValue.prefix(1) + method.rawValue.dropFirst().lowercased()
    }

    /// With the scheme that the endpoint speaks.
    private func sendOnce(_ request: RegistryRequest) async throws -> RegistryResponse {
        guard case .path(let path, let query) = request.target else {
            guard case .address(let address) = request.target else { throw CancellationError() }
            return try await sendAuthorized(request, to: address)
        }
        if let scheme = endpoint.scheme ?? schemes[endpoint] {
            return try await sendAuthorized(request, to: endpoint.address(scheme, request.root + path).adding(query))
        }
        // An insecure registry may speak either.
        do {
            let response = try await sendAuthorized(
                request, to: endpoint.address(.https, request.root + path).adding(query))
            schemes[endpoint] = .https
            return response
        } catch let error as Attempt.Failure {
            guard error.mayBePlain else { throw error }
            let response = try await sendAuthorized(
                request, to: endpoint.address(.http, request.root + path).adding(query))
            schemes[endpoint] = .http
            return response
        }
    }

    /// With our credentials, if the endpoint wants any.
    private func sendAuthorized(_ request: RegistryRequest, to address: WebAddress) async throws -> RegistryResponse {
        // A request that brings its own, and a request for nothing in particular, are answered as they are.
        let isOwn = isOwn(address) && !request.headers.contains(name: "Authorization") && !request.isAnonymous
        let header = isOwn ? try await authorizer.header(for: address, scopes: request.scopes) : nil
        let response = try await follow(request, to: address, authorization: header)
        guard response.status == 401, isOwn, response.address.origin == address.origin else { return response }
        let challenges = Challenge.parse(response.headers["WWW-Authenticate"])
        guard
            let renewed = try await authorizer.answer(challenges, from: address, scopes: request.scopes, after: header)
        else { return response }
        await response.discard()
        return try await follow(request, to: address, authorization: renewed)
    }

    /// Whether an address is on the endpoint itself, so that credentials for it may go there.
    private func isOwn(_ address: WebAddress) -> Bool {
        guard let scheme = endpoint.scheme ?? schemes[endpoint] else {
            // Not known yet: the one that is just being tried.
            return endpoint.address(address.scheme, "").origin == address.origin
        }
        return endpoint.address(scheme, "").origin == address.origin
    }

    /// Through redirects. The authorization stays behind when they lead elsewhere.
    private func follow(
        _ request: RegistryRequest, to start: WebAddress, authorization: String?
    ) async throws -> RegistryResponse {
        var address = start
        for _ in 0...Self.redirectLimit {
            var headers = request.headers
            if let authorization, address.origin == start.origin {
                headers.replaceOrAdd(name: "Authorization", value: authorization)
            }
            if address.origin != start.origin { headers.remove(name: "Authorization") }
            let isInsecure = endpoint.isInsecure && address.authority == start.authority
            let response: HTTPClientResponse
            do {
                response = try await transport.send(
                    request.method, address, headers: headers, body: request.body, isInsecure: isInsecure,
                    isPatient: request.isPatient)
            } catch {
                if error is CancellationError || Task.isCancelled { throw CancellationError() }
                throw Attempt.Failure(error, at: address)
            }
            let result = RegistryResponse(response, from: address)
            guard [301, 302, 303, 307, 308].contains(result.status),
                let location = response.headers.first(name: "Location")
            else { return result }
            await result.discard()
            guard let next = address.resolving(location) else {
                throw RegistryError(
                    .invalidResponse,
                    "the registry \(endpoint.name) redirects to an invalid address, \"\(location.prefix(200))\"")
            }
            if address.scheme == .https, next.scheme == .http, !endpoint.isInsecure {
                throw RegistryError(
                    .insecure,
                    "the registry \(endpoint.name) redirects from TLS to \(next.origin), which is not encrypted; if you trust "
                        + "it, list \(endpoint.name) in insecure-registries")
            }
            address = next
        }
        throw RegistryError(
            .invalidResponse,
            "\(start.withoutSecrets): stopped after \(Self.redirectLimit) redirects: the registry \(endpoint.name) sends us in "
                + "circles")
    }

    /// As Go's client has it.
    private static let redirectLimit = 10
}

/// Which scheme an insecure registry was found to speak.
final class SchemeMemory: Sendable {
    private let known = Mutex<[Endpoint: WebAddress.Scheme]>([:])

    subscript(endpoint: Endpoint) -> WebAddress.Scheme? {
        get { known.withLock { $0[endpoint] } }
        set { known.withLock { $0[endpoint] = newValue } }
    }
}
