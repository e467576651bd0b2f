import Glibc
import JSON
import NIOCore
import NIOHTTP1

/// What a route answers.
public struct HTTPResponse: Sendable {
    public enum Body: Sendable {
        case bytes(ByteBuffer)
        /// Written piece by piece; the head leaves at once and every piece is flushed. Returning ends the body; throwing
        /// cuts the connection, which tells the client that the body is not whole.
        case stream(@Sendable (HTTPBodyWriter) async throws -> Void)
        /// HTTP ends here: the connection's bytes are passed to and from a descriptor.
        case hijack(Hijack)
    }

    public var status: HTTPResponseStatus
    public var headers: HTTPHeaders
    public var body: Body

    public init(_ status: HTTPResponseStatus = .ok, headers: HTTPHeaders = [:], body: Body = .bytes(ByteBuffer())) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    public static func empty(_ status: HTTPResponseStatus) -> HTTPResponse { HTTPResponse(status) }

    public static func json(_ value: JSONValue, _ status: HTTPResponseStatus = .ok) -> HTTPResponse {
        var bytes = value.bytes()
        bytes.append(UInt8(ascii: "\n"))
        return HTTPResponse(
            status, headers: ["Content-Type": "application/json"], body: .bytes(ByteBuffer(bytes: bytes)))
    }

    public static func json(_ value: some JSONConvertible, _ status: HTTPResponseStatus = .ok) -> HTTPResponse {
        json(value.json, status)
    }

    public static func text(_ text: String, _ status: HTTPResponseStatus = .ok) -> HTTPResponse {
        HTTPResponse(
            status, headers: ["Content-Type": "text/plain; charset=utf-8"], body: .bytes(ByteBuffer(string: text)))
    }

    /// Docker's form of an error.
    public static func failure(_ status: HTTPResponseStatus, _ message: String) -> HTTPResponse {
        json(.object(["message": .string(message)]), status)
    }

    public static func stream(
        _ status: HTTPResponseStatus = .ok, contentType: String,
        _ write: @escaping @Sendable (HTTPBodyWriter) async throws -> Void
    ) -> HTTPResponse {
        HTTPResponse(status, headers: ["Content-Type": contentType], body: .stream(write))
    }
}

/// A stream that takes over a connection.
public struct Hijack: Sendable {
    /// What the client and the container send each other.
    public struct Stream: Sendable {
        /// Sent first; called until it gives `nil`.
        public var prelude: (@Sendable () async throws -> ByteBuffer?)?
        /// A connected stream socket, whose ownership passes to the connection. `SHUT_WR` on it means that the client
        /// will send nothing more; its end of file, that there is no more output. `nil` ends the connection after the
        /// prelude.
        public var descriptor: CInt?
        /// What the client types to leave the stream without ending it; empty for nothing.
        public var detachKeys: [UInt8] = []

        public init(descriptor: CInt?) { self.descriptor = descriptor }

        func closeDescriptor() {
            if let descriptor { close(descriptor) }
        }
    }

    public struct WebSocket: Sendable {
        public var handshake: WebSocketHandshake
        /// Whether the bytes travel in frames of text rather than binary, as before API version 1.28.
        public var sendsText = false
        /// Whether the output goes on after the client's Close frame, which then only ends its input.
        public var outlivesInput = false

        public init(_ handshake: WebSocketHandshake) { self.handshake = handshake }
    }

    /// The media type that the client is told.
    public var contentType: String
    /// Makes the connection a WebSocket, whose frames hold the stream's bytes.
    public var webSocket: WebSocket?
    /// Opens the stream; called once, when the head is on its way.
    public var open: @Sendable () async -> Stream

    public init(contentType: String, open: @escaping @Sendable () async -> Stream) {
        self.contentType = contentType
        self.open = open
    }
}

extension HTTPResponse {
    /// The bytes of the head, as HTTP/1.1 puts it.
    static func encodeHead(
        _ status: HTTPResponseStatus, headers: HTTPHeaders, into buffer: inout ByteBuffer
    ) {
        buffer.writeString("HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n")
        for (name, value) in headers {
            buffer.writeString(name)
            buffer.writeStaticString(": ")
            // A value that comes from outside (an image's name, a path) must not begin a header of its own.
            if value.utf8.contains(where: { $0 == 0x0D || $0 == 0x0A || $0 == 0 }) {
                buffer.writeBytes(value.utf8.map { $0 == 0x0D || $0 == 0x0A || $0 == 0 ? UInt8(ascii: " ") : $0 })
            } else {
                buffer.writeString(value)
            }
            buffer.writeStaticString("\r\n")
        }
        buffer.writeStaticString("\r\n")
    }
}

extension HTTPResponseStatus {
    /// Whether an answer with this status has a body at all (RFC 9110, 6.4.1).
    var mayHaveBody: Bool { !(100..<200).contains(code) && code != 204 && code != 304 }
}
