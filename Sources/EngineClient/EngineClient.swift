import EngineModel
import JSON
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A client of the Docker Engine API.
///
/// Requests use one event loop thread: the one that the client is made on, or else one of its own. Each takes a connection of its own while it lasts; connections whose answer has
/// been read are used again.
///
/// The newest API version is simply tried: a daemon that is too old says which one it speaks, and the request is
/// repeated with that. The usual case then costs no round trip.
public final class EngineClient: Sendable {
    public let host: EngineHost
    private let group: any EventLoopGroup
    private let state: Mutex<State>

    private struct State {
        var version: APIVersion
        var isFixed: Bool
        var idle: [Connection] = []
        var headers: [(String, String)] = []
    }

    /// - Parameters:
    ///   - version: the API version to insist on; `nil` to agree on one with the daemon.
    ///   - headers: sent with every request.
    public init(host: EngineHost, version: APIVersion? = nil, userAgent: String = "Docker-Client/28.2.2 (linux)") {
        self.host = host
        group = MultiThreadedEventLoopGroup.currentEventLoop ?? MultiThreadedEventLoopGroup(numberOfThreads: 1)
        state = Mutex(
            State(version: version ?? .current, isFixed: version != nil, headers: [("User-Agent", userAgent)]))
    }

    /// The API version in use: the newest, until the daemon has asked for another.
    public var version: APIVersion { state.withLock { $0.version } }

    /// Tries to connect and keeps the connection for the next request.
    public func connect() async throws(EngineClientError) {
        let connection = try await Connection.open(host, on: group)
        state.withLock { $0.idle.append(connection) }
    }

    // MARK: Requests

    /// A request, relative to the API's root, as in `/containers/json`.
    public struct Request: Sendable {
        public var method: String
        public var path: String
        public var query: [(String, String)]
        public var headers: [(String, String)] = []
        public var body: JSONValue?

        public init(
            _ method: String, _ path: String, _ query: [(String, String)] = [], body: JSONValue? = nil
        ) {
            self.method = method
            self.path = path
            self.query = query
            self.body = body
        }
    }

    /// The head of an answer.
    public struct Answer: Sendable {
        public var status: Int
        public var headers: HTTPHeaders
    }

    /// Sends a request and reads the whole answer.
    /// - Throws: `EngineClientError` with the daemon's message for a status of 400 and above.
    @discardableResult
    public func call(_ request: Request) async throws(EngineClientError) -> JSONValue {
        let (answer, body) = try await exchange(request)
        let type = answer.headers.first(name: "Content-Type") ?? ""
        if body.isEmpty || !type.contains("json") {
            return body.isEmpty ? .null : .string(String(decoding: body, as: UTF8.self))
        }
        do throws(JSONError) {
            return try JSONValue(parsing: body)
        } catch {
            throw EngineClientError(.badAnswer, "the daemon's answer to \(request.path) is no JSON: \(error)")
        }
    }

    /// Sends a request and reads the whole answer as a `Value`.
    public func call<Value: JSONConvertible>(
        _ request: Request, as type: Value.Type
    ) async throws(EngineClientError) -> Value {
        let value = try await call(request)
        do throws(JSONError) {
            return try Value(json: value)
        } catch {
            throw EngineClientError(.badAnswer, "the daemon's answer to \(request.path) is not understood: \(error)")
        }
    }

    /// Sends a request and reads the whole answer as bytes.
    public func exchange(_ request: Request) async throws(EngineClientError) -> (Answer, [UInt8]) {
        let stream = try await stream(request)
        var body: [UInt8] = []
        while let buffer = try await stream.next() { body.append(contentsOf: buffer.readableBytesView) }
        return (stream.answer, body)
    }

    /// Sends a request; the answer's body comes as it arrives.
    public func stream(_ request: Request) async throws(EngineClientError) -> ResponseStream {
        try requireNames(request)
        return try await attempt { (version) throws(EngineClientError) in
            let body = request.body.map { ByteBuffer(bytes: $0.bytes()) }
            var connection = try await self.connection()
            let head = self.head(request, version: version, length: body?.readableBytes)
            let response: HTTPResponseHead
            do throws(EngineClientError) {
                response = try await connection.connection.send(head, body: body)
            } catch {
                // A kept connection may have been closed by the daemon meanwhile.
                guard connection.isKept else { throw error }
                connection = (try await Connection.open(self.host, on: self.group), false)
                response = try await connection.connection.send(head, body: body)
            }
            let stream = ResponseStream(
                client: self, connection: connection.connection,
                answer: Answer(status: Int(response.status.code), headers: response.headers))
            try await self.check(stream)
            return stream
        }
    }

    /// Sends a request and takes over its connection: what the daemon sends comes raw, and so does what it gets.
    public func hijack(_ request: Request) async throws(EngineClientError) -> DuplexStream {
        try requireNames(request)
        var request = request
        request.headers += [("Connection", "Upgrade"), ("Upgrade", "tcp")]
        let wanted = request
        return try await attempt { (version) throws(EngineClientError) in
            let connection = try await Connection.open(self.host, on: self.group)
            let body = wanted.body.map { ByteBuffer(bytes: $0.bytes()) }
            let response = try await connection.send(
                self.head(wanted, version: version, length: body?.readableBytes ?? 0), body: body)
            guard response.status == .switchingProtocols else {
                let stream = ResponseStream(
                    client: self, connection: connection,
                    answer: Answer(status: Int(response.status.code), headers: response.headers))
                try await self.check(stream)
                stream.cancel()
                throw EngineClientError(
                    .badAnswer, "the daemon answered \(response.status) where it should have upgraded the connection")
            }
            return DuplexStream(connection: connection, headers: response.headers)
        }
    }

