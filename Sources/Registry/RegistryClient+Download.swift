import AsyncHTTPClient
import NIOCore
import NIOHTTP1

extension RegistryClient {
    /// Fetches any file by its URL, with this client's proxies and time-outs; no credentials are sent.
    /// - Parameter text: an `http` or `https` URL. Redirects are followed.
    /// - Throws: `RegistryError`: `.invalidInput` for what is no such URL, `.unreachable`, `.insecure`, `.notFound`
    ///   and `.serverFailed` for what the server says.
    public func download(_ text: String) async throws -> WebFile {
        guard var address = WebAddress(text) else {
            throw RegistryError(.invalidInput, "\(text.prefix(300)) is no http or https address of a file")
        }
        for _ in 0..<10 {
            let response: HTTPClientResponse
            do {
                response = try await transport.send(.GET, address, headers: [:], body: .none, isInsecure: false)
            } catch { throw Self.failure(error, address) }
            let status = Int(response.status.code)
            if [301, 302, 303, 307, 308].contains(status), let location = response.headers.first(name: "Location") {
                guard let next = address.resolving(location) else {
                    throw RegistryError(
                        .invalidResponse,
                        "\(address.withoutSecrets) redirects to an invalid address, \"\(location.prefix(200))\"")
                }
                guard address.scheme == .http || next.scheme == .https else {
                    throw RegistryError(
                        .insecure,
                        "\(address.withoutSecrets) redirects from TLS to \(next.origin), which is not encrypted")
                }
                address = next
                continue
            }
            guard status == 200 else {
                throw RegistryError(
                    status == 404 || status == 410 ? .notFound : .serverFailed,
                    "Get \"\(address.withoutSecrets)\": the server answers \(status) \(response.status.reasonPhrase)",
                    status: status)
            }
            return WebFile(
                length: response.headers.first(name: "Content-Length").flatMap { Int64($0) }, body: response.body,
                address: address)
        }
        throw RegistryError(.invalidResponse, "\(text.prefix(300)): stopped after 10 redirects")
    }

    fileprivate static func failure(_ error: any Error, _ address: WebAddress) -> any Error {
        if error is CancellationError || Task.isCancelled { return CancellationError() }
        let place = "Get \"\(address.withoutSecrets)\""
        return switch TransportFailure(error) {
        case .connection(let reason, _): RegistryError(.unreachable, "\(place): \(reason)")
        case .noTLS: RegistryError(.insecure, "\(place): http: server gave HTTP response to HTTPS client")
        case .tls(let reason):
            RegistryError(.insecure, "\(place): tls: failed to verify certificate: \(reason)")
        case .other: error
        }
    }
}

/// The bytes of a file as they come from the web. For one reader.
public struct WebFile: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer
    public typealias Failure = any Error

    /// In bytes, where the server says it; a file that ends too early throws.
    public let length: Int64?
    fileprivate let body: HTTPClientResponse.Body
    fileprivate let address: WebAddress

    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var inner: HTTPClientResponse.Body.AsyncIterator
        fileprivate let address: WebAddress

        public mutating func next() async throws -> ByteBuffer? {
            do { return try await inner.next() } catch { throw RegistryClient.failure(error, address) }
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(inner: body.makeAsyncIterator(), address: address)
    }
}
