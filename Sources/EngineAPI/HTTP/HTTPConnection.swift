import NIOCore
import NIOHTTP1

/// One client connection: reads requests one after the other, runs each in a task on the connection's own event loop,
/// and writes the answers.
///
/// The socket is read only when someone wants the bytes: the head of the next request once the last answer is complete,
/// a body as fast as its consumer takes it. That the client has gone is noticed without reading, because the selector
/// reports it; the task of the request is then cancelled.
final class HTTPConnection: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Answers a request; never fails, because a failure is an answer too.
    typealias Responder = @Sendable (HTTPRequest) async -> HTTPResponse

    /// How much of a body that nobody wants is read on, to keep the connection, before it is closed instead.
    static let drainLimit = 256 * 1024
    /// How long a connection lingers for a client that is still sending, so that it can read the answer.
    static let lingerTime = TimeAmount.seconds(2)

    /// A request being received and answered.
    final class Exchange {
        let head: HTTPRequestHead
        let body: HTTPBody
        /// Whether the client waits for "100 Continue" before it sends the body.
        var awaitsContinue: Bool
        var requestEnded = false
        /// Whether the connection stopped reading because the body's consumer is slow.
        var isPaused = false
        var drained = 0
        var responseBegun = false
        var responseEnded = false
        var isChunked = false
        var keepsAlive: Bool
        /// Whether the task is to be cancelled when the client goes away.
        var isCancellable: Bool
        var task: Task<Void, Never>?

        init(head: HTTPRequestHead, body: HTTPBody, awaitsContinue: Bool) {
            self.head = head
            self.body = body
            self.awaitsContinue = awaitsContinue
            keepsAlive = head.isKeepAlive
            isCancellable = head.method == .GET || head.method == .HEAD
        }
    }

    /// The server is about to stop.
    struct Quiesce: Sendable {}

    enum Mode {
        case serving
        /// The answer is out, the output is shut, and the rest of the client's bytes are thrown away.
        case lingering
        case hijacked
    }

    let server: HTTPServer
    var mode = Mode.serving
    var exchange: Exchange?
    /// What the decoder produced beyond the current request (pipelining); at most one read's worth.
    var pipelined = CircularBuffer<HTTPServerRequestPart>()
    var inputClosed = false
    var context: ChannelHandlerContext?
    /// The client's end of the stream that this connection has become.
    var streamEnd: StreamEnd?
    /// Done when the connection no longer decodes HTTP.
    var decoderGone: EventLoopFuture<Void>?
    /// Those who wait until the socket takes more bytes.
    var blockedWriters: [CheckedContinuation<Void, any Error>] = []

    init(server: HTTPServer) { self.server = server }

    // MARK: The channel's side

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        server.connectionOpened(context.channel)
        context.fireChannelActive()
        context.read()
    }

    func channelInactive(context: ChannelHandlerContext) {
        server.connectionClosed(context.channel)
        if mode != .hijacked { clientLeft() }
        let writers = blockedWriters
        blockedWriters = []
        for writer in writers { writer.resume(throwing: HTTPFailure.clientLeft) }
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch mode {
        case .serving:
            let part = unwrapInboundIn(data)
            if let exchange, exchange.requestEnded {
                pipelined.append(part)
            } else {
                receive(part)
            }
        case .lingering: break
        // Bytes that the decoder held belong to the stream.
        case .hijacked: context.fireChannelRead(data)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        switch mode {
        case .serving:
            if let exchange {
                if !exchange.requestEnded && !exchange.isPaused { context.read() }
            } else {
                context.read()
            }
        case .lingering: context.read()
        case .hijacked: context.fireChannelReadComplete()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is Quiesce { return quiesce(context) }
        if case ChannelEvent.inputClosed = event { inputClosed = true }
        guard mode != .hijacked else { return context.fireUserInboundEventTriggered(event) }
        if inputClosed {
            if mode == .serving, let exchange, !exchange.responseEnded {
                exchange.keepsAlive = false
                clientLeft()
            } else {
                context.close(promise: nil)
            }
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            let writers = blockedWriters
            blockedWriters = []
            for writer in writers { writer.resume() }
        }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard mode == .serving else { return context.close(promise: nil) }
        if error is HTTPParserError, exchange.map({ !$0.responseBegun }) ?? true {
            exchange?.body.finish(HTTPFailure(.badRequest, "the request's body is not framed as HTTP/1.1 wants it"))
            if exchange?.isCancellable == true { exchange?.task?.cancel() }
            let status: HTTPResponseStatus =
                (error as? HTTPParserError) == .headerOverflow ? .requestHeaderFieldsTooLarge : .badRequest
            var buffer = context.channel.allocator.buffer(capacity: 256)
            let text = "\(status.code) \(status.reasonPhrase)"
            HTTPResponse.encodeHead(
                status,
                headers: [
                    "Content-Type": "text/plain; charset=utf-8", "Connection": "close",
                    "Content-Length": "\(text.utf8.count)",
                ], into: &buffer)
            buffer.writeString(text)
            exchange = nil
            context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
            linger(context)
        } else {
            clientLeft()
            context.close(promise: nil)
        }
    }

    private func quiesce(_ context: ChannelHandlerContext) {
        guard mode == .serving, let exchange else { return context.close(promise: nil) }
        exchange.keepsAlive = false
        if exchange.isCancellable {
            clientLeft()
            context.close(promise: nil)
        }
    }

    func clientLeft() {
        guard let exchange else { return }
        exchange.body.finish(exchange.requestEnded ? nil : .clientLeft)
        if exchange.isCancellable { exchange.task?.cancel() }
    }

    // MARK: Requests

    func receive(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head): begin(head)
        case .body(let chunk):
            guard let exchange else { return }
            if exchange.responseEnded {
                exchange.drained += chunk.readableBytes
            } else if !exchange.body.append(chunk) {
                exchange.isPaused = true
            }
        case .end:
            guard let exchange else { return }
            exchange.requestEnded = true
            exchange.body.finish()
            if exchange.responseEnded { finish(exchange) }
        }
        if let exchange, exchange.responseEnded, !exchange.requestEnded, exchange.drained > Self.drainLimit, let context
        {
            self.exchange = nil
            linger(context)
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        guard let context else { return }
        let loop = context.eventLoop
        let length = head.headers.first(name: "Content-Length").flatMap { Int($0) }
        let isChunked = head.headers.contains(name: "Transfer-Encoding")
        let awaitsContinue =
            head.version.minor >= 1
            && head.headers[canonicalForm: "Expect"].contains { $0.lowercased() == "100-continue" }
        let connection = NIOLoopBound(self, eventLoop: loop)
        let body: HTTPBody
        if isChunked || (length ?? 0) > 0 {
            body = HTTPBody(announcedLength: isChunked ? nil : length) {
                if awaitsContinue { loop.runOrExecute { connection.value.sendContinue() } }
            } whenDrained: {
                loop.runOrExecute { connection.value.resumeReading() }
            }
        } else {
            body = HTTPBody()
        }
        let exchange = Exchange(head: head, body: body, awaitsContinue: awaitsContinue && !body.isEmpty)
        self.exchange = exchange
        let request: HTTPRequest
        do throws(HTTPFailure) {
            request = try HTTPRequest(head: head, body: body)
        } catch {
            return write(.failure(error.status, error.message), exchange)
        }
        exchange.task = Self.answer(request, on: connection, loop: loop, server: server)
    }

    /// Answers `request` in a task that runs on the connection's event loop: no thread is woken for it.
    private static func answer(
        _ request: HTTPRequest, on connection: NIOLoopBound<HTTPConnection>, loop: any EventLoop, server: HTTPServer
    ) -> Task<Void, Never> {
        Task(executorPreference: server.executor) {
            let response = await server.responder(request)
            await run(response, on: connection, loop: loop)
        }
    }

    private func sendContinue() {
        guard let exchange, exchange.awaitsContinue, !exchange.responseBegun, let context else { return }
        exchange.awaitsContinue = false
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
    }

    func resumeReading() {
        guard let exchange, exchange.isPaused else { return }
        exchange.isPaused = false
        context?.read()
    }
}

extension HTTPFailure {
    static let clientLeft = HTTPFailure(.badRequest, "the client closed the connection")
}

extension EventLoop {
    /// Runs `body` on this loop: at once when already there.
    func runOrExecute(_ body: @escaping @Sendable () -> Void) {
        if inEventLoop { body() } else { execute(body) }
    }
}
