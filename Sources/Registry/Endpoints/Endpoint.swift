import OCI

/// A server that answers for a registry: the registry itself, or a mirror of it.
struct Endpoint: Hashable, Sendable {
    /// What credentials, certificates and messages go by: `docker.io`, `registry.example.com:5000`.
    var name: String
    /// The server's host and port.
    var host: String
    var port: Int?
    /// In front of the path; empty, or begins with a slash and does not end with one.
    var pathPrefix = ""
    /// The one scheme that may be used; `nil` tries TLS first and then does without.
    var scheme: WebAddress.Scheme?
    /// Whether certificates that nobody vouches for will do.
    var isInsecure = false
    /// Whether no credentials but its own, if there are any, may go there.
    var isMirror = false
    /// What the repository is called there, if it has another name than here.
    var repository: ImageReference?

    /// The host that answers for Docker's own registry.
    static let dockerHub = "registry-1.docker.io"

    func address(_ scheme: WebAddress.Scheme, _ path: String) -> WebAddress {
        WebAddress(scheme: scheme, host: host, port: port, path: pathPrefix + path)
    }
}

extension RegistryConfiguration {
    /// The registry's own endpoint.
    func endpoint(for domain: String) throws(RegistryError) -> Endpoint {
        let server = domain == ImageReference.defaultDomain ? Endpoint.dockerHub : domain
        guard let (host, port) = WebAddress.split(server) else {
            throw RegistryError(.invalidInput, "\"\(domain)\" is no host of a registry, as registry.example.com:5000")
        }
        var endpoint = Endpoint(name: domain, host: host, port: port)
        endpoint.isInsecure = isInsecure(domain)
        if !endpoint.isInsecure { endpoint.scheme = .https }
        return endpoint
    }

    /// Docker's mirrors of its own registry.
    func dockerMirrors() throws(RegistryError) -> [Endpoint] {
        var endpoints: [Endpoint] = []
        for mirror in mirrors {
            guard let address = WebAddress(mirror), address.query == nil else {
                throw RegistryError(
                    .invalidInput, "invalid mirror: \"\(mirror)\" is no URL like https://mirror.example.com")
            }
            var endpoint = Endpoint(name: address.authority, host: address.host, port: address.port)
            var prefix = address.path
            while prefix.hasSuffix("/") { prefix.removeLast() }
            endpoint.pathPrefix = prefix
            endpoint.scheme = address.scheme
            endpoint.isInsecure = isInsecure(address.authority)
            endpoint.isMirror = true
            endpoints.append(endpoint)
        }
        return endpoints
    }

    /// Whether a registry is listed as insecure, or on this machine.
    func isInsecure(_ name: String) -> Bool {
        guard let (host, _) = WebAddress.split(name) else { return false }
        let address = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        if !distrustsLoopback {
            if host == "localhost" || address == "::1" { return true }
            if let local = AddressRange("127.0.0.0/8"), local.contains(address) { return true }
        }
        return insecureRegistries.contains { entry in
            let entry = withoutScheme(entry).lowercased()
            if entry == name.lowercased() || entry == host { return true }
            return AddressRange(entry)?.contains(address) ?? false
        }
    }
}

/// An entry of `insecure-registries` without the scheme that some write; a range keeps its slash.
private func withoutScheme(_ entry: String) -> String {
    var rest = Substring(entry)
    for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
    while rest.hasSuffix("/") { rest = rest.dropLast() }
    return String(rest)
}
