import NIOCore
import NIOHTTP1

// How a connection leaves HTTP.

extension HTTPConnection {
    /// Sends the head, opens the stream, and passes its bytes; from the task of the request.
    static func run(
        _ hijack: Hijack, _ response: HTTPResponse, on connection: NIOLoopBound<HTTPConnection>, loop: any EventLoop
    ) async {
        loop.runOrExecute { connection.value.leaveHTTP(hijack, response) }
        // Even if the client has gone by now: what was asked for is done.
        let stream = await hijack.open()
        do {
            await headTaken(connection, loop)
            if let prelude = stream.prelude {
                while let chunk = try await prelude() {
                    try await withCheckedThrowingContinuation { continuation in
                        loop.runOrExecute { connection.value.writeRaw(chunk, continuation) }
                    }
                }
            }
            loop.runOrExecute { connection.value.splice(stream, isWebSocket: hijack.webSocket != nil) }
        } catch {
            stream.closeDescriptor()
            loop.runOrExecute { connection.value.context?.close(promise: nil) }
        }
    }

    /// Writes the head after which the connection is a stream.
    private func leaveHTTP(_ hijack: Hijack, _ response: HTTPResponse) {
        guard let context, let exchange, mode == .serving, context.channel.isActive else { return }
        mode = .hijacked
        exchange.responseBegun = true
        exchange.responseEnded = true
        exchange.task = nil
        self.exchange = nil
        var headers = response.headers
        var status = HTTPResponseStatus.ok
        if let webSocket = hijack.webSocket {
            status = .switchingProtocols
            headers.add(contentsOf: webSocket.handshake.headers)
        } else {
            headers.replaceOrAdd(name: "Content-Type", value: hijack.contentType)
        }
        if hijack.webSocket == nil, exchange.head.headers.contains(name: "Upgrade") {
            status = .custom(code: 101, reasonPhrase: "UPGRADED")
            headers.replaceOrAdd(name: "Connection", value: "Upgrade")
            headers.replaceOrAdd(name: "Upgrade", value: "tcp")
        }
        server.addCommonHeaders(&headers)
        var buffer = context.channel.allocator.buffer(capacity: 512)
        HTTPResponse.encodeHead(status, headers: headers, into: &buffer)
        // From here on the client may send: its end of the stream is there before the head is, and keeps what comes early.
        let end = StreamEnd(.client)
        streamEnd = end
        do {
            let pipeline = context.pipeline.syncOperations
            if let webSocket = hijack.webSocket { try WebSocketBridge.add(to: pipeline, webSocket) }
            try pipeline.addHandler(end)
            // The decoder hands on what it has read past the request when it is removed, but not once it has seen the
            // end of input: so it goes now, before the client can send.
            let decoder = try pipeline.context(handlerType: ByteToMessageHandler<HTTPServerDecoder>.self)
            decoderGone = pipeline.removeHandler(context: decoder)
        } catch {
            return context.close(promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    /// Waits a moment until the client has read the head. Some clients (docker-py) read it through a buffer and the
    /// rest past it, and would lose what came together with the head.
    private static func headTaken(_ connection: NIOLoopBound<HTTPConnection>, _ loop: any EventLoop) async {
        for _ in 0..<40 {
            let unread = await withCheckedContinuation { continuation in
                loop.runOrExecute { connection.value.countUnread { continuation.resume(returning: $0) } }
            }
            if unread == 0 { return }
            try? await Task.sleep(for: .microseconds(250))
        }
    }

    /// Gives how much memory the kernel holds for what the client has not read; 0 where it does not say.
    private func countUnread(_ result: @escaping @Sendable (UInt32) -> Void) {
        guard let context, context.channel.isActive, let options = context.channel as? any SocketOptionProvider else {
            return result(0)
        }
        // SO_MEMINFO; its third number is SK_MEMINFO_WMEM_ALLOC (linux/sock_diag.h).
        let memory: EventLoopFuture<SocketMemory> = options.unsafeGetSocketOption(
            level: .socket, name: .init(rawValue: 55))
        memory.whenComplete { outcome in
            if case .success(let memory) = outcome { result(memory.numbers.2) } else { result(0) }
        }
    }

    private func writeRaw(_ chunk: ByteBuffer, _ writer: CheckedContinuation<Void, any Error>) {
        guard let context, context.channel.isActive else { return writer.resume(throwing: HTTPFailure.clientLeft) }
        // From the pipeline's end, where a WebSocket puts it into frames.
        context.channel.writeAndFlush(chunk, promise: nil)
        if context.channel.isWritable { writer.resume() } else { blockedWriters.append(writer) }
    }

    private func splice(_ stream: Hijack.Stream, isWebSocket: Bool) {
        guard let context, context.channel.isActive, mode == .hijacked else { return stream.closeDescriptor() }
        guard let descriptor = stream.descriptor else {
            // A WebSocket's client answers the Close frame.
            return isWebSocket ? linger(context) : closeAfterFlush(context)
        }
        guard let streamEnd, let decoderGone else { return stream.closeDescriptor() }
        StreamSplice.begin(
            client: context.channel, clientEnd: streamEnd, decoderGone: decoderGone, descriptor: descriptor,
            inputClosed: inputClosed, detachKeys: stream.detachKeys)
    }
}

/// What `SO_MEMINFO` gives.
private struct SocketMemory: Sendable {
    var numbers: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0, 0, 0, 0, 0)
}
