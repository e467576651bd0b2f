import NIOCore
import NIOWebSocket

/// Turns the frames of a WebSocket into the bytes of a stream, and back.
///
/// It stands between NIO's coders of frames and the client's end of the stream, which sees nothing of the WebSocket but
/// that its input ends with the client's Close frame; and before the output is shut, ours is sent.
///
/// After a Close frame nothing more is to be sent, says RFC 6455. Docker's daemon sends on where the client's input is
/// the program's to its end: only so a program that reads all of it can answer.
final class WebSocketBridge: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = WebSocketFrame

    /// The largest frame that is taken from a client, in bytes: it is kept whole until its end is there.
    static let frameLimit = 16 << 20

    private let options: Hijack.WebSocket
    /// Done when what was written last is on its way.
    private var lastWrite: EventLoopFuture<Void>?
    private var hasSentClose = false

    init(_ options: Hijack.WebSocket) { self.options = options }

    /// Puts a bridge and the coders at the end of `pipeline`.
    static func add(to pipeline: ChannelPipeline.SynchronousOperations, _ options: Hijack.WebSocket) throws {
        try pipeline.addHandlers(
            [
                WebSocketFrameEncoder(),
                ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: frameLimit)),
                WebSocketBridge(options),
            ] as [any ChannelHandler])
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        // RFC 6455, 5.1: a client's frames are masked. Extensions were not agreed on.
        guard frame.maskKey != nil, frame.reservedBits == [] else { return fail(context, .protocolError) }
        switch frame.opcode {
        case .text, .binary, .continuation:
            if frame.length > 0 { context.fireChannelRead(wrapInboundOut(frame.unmaskedData)) }
        case .ping:
            // Who does not read gets no more: RFC 6455, 5.5.3 lets pings go unanswered.
            if !hasSentClose, context.channel.isWritable { send(context, .pong, frame.unmaskedData) }
        case .pong: break
        case .connectionClose:
            guard !hasSentClose else { return context.close(promise: nil) }
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            if !options.outlivesInput { context.channel.close(mode: .output, promise: nil) }
        default: fail(context, .protocolError)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? NIOWebSocketError else { return context.fireErrorCaught(error) }
        fail(context, error == .invalidFrameLength ? .messageTooLarge : .protocolError)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let bytes = unwrapOutboundIn(data)
        // Nothing is written by those who wait for what they wrote before.
        guard bytes.readableBytes > 0 else {
            guard let lastWrite else { return promise?.succeed() ?? () }
            return lastWrite.cascade(to: promise)
        }
        guard !hasSentClose else { return promise?.fail(ChannelError.outputClosed) ?? () }
        let written = promise ?? context.eventLoop.makePromise()
        lastWrite = written.futureResult
        context.write(
            wrapOutboundOut(WebSocketFrame(fin: true, opcode: options.sendsText ? .text : .binary, data: bytes)),
            promise: written)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode != .input, !hasSentClose, context.channel.isActive else {
            return context.close(mode: mode, promise: promise)
        }
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        sendClose(context.value, .normalClosure).whenComplete { _ in context.value.close(mode: mode, promise: promise) }
    }

    private func fail(_ context: ChannelHandlerContext, _ code: WebSocketErrorCode) {
        guard !hasSentClose else { return context.close(promise: nil) }
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        sendClose(context.value, code).whenComplete { _ in context.value.close(promise: nil) }
    }

    private func sendClose(_ context: ChannelHandlerContext, _ code: WebSocketErrorCode) -> EventLoopFuture<Void> {
        hasSentClose = true
        var reason = context.channel.allocator.buffer(capacity: 2)
        reason.write(webSocketErrorCode: code)
        return context.writeAndFlush(
            wrapOutboundOut(WebSocketFrame(fin: true, opcode: .connectionClose, data: reason)))
    }

    private func send(_ context: ChannelHandlerContext, _ opcode: WebSocketOpcode, _ data: ByteBuffer) {
        context.writeAndFlush(wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, data: data)), promise: nil)
    }
}
