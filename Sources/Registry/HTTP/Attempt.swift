import NIOCore

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
