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
