import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Synchronization

/// A request to a registry, before it is known where exactly it goes.
struct RegistryRequest: Sendable {
    var method: HTTPMethod
    /// Below `/v2/`, or, for what an answer pointed to, a whole address.
    var target: Target
    var headers: HTTPHeaders = [:]
    var body = RequestBody.none
    var scopes: [String] = []
    /// Whether it may be sent again after it may have reached the registry.
    var isRepeatable = true
    /// Where the path begins.
    var root = "/v2/"
    /// Whether a refusal is what is asked for.
    var isAnonymous = false

    enum Target: Sendable {
        case path(String, query: [(String, String)] = [])
        case address(WebAddress)
    }

    init(_ method: HTTPMethod, _ path: String, query: [(String, String)] = [], scopes: [String]) {
        self.method = method
        target = .path(path, query: query)
        self.scopes = scopes
    }

    init(_ method: HTTPMethod, at address: WebAddress, scopes: [String]) {
        self.method = method
        target = .address(address)
        self.scopes = scopes
    }
}

/// The answer to a request: the head, and the body, which is still on its way.
struct RegistryResponse: Sendable {
    var status: Int
    var headers: HTTPHeaders
    let body: ResponseBody
    /// Where it came from, after redirects.
    var address: WebAddress

    init(_ response: HTTPClientResponse, from address: WebAddress) {
        status = Int(response.status.code)
        headers = response.headers
        body = ResponseBody(response.body)
        self.address = address
    }

    /// The whole body.
    /// - Throws: `RegistryError.invalidResponse` when it is longer than `limit` bytes.
    func bytes(limit: Int, of what: String) async throws -> [UInt8] {
        func tooLong() -> RegistryError {
            RegistryError(
                .invalidResponse, "\(what) from \(address.origin) is longer than the \(limit) bytes that it may have")
        }
        if let length = headers.first(name: "Content-Length").flatMap({ Int64($0) }), length > limit { throw tooLong() }
        var bytes: [UInt8] = []
        do {
            for try await buffer in body {
                guard bytes.count + buffer.readableBytes <= limit else { throw tooLong() }
                bytes.append(contentsOf: buffer.readableBytesView)
            }
        } catch { throw RegistryError(transport: error, "read \(what)", address) }
        return bytes
    }

    /// Takes a short body off the connection, so that it can be used again.
    func discard() async {
        var left = 64 << 10
        do {
            for try await buffer in body {
                left -= buffer.readableBytes
                if left < 0 { return }
            }
        } catch {}
    }
}

/// The body of an answer, which can be read once: whoever comes second finds it empty.
final class ResponseBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    private let body: Mutex<HTTPClientResponse.Body>

    init(_ body: HTTPClientResponse.Body) { self.body = Mutex(body) }

    func makeAsyncIterator() -> HTTPClientResponse.Body.AsyncIterator {
        body.withLock { body in
            defer { body = .bytes(ByteBuffer()) }
            return body
        }.makeAsyncIterator()
    }
}

extension RegistryError {
    /// A request that had no answer. Cancellation and errors of ours pass through `explained`.
    init(transport error: any Error, _ doing: String, _ address: WebAddress) {
        if let error = error as? RegistryError {
            self = error
            return
        }
        let place = "\(doing) \"\(address.withoutSecrets)\""
        switch TransportFailure(error) {
        case .connection(let reason, _):
            self.init(
                .unreachable,
                "\(place): \(reason): the registry \(address.authority) cannot be reached, or the connection was lost; check "
                    + "its name, the network and the proxy settings")
        case .noTLS:
            self.init(
                .insecure,
                "\(place): http: server gave HTTP response to HTTPS client; if that is as it should be, list "
                    + "\(address.authority) in insecure-registries")
        case .tls(let reason):
            self.init(
                .insecure,
                "\(place): tls: failed to verify certificate: \(reason); put the authority's certificate into "
                    + "/etc/docker/certs.d/\(address.authority)/ca.crt, or list the registry in insecure-registries")
        case .other: self.init(.unreachable, "\(place): \(error)")
        }
    }
}

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
            let response = try await sendAuthorized(request, to: endpoint.address(.https, request.root + path).adding(query))
            schemes[endpoint] = .https
            return response
        } catch let error as Attempt.Failure {
            guard error.mayBePlain else { throw error }
            let response = try await sendAuthorized(request, to: endpoint.address(.http, request.root + path).adding(query))
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
                    request.method, address, headers: headers, body: request.body, isInsecure: isInsecure)
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
                    .invalidResponse, "the registry \(endpoint.name) redirects to an invalid address, \"\(location.prefix(200))\"")
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

/// An attempt at a request that had no answer.
enum Attempt {
    struct Failure: Error {
        var cause: any Error
        var address: WebAddress

        init(_ cause: any Error, at address: WebAddress) {
            self.cause = cause
            self.address = address
        }

        /// Whether another attempt makes sense.
        var mayPass: Bool {
            switch TransportFailure(cause) {
            case .connection: true
            case .noTLS, .tls, .other: false
            }
        }

        /// Whether the server might answer without TLS.
        var mayBePlain: Bool {
            guard address.scheme == .https else { return false }
            switch TransportFailure(cause) {
            case .connection(_, let isStall): return !isStall
            case .noTLS, .tls: return true
            case .other: return false
            }
        }
    }
}

/// Which scheme an insecure registry was found to speak.
final class SchemeMemory: Sendable {
    private let known = Mutex<[Endpoint: WebAddress.Scheme]>([:])

    subscript(endpoint: Endpoint) -> WebAddress.Scheme? {
        get { known.withLock { $0[endpoint] } }
        set { known.withLock { $0[endpoint] = newValue } }
    }
}
