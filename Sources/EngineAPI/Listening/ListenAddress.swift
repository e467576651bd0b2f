/// Where the server listens, as `-H` says it.
public enum ListenAddress: Sendable, Equatable, CustomStringConvertible {
    case unix(path: String)
    /// Sockets that systemd passed: all of them, the one at `descriptor`, or those with `name`.
    case activated(ActivatedSocket)
    case tcp(host: String, port: UInt16)

    public enum ActivatedSocket: Sendable, Equatable {
        case all
        case descriptor(CInt)
        case name(String)
    }

    /// - Throws: `ListenError` when `text` is none of `unix://PATH`, `fd://[NUMBER|NAME|*]` and `tcp://HOST[:PORT]`.
    public init(_ text: String) throws(ListenError) {
        guard let separator = text.firstRange(of: "://") else {
            if text.hasPrefix("/") {
                self = .unix(path: text)
                return
            }
            throw ListenError("invalid bind address (\(text)): it needs a protocol: unix://, fd:// or tcp://")
        }
        let rest = String(text[separator.upperBound...])
        switch text[..<separator.lowerBound] {
        case "unix":
            guard rest.hasPrefix("/") else {
                throw ListenError("invalid bind address (\(text)): the socket's path must be absolute")
            }
            self = .unix(path: rest)
        case "fd":
            if rest.isEmpty || rest == "*" {
                self = .activated(.all)
            } else if let number = CInt(rest) {
                guard number >= 3 else {
                    throw ListenError("invalid bind address (\(text)): systemd passes descriptors from 3 on")
                }
                self = .activated(.descriptor(number))
            } else {
                self = .activated(.name(rest))
            }
        case "tcp":
            var host = rest[...]
            var port: UInt16?
            if let colon = rest.lastIndex(of: ":"), rest[colon...].firstIndex(of: "]") == nil {
                host = rest[..<colon]
                guard let number = UInt16(rest[rest.index(after: colon)...]), number > 0 else {
                    throw ListenError("invalid bind address (\(text)): the port is not between 1 and 65535")
                }
                port = number
            }
            if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
            guard !host.contains("/"), !host.contains(":") || rest.hasPrefix("[") else {
                throw ListenError("invalid bind address (\(text)): should be tcp://HOST:PORT, without a path")
            }
            self = .tcp(host: host.isEmpty ? "127.0.0.1" : String(host), port: port ?? 2375)
        case let scheme:
            throw ListenError("invalid bind address (\(text)): unsupported protocol \(scheme); use unix, fd or tcp")
        }
    }

    public var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .activated(.all): "fd://"
        case .activated(.descriptor(let number)): "fd://\(number)"
        case .activated(.name(let name)): "fd://\(name)"
        case .tcp(let host, let port): host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
        }
    }
}

/// Why the server cannot listen.
public struct ListenError: Error, Sendable, Equatable, CustomStringConvertible {
    public var message: String
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}

extension String {
    /// Where `part` first occurs. (The standard library's own needs `_StringProcessing`, which the programs leave out.)
    func firstRange(of part: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(part) { return start..<index(start, offsetBy: part.count) }
            start = index(after: start)
        }
        return nil
    }
}
