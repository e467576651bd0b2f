import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A request as the server in the test sees it.
struct TestRequest: Sendable {
    var method: String
    var path: String
    var query: String
    var headers: HTTPHeaders
    var body: [UInt8]

    func header(_ name: String) -> String? { headers.first(name: name) }
}

/// What the server in the test does with a request.
struct TestAnswer: Sendable {
    enum Ending: Sendable {
        case whole
        /// The connection is closed though more was promised.
        case cut
        /// The connection is closed without any answer.
        case silence
        /// Nothing more comes, and the connection stays open.
        case stall
        /// The body is repeated until so many bytes have gone, or nobody takes them.
        case repeated(Int64)
    }

    var status = 200
    var headers: [(String, String)] = []
    var body: [UInt8] = []
    var ending = Ending.whole

    static func json(_ text: String, _ status: Int = 200, _ headers: [(String, String)] = []) -> TestAnswer {
        TestAnswer(status: status, headers: [("Content-Type", "application/json")] + headers, body: Array(text.utf8))
    }

    static func empty(_ status: Int, _ headers: [(String, String)] = []) -> TestAnswer {
        TestAnswer(status: status, headers: headers)
    }

    static func error(_ status: Int, _ code: String, _ message: String) -> TestAnswer {
        json(#"{"errors":[{"code":"\#(code)","message":"\#(message)"}]}"#, status)
    }
}

/// An HTTP server on loopback that answers as the test says, and remembers what it was asked.
final class TestServer: Sendable {
    typealias Responder = @Sendable (TestRequest) -> TestAnswer

    private let channel: any Channel
    private let log: RequestLog

    private final class RequestLog: Sendable {
        let requests = Mutex<[TestRequest]>([])
    }

    /// - Parameter tls: the server's certificate.
    init(tls: TLSConfiguration? = nil, _ responder: @escaping Responder) async throws {
        let log = RequestLog()
        self.log = log
        let context = try tls.map { try NIOSSLContext(configuration: $0) }
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let context { try pipeline.addHandler(NIOSSLServerHandler(context: context)) }
                    try pipeline.configureHTTPServerPipeline(withErrorHandling: false)
                    try pipeline.addHandler(
                        Connection { request in
                            log.requests.withLock { $0.append(request) }
                            return responder(request)
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    deinit { channel.close(promise: nil) }

    var port: Int { channel.localAddress?.port ?? 0 }
    var host: String { "127.0.0.1:\(port)" }
    var requests: [TestRequest] { log.requests.withLock { $0 } }

    func requests(_ method: String, _ part: String) -> [TestRequest] {
        requests.filter { $0.method == method && $0.path.contains(part) }
    }

    private final class Connection: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let responder: Responder
        private var request: TestRequest?

        init(_ responder: @escaping Responder) { self.responder = responder }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                let parts = head.uri.split(separator: "?", maxSplits: 1).map(String.init)
                request = TestRequest(
                    method: head.method.rawValue, path: parts[0], query: parts.count > 1 ? parts[1] : "",
                    headers: head.headers, body: [])
            case .body(let buffer): request?.body.append(contentsOf: buffer.readableBytesView)
            case .end:
                guard let request else { return }
                self.request = nil
                answer(responder(request), to: request, context)
            }
        }

        private func answer(_ answer: TestAnswer, to request: TestRequest, _ context: ChannelHandlerContext) {
            if case .silence = answer.ending { return context.close(promise: nil) }
            var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: answer.status))
            for (name, value) in answer.headers { head.headers.add(name: name, value: value) }
            if !head.headers.contains(name: "Content-Length") {
                var length = Int64(answer.body.count)
                if case .repeated(let count) = answer.ending { length = count }
                head.headers.add(name: "Content-Length", value: "\(length)")
            }
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            let body = request.method == "HEAD" ? [] : answer.body
            if case .repeated(let count) = answer.ending {
                context.flush()
                return send(ByteBuffer(bytes: body), left: count, context)
            }
            if !body.isEmpty {
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
            }
            switch answer.ending {
            case .whole, .repeated, .silence: context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            case .stall: context.flush()
            case .cut:
                let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
                context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer())))).whenComplete { _ in
                    bound.value.close(promise: nil)
                }
            }
        }

        private func send(_ buffer: ByteBuffer, left: Int64, _ context: ChannelHandlerContext) {
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(buffer)))).whenSuccess {
                let (me, context) = bound.value
                let rest = left - Int64(buffer.readableBytes)
                if rest > 0 { me.send(buffer, left: rest, context) }
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
