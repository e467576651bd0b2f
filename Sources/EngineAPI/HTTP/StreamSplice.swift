import Glibc
import NIOCore
import NIOPosix

/// Passes bytes both ways between an HTTP client that left HTTP and a container's stream.
///
/// Each direction reads only as fast as the other end takes, and ends by itself: the client's end of file becomes
/// `SHUT_WR` on the container's stream, which closes the process's standard input, while the output flows on; the end of
/// the output ends the connection, once all of it is sent.
enum StreamSplice {
    /// - Parameters:
    ///   - clientEnd: the last handler of the client's pipeline, which has kept what came early.
    ///   - decoderGone: done when the client's bytes come undecoded.
    ///   - inputClosed: whether the client had closed its sending side before.
    ///   - detachKeys: what the client types to leave; empty for nothing.
    static func begin(
        client: any Channel, clientEnd: StreamEnd, decoderGone: EventLoopFuture<Void>, descriptor: CInt,
        inputClosed: Bool, detachKeys: [UInt8]
    ) {
        let streamEnd = StreamEnd(.container)
        clientEnd.partner = streamEnd
        streamEnd.partner = clientEnd
        if inputClosed { clientEnd.inputClosed = true }
        if !detachKeys.isEmpty { clientEnd.detach = DetachSequence(keys: detachKeys) }
        let loop = client.eventLoop
        let ends = NIOLoopBound((clientEnd, streamEnd), eventLoop: loop)
        let stream = ClientBootstrap(group: loop)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ends.value.1)
                }
            }
            .withConnectedSocket(descriptor)
        decoderGone.and(stream).whenComplete { result in
            switch result {
            case .success: ends.value.0.start()
            case .failure:
                client.close(promise: nil)
                stream.whenSuccess { $0.close(promise: nil) }
            }
        }
    }
}

/// One end of a splice.
final class StreamEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Side {
        case client
        case container
    }

    private let side: Side
    /// A reference cycle while the splice lives; each end cuts it when it closes.
    fileprivate var partner: StreamEnd?
    private var context: ChannelHandlerContext?
    /// Whether this end's peer will send nothing more.
    fileprivate var inputClosed = false
    private var outputClosed = false
    /// What came before the other end was there.
    private var early: [ByteBuffer] = []
    private var isStarted = false
    /// The output is shut, and the rest of the client's bytes are thrown away.
    private var isLingering = false
    fileprivate var detach: DetachSequence?

    init(_ side: Side) { self.side = side }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Begins to pass bytes, in both directions; called on the client's end when both exist.
    fileprivate func start() {
        guard let partner else { return }
        guard context != nil, context?.channel.isActive == true else {
            partner.closeNow()
            return
        }
        isStarted = true
        partner.isStarted = true
        for buffer in early { partner.send(buffer) }
        partner.flush()
        early = []
        if inputClosed { partner.closeOutput() }
        readIfPartnerTakes()
        partner.readIfPartnerTakes()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isLingering { return }
        var buffer = unwrapInboundIn(data)
        if let kept = detach?.filter(buffer.readableBytesView) {
            buffer = ByteBuffer(bytes: kept.bytes)
            if kept.isComplete {
                if isStarted { partner?.send(buffer) }
                // Left alone, the process runs on without this client.
                partner?.closeAfterFlush()
                return closeAfterFlush()
            }
        }
        if isStarted { partner?.send(buffer) } else { early.append(buffer) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isLingering { return context.read() }
        guard isStarted else { return }
        partner?.flush()
        readIfPartnerTakes()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { partner?.readIfPartnerTakes() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return }
        inputClosed = true
        if isLingering { return closeNow() }
        guard isStarted else { return }
        switch side {
        case .client: partner?.closeOutput()
        case .container: partner?.closeAfterFlush()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let partner = partner
        self.partner = nil
        switch side {
        case .client: partner?.closeNow()
        case .container: partner?.closeAfterFlush()
        }
        partner?.partner = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    // MARK: What the partner asks

    private func send(_ buffer: ByteBuffer) { context?.write(wrapOutboundOut(buffer), promise: nil) }
    private func flush() { context?.flush() }

    private func readIfPartnerTakes() {
        guard isStarted, !inputClosed, let partner, partner.context?.channel.isWritable == true else { return }
        context?.read()
    }

    private func closeOutput() {
        guard !outputClosed, let context else { return }
        outputClosed = true
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in
            channel.close(mode: .output, promise: nil)
        }
    }

    /// Ends the stream once everything is sent.
    ///
    /// A socket that is closed with unread bytes in it fails at the other side ("connection reset by peer"), so what the
    /// client still types is read and thrown away until it closes too, or a moment has passed.
    private func closeAfterFlush() {
        guard let context, !isLingering else { return }
        isLingering = side == .client
        outputClosed = true
        let channel = context.channel
        guard isLingering, !inputClosed else {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in channel.close(promise: nil) }
            return
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in
            channel.close(mode: .output, promise: nil)
            // From then on: a slow reader gets all before.
            channel.eventLoop.scheduleTask(in: HTTPConnection.lingerTime) { channel.close(promise: nil) }
        }
        context.read()
    }

    private func closeNow() { context?.close(promise: nil) }
}
