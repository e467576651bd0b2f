import Crypto
import FoundationEssentials
import NIOHTTP1

/// What a server answers to a client that asks for a WebSocket (RFC 6455, 4.2).
public struct WebSocketHandshake: Sendable {
    /// Of the answer, which has the status 101.
    let headers: HTTPHeaders

    /// - Throws: `HTTPFailure` when `request` does not ask for a WebSocket of version 13.
    public init(_ request: HTTPRequest) throws(HTTPFailure) {
        guard request.wantsUpgrade,
            request.headers[canonicalForm: "Upgrade"].contains(where: { $0.lowercased() == "websocket" })
        else {
            throw HTTPFailure(.badRequest, "not a WebSocket handshake: it needs \"Upgrade: websocket\"")
        }
        guard request.headers["Sec-WebSocket-Version"] == ["13"] else {
            throw HTTPFailure(.badRequest, "missing or bad WebSocket version: it must be 13")
        }
        let keys = request.headers["Sec-WebSocket-Key"]
        guard keys.count == 1, let key = keys.first, Data(base64Encoded: key)?.count == 16 else {
            throw HTTPFailure(.badRequest, "missing or bad Sec-WebSocket-Key: it must be 16 bytes in Base64")
        }
        var headers: HTTPHeaders = [
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": Self.accept(key),
        ]
        // A container speaks any protocol that the client names; of several it cannot tell which.
        let protocols = request.headers[canonicalForm: "Sec-WebSocket-Protocol"]
        if protocols.count == 1 { headers.add(name: "Sec-WebSocket-Protocol", value: String(protocols[0])) }
        self.headers = headers
    }

    /// The proof that the server knows the protocol.
    static func accept(_ key: String) -> String {
        let guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        return Data(Insecure.SHA1.hash(data: Data((key + guid).utf8))).base64EncodedString()
    }
}
