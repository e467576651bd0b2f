import NIOCore
import NIOHTTP1

// How answers are written.

extension HTTPConnection {
    /// Sends `response`, from a task.
    static func run(
        _ response: HTTPResponse, on connection: NIOLoopBound<HTTPConnection>, loop: any EventLoop
    ) async {
        switch response.body {
        case .bytes:
            loop.runOrExecute {
                guard let exchange = connection.value.exchange else { return }
                connection.value.write(response, exchange)
            }
        case .stream(let produce):
            loop.runOrExecute {
                guard let exchange = connection.value.exchange else { return }
                exchange.isCancellable = true
                // Only now is a client that left meanwhile taken to want nothing more.
                if connection.value.inputClosed || connection.value.context?.channel.isActive != true {
                    exchange.task?.cancel()
                }
                connection.value.write(response, exchange)
            }
            let writer = HTTPBodyWriter(connection: connection, loop: loop)
            do {
                try await produce(writer)
                loop.runOrExecute { connection.value.endStream() }
            } catch {
                loop.runOrExecute { connection.value.abortStream() }
            }
        case .hijack(let hijack): await run(hijack, response, on: connection, loop: loop)
        }
    }

    /// Writes the head, and the body when it is there already.
    func write(_ response: HTTPResponse, _ exchange: Exchange) {
        guard let context, !exchange.responseBegun, mode == .serving else { return }
        exchange.responseBegun = true
        var headers = response.headers
        server.addCommonHeaders(&headers)
        var content: ByteBuffer?
        let bodyAllowed = exchange.head.method != .HEAD
        switch response.body {
        case .bytes(let bytes):
            if response.status.mayHaveBody && !headers.contains(name: "Content-Length") {
                headers.replaceOrAdd(name: "Content-Length", value: String(bytes.readableBytes))
            }
            if bodyAllowed && response.status.mayHaveBody { content = bytes }
        case .stream:
            if headers.contains(name: "Content-Length") || !bodyAllowed {
                exchange.isChunked = false
            } else if exchange.head.version.minor >= 1 {
                exchange.isChunked = true
                headers.replaceOrAdd(name: "Transfer-Encoding", value: "chunked")
            } else {
                exchange.keepsAlive = false
            }
        case .hijack: break
        }
        // A body that was never asked for (100 Continue withheld) may or may not come: the connection cannot go on. Nor
        // can it after an Upgrade header, at which the decoder stops.
        var leavesBody = !exchange.requestEnded && exchange.awaitsContinue
        if case .bytes = response.body, !exchange.requestEnded {
            leavesBody = leavesBody || exchange.body.announcedLength.map { $0 > Self.drainLimit } ?? true
        }
        if leavesBody || exchange.head.headers.contains(name: "Upgrade")
            || inputClosed || server.isStopping
        {
            exchange.keepsAlive = false
        }
        if !exchange.keepsAlive {
            headers.replaceOrAdd(name: "Connection", value: "close")
        } else if exchange.head.version.minor == 0 {
            headers.replaceOrAdd(name: "Connection", value: "keep-alive")
        }
        var buffer = context.channel.allocator.buffer(capacity: 512 + (content?.readableBytes ?? 0))
        HTTPResponse.encodeHead(response.status, headers: headers, into: &buffer)
        if var content { buffer.writeBuffer(&content) }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        if case .bytes = response.body { endResponse(exchange) }
    }

    /// Writes a piece of a streamed body; `writer` is resumed once the socket can take more.
    func writeChunk(_ chunk: ByteBuffer, _ writer: CheckedContinuation<Void, any Error>) {
        guard let context, context.channel.isActive, let exchange, exchange.responseBegun, !exchange.responseEnded
        else {
            return writer.resume(throwing: HTTPFailure.clientLeft)
        }
        guard chunk.readableBytes > 0, exchange.head.method != .HEAD else { return writer.resume() }
        var chunk = chunk
        if exchange.isChunked {
            var framed = context.channel.allocator.buffer(capacity: min(chunk.readableBytes, 4096) + 16)
            framed.writeString(String(chunk.readableBytes, radix: 16))
            framed.writeStaticString("\r\n")
            if chunk.readableBytes <= 4096 {
                framed.writeBuffer(&chunk)
                framed.writeStaticString("\r\n")
                context.write(wrapOutboundOut(framed), promise: nil)
            } else {
                context.write(wrapOutboundOut(framed), promise: nil)
                context.write(wrapOutboundOut(chunk), promise: nil)
                context.write(wrapOutboundOut(ByteBuffer(staticString: "\r\n")), promise: nil)
            }
        } else {
            context.write(wrapOutboundOut(chunk), promise: nil)
        }
        context.flush()
        if context.channel.isWritable { writer.resume() } else { blockedWriters.append(writer) }
    }

    func endStream() {
        guard let context, let exchange, !exchange.responseEnded else { return }
        if exchange.isChunked {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(staticString: "0\r\n\r\n")), promise: nil)
        }
        endResponse(exchange)
    }

    /// Cuts the connection short of the body's end.
    func abortStream() {
        guard let exchange, !exchange.responseEnded else { return }
        self.exchange = nil
        exchange.responseEnded = true
        exchange.body.finish(.clientLeft)
        context?.close(promise: nil)
    }

    func endResponse(_ exchange: Exchange) {
        exchange.responseEnded = true
        exchange.task = nil
        if exchange.requestEnded {
            finish(exchange)
        } else if exchange.keepsAlive && (exchange.body.announcedLength ?? 0) <= Self.drainLimit {
            // Read past what is left of the body, to find the next request.
            exchange.body.finish(.clientLeft)
            resumeReading()
        } else if let context {
            exchange.body.finish(.clientLeft)
            self.exchange = nil
            linger(context)
        }
    }

    /// Both sides of the exchange are complete.
    func finish(_ exchange: Exchange) {
        self.exchange = nil
        guard let context else { return }
        guard exchange.keepsAlive else { return closeAfterFlush(context) }
        while self.exchange == nil || self.exchange?.requestEnded == false, let part = pipelined.popFirst() {
            receive(part)
        }
        if self.exchange == nil, mode == .serving {
            if inputClosed { closeAfterFlush(context) } else { context.read() }
        }
    }

    func closeAfterFlush(_ context: ChannelHandlerContext) {
        mode = .lingering
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in channel.close(promise: nil) }
    }

    /// Shuts the output and reads the rest away for a moment: closing with bytes unread would make the kernel drop the
    /// answer that the client has not read yet.
    func linger(_ context: ChannelHandlerContext) {
        mode = .lingering
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in
            channel.close(mode: .output, promise: nil)
            // From then on: a slow reader gets all before.
            channel.eventLoop.scheduleTask(in: Self.lingerTime) { channel.close(promise: nil) }
        }
        context.read()
    }
}

/// Writes a response's body piece by piece.
public struct HTTPBodyWriter: Sendable {
    let connection: NIOLoopBound<HTTPConnection>
    let loop: any EventLoop

    /// Sends `chunk`, and returns once the connection can take more.
    /// - Throws: `HTTPFailure` when the client has gone.
    public func write(_ chunk: ByteBuffer) async throws {
        try await withCheckedThrowingContinuation { continuation in
            loop.runOrExecute { connection.value.writeChunk(chunk, continuation) }
        }
    }

    public func write(_ bytes: [UInt8]) async throws { try await write(ByteBuffer(bytes: bytes)) }
    public func write(_ text: String) async throws { try await write(ByteBuffer(string: text)) }
}
