import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// What it means that a request had no answer.
package enum TransportFailure {
    /// Nobody listens, the name is unknown, the connection was lost, or nothing came for too long.
    case connection(String, isStall: Bool)
    /// The other side speaks plain HTTP.
    case noTLS
    /// The other side's certificate cannot be trusted, or TLS failed otherwise.
    case tls(String)
    /// Nothing of ours to explain: a cancelled task, or an error of our own.
    case other

    package init(_ error: any Error) {
        switch error {
        case let error as HTTPClientError:
            switch error {
            case .cancelled: self = .other
            case .readTimeout, .writeTimeout: self = .connection("it has stalled", isStall: true)
            case .connectTimeout, .deadlineExceeded, .getConnectionFromPoolTimeout:
                self = .connection("dial: i/o timeout", isStall: true)
            case .tlsHandshakeTimeout: self = .tls("TLS handshake timeout")
            case .remoteConnectionClosed:
                self = .connection("the connection was closed: unexpected EOF", isStall: false)
            default: self = .connection(error.description, isStall: false)
            }
        case let error as NIOConnectionError: self = Self.connecting(error)
        case let error as NIOSSLError: self = Self.tls(error)
        case let error as NIOSSLExtraError: self = .tls("\(error)")
        case is HTTPParserError: self = .connection("malformed HTTP response", isStall: false)
        case let error as IOError: self = .connection(Self.sentence(error), isStall: false)
        case let error as ChannelError: self = .connection("\(error)", isStall: false)
        case let error as SocketAddressError: self = .connection("lookup: \(error)", isStall: false)
        case is CancellationError, is RegistryError: self = .other
        default:
            let text = "\(error)"
            self = text.contains("BoringSSL") || text.contains("SSL") ? .tls(text) : .connection(text, isStall: false)
        }
    }

    private static func connecting(_ error: NIOConnectionError) -> TransportFailure {
        if let failure = error.connectionErrors.first?.error {
            return .connection(Self.sentence(failure), isStall: false)
        }
        return .connection("lookup \(error.host): no such host", isStall: false)
    }

    private static func sentence(_ error: any Error) -> String {
        guard let error = error as? IOError else { return "dial: \(error)" }
        return error.errnoCode == 111 ? "dial: connection refused" : "dial: \(error)"
    }

    private static func tls(_ error: NIOSSLError) -> TransportFailure {
        let text = "\(error)"
        if ["WRONG_VERSION_NUMBER", "HTTP_REQUEST", "INVALID_ALERT"].contains(where: text.contains) { return .noTLS }
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return .tls("x509: certificate signed by unknown authority, or expired")
        }
        switch error {
        case .uncleanShutdown: return .connection("the connection was closed: unexpected EOF", isStall: false)
        case .unableToValidateCertificate: return .tls("x509: the certificate is for another host")
        default: return .tls(text)
        }
    }
}
