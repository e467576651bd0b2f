/// An absolute `http` or `https` URL (RFC 3986), as far as registries need it: no fragment, no user.
package struct WebAddress: Hashable, Sendable, CustomStringConvertible {
    package enum Scheme: String, Sendable {
        case http, https
    }

    package var scheme: Scheme
    /// In lower case; an IPv6 address in its brackets.
    package var host: String
    package var port: Int
    /// With its leading slash, percent-encoded.
    package var path: String
    /// Without its question mark.
    package var query: String?

    package init(scheme: Scheme, host: String, port: Int? = nil, path: String = "/", query: String? = nil) {
        self.scheme = scheme
        self.host = host
        self.port = port ?? (scheme == .https ? 443 : 80)
        self.path = path
        self.query = query
    }

    /// - Returns: `nil` when `text` is no such URL.
    package init?(_ text: String) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 < 0x80 }) else { return nil }
        guard let separator = text.range(of: "://"),
            let scheme = Scheme(rawValue: text[..<separator.lower].lowercased())
        else { return nil }
        var rest = text[separator.upper...]
        if let fragment = rest.firstIndex(of: "#") { rest = rest[..<fragment] }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end]
        guard !authority.isEmpty, !authority.contains("@") else { return nil }
        guard let (host, port) = Self.split(authority) else { return nil }
        let tail = rest[end...]
        let question = tail.firstIndex(of: "?")
        let path = String(question.map { tail[..<$0] } ?? tail)
        self.init(
            scheme: scheme, host: host, port: port, path: path.isEmpty ? "/" : path,
            query: question.map { String(tail[tail.index(after: $0)...]) })
    }

    /// `host`, `host:port` or `[address]:port`.
    package static func split(_ authority: some StringProtocol) -> (host: String, port: Int?)? {
        var host = String(authority)
        var port: Int?
        let afterBracket = host.hasPrefix("[") ? host.firstIndex(of: "]") : host.startIndex
        guard let afterBracket else { return nil }
        if let colon = host[afterBracket...].lastIndex(of: ":") {
            let digits = host[host.index(after: colon)...]
            guard let number = Int(digits), (1...65_535).contains(number) else { return nil }
            port = number
            host = String(host[..<colon])
        }
        guard !host.isEmpty else { return nil }
        return (host.lowercased(), port)
    }

    /// Where `location`, absolute or relative, leads from here (RFC 3986, 5.2).
    package func resolving(_ location: String) -> WebAddress? {
        if location.contains("://"), let absolute = WebAddress(location) { return absolute }
        if location.hasPrefix("//") { return WebAddress("\(scheme.rawValue):\(location)") }
        if location.hasPrefix("/") { return WebAddress("\(origin)\(location)") }
        if location.hasPrefix("?") { return WebAddress("\(origin)\(path)\(location)") }
        guard !location.isEmpty, !location.prefix(while: { $0 != "/" }).contains(":") else { return nil }
        let folder = path[...(path.lastIndex(of: "/") ?? path.startIndex)]
        return WebAddress("\(origin)\(folder)\(location)")
    }

    /// Scheme, host and port: what credentials are tied to.
    package var origin: String { "\(scheme.rawValue)://\(authority)" }

    /// Host and, where it is not the scheme's own, port.
    package var authority: String { port == (scheme == .https ? 443 : 80) ? host : "\(host):\(port)" }

    /// This address with more parameters.
    package func adding(_ parameters: [(String, String)]) -> WebAddress {
        var result = self
        let text = parameters.map { "\(Self.escaped($0.0))=\(Self.escaped($0.1))" }.joined(separator: "&")
        if !text.isEmpty { result.query = query.map { $0.isEmpty ? text : "\($0)&\(text)" } ?? text }
        return result
    }

    package var description: String { origin + path + (query.map { "?" + $0 } ?? "") }

    /// Without the query, which may hold a signature that is as good as a password.
    package var withoutSecrets: String { origin + path }

    /// `text` with everything but unreserved characters and `:/@` percent-encoded.
    package static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var output: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                output.append(byte)
            case _ where "-._~:/@".utf8.contains(byte): output.append(byte)
            default: output += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}

extension String {
    /// Where `text` begins and ends in this string for the first time. (Foundation has this, and its weight.)
    func range(of text: String) -> (lower: Index, upper: Index)? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return (start, index(start, offsetBy: text.count)) }
            start = index(after: start)
        }
        return nil
    }
}
