import NIOCore
import NIOHTTP1

/// The last handler of a connection: hands the response, and after an upgrade the raw bytes, to whoever asks.
///
/// The channel only reads when somebody waits, so that a slow consumer slows the daemon instead of filling memory.
/// All of it runs on the connection's event loop.
final class Exchange: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart

    private var head: EventLoopPromise<HTTPResponseHead>?
    private var queue = CircularBuffer<ByteBuffer>()
    private var waiter: EventLoopPromise<ByteBuffer?>?
    /// Set when no more bytes will come: `success` at the regular end.
    private var ended: Result<Void, any Error>?
    private var isUpgrade = false
    /// The daemon may close, or be killed, before a request is sent: then no event follows that could fail it.
    private var isClosed = false
    private var context: ChannelHandlerContext?
    /// Whether the last response ended so that the connection can serve another request.
    private(set) var isReusable = false

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    // MARK: Asking

    /// Begins an exchange: the promise gets the next response's head.
    func expectHead(_ promise: EventLoopPromise<HTTPResponseHead>) {
        head = promise
        ended = nil
        isReusable = false
        isUpgrade = false
        queue.removeAll()
        if isClosed { return closed() }
        context?.read()
    }

    /// The next bytes of the body; `nil` at its end.
    func next(_ promise: EventLoopPromise<ByteBuffer?>) {
        if let buffer = queue.popFirst() {
            promise.succeed(buffer)
        } else if let ended {
            promise.completeWith(ended.map { nil })
        } else if waiter != nil {
            promise.fail(EngineClientError(.badAnswer, "two readers on one connection"))
        } else {
            waiter = promise
            context?.read()
        }
    }

    private var isWanted: Bool { head != nil || waiter != nil }

    // MARK: Hearing

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let response):
            isUpgrade = response.status == .switchingProtocols
            isReusable = response.isKeepAlive
            guard !isUpgrade else {
                pendingUpgrade = response
                return
            }
            head?.succeed(response)
            head = nil
        case .body(let buffer): deliver(buffer)
        case .end:
            if isUpgrade {
                upgrade(context)
            } else {
                finish(.success(()))
            }
        }
    }

    private var pendingUpgrade: HTTPResponseHead?

    /// Takes HTTP out of the pipeline: from here on bytes are bytes. What came after the head in the same packet is
    /// forwarded by the decoder as it leaves, so the raw handler must be there before it goes.
    private func upgrade(_ context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        isReusable = false
        do {
            let raw = RawBytes(exchange: self)
            try pipeline.addHandler(raw, position: .last)
            let decoder = try pipeline.context(handlerType: ByteToMessageHandler<HTTPResponseDecoder>.self)
            let encoder = try pipeline.context(handlerType: HTTPRequestEncoder.self)
            pipeline.removeHandler(context: context, promise: nil)
            self.context = try pipeline.context(handler: raw)
            pipeline.removeHandler(context: encoder, promise: nil)
            pipeline.removeHandler(context: decoder, promise: nil)
        } catch {
            finish(.failure(error))
        }
        if let response = pendingUpgrade {
            pendingUpgrade = nil
            head?.succeed(response)
            head = nil
        }
    }

    fileprivate func deliver(_ buffer: ByteBuffer) {
        guard buffer.readableBytes > 0 else { return }
        if let waiter {
            self.waiter = nil
            waiter.succeed(buffer)
        } else {
            queue.append(buffer)
        }
    }

    fileprivate func finish(_ result: Result<Void, any Error>) {
        guard ended == nil else { return }
        ended = result
        if case .failure = result { isReusable = false }
        let reason = EngineClientError(.badAnswer, "the daemon closed the connection without an answer")
        if let head {
            self.head = nil
            if case .failure(let error) = result { head.fail(error) } else { head.fail(reason) }
        }
        if let waiter {
            self.waiter = nil
            waiter.completeWith(result.map { nil })
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { readMore(context) }

    fileprivate func readMore(_ context: ChannelHandlerContext) {
        if isWanted { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Once the daemon has closed its side the decoder ends a body that has no length by itself.
        if let event = event as? ChannelEvent, event == .inputClosed, head != nil { closed() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) { closed() }

    private func closed() {
        isClosed = true
        finish(.failure(EngineClientError(.badAnswer, "the daemon closed the connection in the middle of an answer")))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(.failure(EngineClientError(.badAnswer, "the connection to the daemon failed: \(error)")))
        context.close(promise: nil)
    }
}

/// Takes the place of `Exchange` in the pipeline after an upgrade.
private final class RawBytes: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let exchange: Exchange

    init(exchange: Exchange) { self.exchange = exchange }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { exchange.deliver(unwrapInboundIn(data)) }
    func channelReadComplete(context: ChannelHandlerContext) { exchange.readMore(context) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { exchange.finish(.success(())) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) { exchange.finish(.success(())) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        exchange.finish(.failure(EngineClientError(.badAnswer, "the connection to the daemon failed: \(error)")))
        context.close(promise: nil)
    }
}
