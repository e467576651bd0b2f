/// Where a daemon listens: `unix:///path` or `tcp://host:port`.
public enum EngineHost: Sendable, Equatable, CustomStringConvertible {
    case unix(path: String)
    case tcp(host: String, port: Int)

    /// - Throws: `EngineClientError` with code `badHost`.
    public init(_ text: String) throws(EngineClientError) {
        let text = text.contains("://") || text.isEmpty ? text : "tcp://" + text
        guard let separator = text.firstRange(of: "://") else {
            throw EngineClientError(.badHost, "unable to parse docker host `\(text)`")
        }
        let rest = String(text[separator.upperBound...])
        switch text[..<separator.lowerBound] {
        case "unix":
            // The kernel's limit is 107 bytes and a zero.
            guard !rest.isEmpty, rest.utf8.count < 108 else {
                throw EngineClientError(
                    .badHost, "the socket's path in `\(text)` is \(rest.isEmpty ? "empty" : "longer than 107 bytes")")
            }
            self = .unix(path: rest)
        case "tcp", "http":
            var authority = rest.prefix { $0 != "/" }
            var port = 2375
            if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
                guard let number = Int(authority[authority.index(after: colon)...]), (1...65535).contains(number) else {
                    throw EngineClientError(.badHost, "unable to parse docker host `\(text)`: bad port")
                }
                port = number
                authority = authority[..<colon]
            }
            if authority.hasPrefix("["), authority.hasSuffix("]") { authority = authority.dropFirst().dropLast() }
            self = .tcp(host: authority.isEmpty ? "127.0.0.1" : String(authority), port: port)
        case "ssh", "npipe", "fd":
            throw EngineClientError(
                .badHost, "hosts like `\(text)` are not supported: use unix:///path or tcp://host:port")
        default: throw EngineClientError(.badHost, "invalid bind address format: \(text)")
        }
    }

    public var description: String {
        switch self {
        case .unix(let path): "unix://" + path
        case .tcp(let host, let port): "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
    }
}

extension StringProtocol {
    /// The first place of `other` in this text; the standard library has this only for regular expressions.
    func firstRange(of other: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(other) { return start..<index(start, offsetBy: other.count) }
            start = index(after: start)
        }
        return nil
    }
}