    /// Sends a request whose body is read from a descriptor until its end.
    /// - Parameter length: the body's length if it is known.
    public func upload(
        _ request: Request, from descriptor: Int32, length: Int? = nil, contentType: String = "application/x-tar"
    ) async throws(EngineClientError) -> ResponseStream {
        // A body from a pipe cannot be sent twice: agree on the version first.
        if !state.withLock({ $0.isFixed }) { _ = try await call(Request("GET", "/_ping")) }
        var request = request
        request.headers.append(("Content-Type", contentType))
        let connection = try await Connection.open(host, on: group)
        let head = head(request, version: version, length: length, isStreaming: true)
        let response = connection.begin(head)
        let allocator = ByteBufferAllocator()
        BlockingThread.start {
            while true {
                var buffer = allocator.buffer(capacity: 1 << 17)
                let count = buffer.readBlocking(from: descriptor, upTo: 1 << 17)
                let isLast = count <= 0
                // The daemon may answer, and stop listening, before it has read everything; its answer says why.
                guard (try? connection.writeBody(isLast ? nil : buffer).wait()) != nil, !isLast else { return }
            }
        }
        let answer = try await Connection.unwrapped(response)
        let stream = ResponseStream(
            client: self, connection: connection,
            answer: Answer(status: Int(answer.status.code), headers: answer.headers))
        try await check(stream)
        return stream
    }

    // MARK: Parts

    /// Refuses a path that lacks a name where one belongs: the daemon would take it for another.
    private func requireNames(_ request: Request) throws(EngineClientError) {
        guard request.path.contains("//") || request.path.hasSuffix("/") else { return }
        let kind =
            switch request.path.split(separator: "/").first {
            case "containers": "container name or ID"
            case "networks": "network name or ID"
            case "volumes": "volume name"
            case "images": "image name or ID"
            case "exec": "exec ID"
            default: "name"
            }
        throw EngineClientError(.badName, "invalid \(kind): value is empty")
    }

    private func attempt<Value: Sendable>(
        _ body: (APIVersion) async throws(EngineClientError) -> Value
    ) async throws(EngineClientError) -> Value {
        let (first, isFixed) = state.withLock { ($0.version, $0.isFixed) }
        do throws(EngineClientError) {
            return try await body(first)
        } catch {
            guard !isFixed, error.status == 400 else { throw error }
            var offered = Self.offeredVersion(error.message)
            if offered == nil, error.message.isEmpty {
                // The answer to HEAD cannot say why: ask in a way that it can.
                _ = try await call(Request("GET", "/_ping"))
                offered = self.version
            }
            guard let offered, offered < first else { throw error }
            state.withLock { $0.version = offered }
            return try await body(offered)
        }
    }

    /// The version in a daemon's complaint that ours is too new.
    static func offeredVersion(_ message: String) -> APIVersion? {
        guard let range = message.firstRange(of: "Maximum supported API version is ") else { return nil }
        return APIVersion(message[range.upperBound...].prefix { $0.isNumber || $0 == "." })
    }

    private func connection() async throws(EngineClientError) -> (connection: Connection, isKept: Bool) {
        if let kept = state.withLock({ $0.idle.popLast() }) { return (kept, true) }
        return (try await Connection.open(host, on: group), false)
    }

    func keep(_ connection: Connection) { state.withLock { $0.idle.append(connection) } }

    private func head(
        _ request: Request, version: APIVersion, length: Int?, isStreaming: Bool = false
    ) -> HTTPRequestHead {
        var uri = "/v\(version)" + Self.escaped(request.path, keeping: "/:")
        if !request.query.isEmpty {
            uri += "?" + request.query.map { "\(Self.escaped($0.0))=\(Self.escaped($0.1))" }.joined(separator: "&")
        }
        var headers = HTTPHeaders([("Host", "api.moby.localhost")])
        for (name, value) in state.withLock({ $0.headers }) + request.headers { headers.add(name: name, value: value) }
        if request.body != nil { headers.add(name: "Content-Type", value: "application/json") }
        if let length, length > 0 || request.method != "GET" {
            headers.add(name: "Content-Length", value: String(length))
        } else if isStreaming {
            headers.add(name: "Transfer-Encoding", value: "chunked")
        } else if request.method == "POST" || request.method == "PUT" {
            headers.add(name: "Content-Length", value: "0")
        }
        return HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: request.method), uri: uri, headers: headers)
    }

    private func check(_ stream: ResponseStream) async throws(EngineClientError) {
        guard stream.answer.status >= 400 else { return }
        var body: [UInt8] = []
        while body.count < 1 << 20, let buffer = try await stream.next() {
            body.append(contentsOf: buffer.readableBytesView)
        }
        let text = String(decoding: body, as: UTF8.self)
        let message = (try? JSONValue(parsing: body))?["message"]?.string ?? text
        throw EngineClientError(.status(stream.answer.status), message)
    }

    /// Percent-encodes what is not unreserved (RFC 3986, section 2.3).
    static func escaped(_ text: String, keeping extra: String = "") -> String {
        var result: [UInt8] = []
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                result.append(byte)
            case _ where extra.utf8.contains(byte): result.append(byte)
            default: result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
