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
    /// Whether the answer may take its time.
    var isPatient = false
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
