import EngineModel
import JSON
import NIOCore
import NIOHTTP1

/// A request as a route sees it: the head, parsed once, and the body, which may still be on its way.
public struct HTTPRequest: Sendable {
    public var method: HTTPMethod
    /// The path, percent-decoded, without the query.
    public var path: String
    public var query: HTTPQuery
    public var headers: HTTPHeaders
    public var body: HTTPBody
    /// What the route's pattern captured.
    public var parameters: [String: String] = [:]
    /// The API version in the path, or the newest when the path has none.
    public var apiVersion = APIVersion.current
    /// Whether the client asks to leave HTTP (`Connection: Upgrade` and an `Upgrade` header).
    public var wantsUpgrade: Bool

    public init(head: HTTPRequestHead, body: HTTPBody) throws(HTTPFailure) {
        method = head.method
        headers = head.headers
        self.body = body
        wantsUpgrade =
            head.headers.contains(name: "Upgrade")
            && head.headers[canonicalForm: "Connection"].contains { $0.lowercased() == "upgrade" }
        var target = Substring(head.uri)
        if !target.hasPrefix("/") {
            // The absolute form (RFC 9112, 3.2.2), which proxies send.
            guard let scheme = target.firstIndex(of: ":"), target[scheme...].hasPrefix("://") else {
                throw HTTPFailure(.badRequest, "the request target \"\(head.uri)\" is no path")
            }
            let authority = target.index(scheme, offsetBy: 3)
            target = target[authority...]
            target = target.firstIndex(of: "/").map { target[$0...] } ?? "/"
        }
        let mark = target.firstIndex(of: "?")
        guard let path = percentDecoded(mark.map { target[..<$0] } ?? target, plusIsSpace: false) else {
            throw HTTPFailure(.badRequest, "the path \"\(head.uri)\" has an invalid percent escape")
        }
        self.path = path
        query = try HTTPQuery(mark.map { target[target.index(after: $0)...] } ?? "")
    }

    /// What the route's pattern captured as `name`; empty when the pattern has no such part.
    public func parameter(_ name: String) -> String { parameters[name] ?? "" }
}

/// A failure that has an HTTP status and a sentence for the client.
public struct HTTPFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public var status: HTTPResponseStatus
    public var message: String

    public init(_ status: HTTPResponseStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    public var description: String { message }
}

/// `text` with `%XX` escapes resolved, or `nil` when one is malformed.
func percentDecoded(_ text: Substring, plusIsSpace: Bool) -> String? {
    let utf8 = text.utf8
    guard utf8.contains(where: { $0 == UInt8(ascii: "%") || (plusIsSpace && $0 == UInt8(ascii: "+")) }) else {
        return String(text)
    }
    func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(utf8.count)
    var iterator = utf8.makeIterator()
    while let byte = iterator.next() {
        if byte == UInt8(ascii: "%") {
            guard let high = iterator.next().flatMap(value), let low = iterator.next().flatMap(value) else {
                return nil
            }
            bytes.append(high << 4 | low)
        } else {
            bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
