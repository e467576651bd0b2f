/// Which proxy stands between us and a host.
public struct ProxySettings: Sendable, Equatable {
    /// As `http://user:password@proxy:3128`; empty for none.
    public var httpProxy = ""
    public var httpsProxy = ""
    /// Hosts, domains, addresses and ranges that are reached directly, separated by commas; `*` for all.
    public var noProxy = ""

    public init() {}

    public init(httpProxy: String, httpsProxy: String, noProxy: String) {
        self.httpProxy = httpProxy
        self.httpsProxy = httpsProxy
        self.noProxy = noProxy
    }

    /// As `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say, in upper or lower case.
    public init(environment: (String) -> String?) {
        func value(_ name: String) -> String { environment(name) ?? environment(name.lowercased()) ?? "" }
        self.init(
            httpProxy: value("HTTP_PROXY"), httpsProxy: value("HTTPS_PROXY"), noProxy: value("NO_PROXY"))
    }

    /// These settings, with what they leave open taken from others.
    public func merged(over others: ProxySettings) -> ProxySettings {
        ProxySettings(
            httpProxy: httpProxy.isEmpty ? others.httpProxy : httpProxy,
            httpsProxy: httpsProxy.isEmpty ? others.httpsProxy : httpsProxy,
            noProxy: noProxy.isEmpty ? others.noProxy : noProxy)
    }

    /// The proxy for an address, or `nil` to go there directly.
    package func proxy(for address: WebAddress) throws(RegistryError) -> Proxy? {
        let text = address.scheme == .https ? httpsProxy : httpProxy
        guard !text.isEmpty, !isExempt(address) else { return nil }
        return try Proxy(text)
    }

    /// As Go's `httpproxy` decides: loopback is never proxied.
    package func isExempt(_ address: WebAddress) -> Bool {
        let host = address.host.hasPrefix("[") ? String(address.host.dropFirst().dropLast()) : address.host
        if host == "localhost" || host == "::1" || host.hasPrefix("127.") && AddressRange(host) != nil { return true }
        for entry in noProxy.split(whereSeparator: { $0 == "," || $0 == " " }) {
            if entry == "*" { return true }
            var entry = entry.lowercased()
            if let range = AddressRange(entry), !entry.contains(":") || entry.contains("/") || host.contains(":") {
                if range.contains(host) { return true }
                continue
            }
            if let (name, port) = WebAddress.split(entry), let port {
                if port != address.port { continue }
                entry = name
            }
            if entry.hasPrefix("*.") { entry.removeFirst() }
            // `.example.com` means only what is below it, `example.com` also itself.
            if entry.hasPrefix(".") ? host.hasSuffix(entry) : host == entry || host.hasSuffix("." + entry) {
                return true
            }
        }
        return false
    }

    package struct Proxy: Hashable, Sendable {
        package var host: String
        package var port: Int
        /// `user:password`, when the URL holds one.
        package var login: String?

        init(_ text: String) throws(RegistryError) {
            var rest = text.contains("://") ? text : "http://" + text
            var login: String?
            if let start = rest.range(of: "://")?.upper {
                let authority = rest[start...].prefix { $0 != "/" }
                if let at = authority.lastIndex(of: "@") {
                    login = Self.decoded(authority[..<at])
                    rest = String(rest[..<start]) + String(rest[rest.index(after: at)...])
                }
            }
            guard let address = WebAddress(rest) else {
                throw RegistryError(.invalidInput, "the proxy is no URL like http://proxy.example.com:3128")
            }
            guard address.scheme == .http else {
                throw RegistryError(
                    .notSupported, "the proxy \(address.origin) wants TLS, which is not supported; use an http:// proxy"
                )
            }
            host = address.host.hasPrefix("[") ? String(address.host.dropFirst().dropLast()) : address.host
            port = address.port
            self.login = login
        }

        private static func decoded(_ text: Substring) -> String {
            var output: [UInt8] = []
            var bytes = Array(text.utf8)[...]
            while let byte = bytes.popFirst() {
                let digits = String(decoding: bytes.prefix(2), as: UTF8.self)
                if byte == UInt8(ascii: "%"), digits.utf8.count == 2, let value = UInt8(digits, radix: 16) {
                    output.append(value)
                    bytes = bytes.dropFirst(2)
                } else {
                    output.append(byte)
                }
            }
            return String(decoding: output, as: UTF8.self)
        }
    }
}
