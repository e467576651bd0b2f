import NIOCore
import NIOHTTP1
import NIOPosix

/// One connection to the daemon.
struct Connection: Sendable {
    let channel: any Channel
    private let exchange: NIOLoopBound<Exchange>

    /// Connects.
    static func open(_ host: EngineHost, on group: any EventLoopGroup) async throws(EngineClientError) -> Connection {
        let bootstrap = ClientBootstrap(group: group)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(HTTPRequestEncoder())
                    try pipeline.addHandler(
                        ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes)))
                    try pipeline.addHandler(Exchange())
                }
            }
        do {
            let connected =
                switch host {
                case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
                case .tcp(let name, let port): bootstrap.connect(host: name, port: port)
                }
            return try await connected.flatMapThrowing { channel in
                let exchange = try channel.pipeline.syncOperations.handler(type: Exchange.self)
                return Connection(channel: channel, exchange: NIOLoopBound(exchange, eventLoop: channel.eventLoop))
            }.get()
        } catch {
            if let error = error as? IOError, error.errnoCode == 13 {
                throw EngineClientError(
                    .connection,
                    "permission denied while trying to connect to the Docker daemon socket at \(host): \(error)")
            }
            throw EngineClientError(
                .connection, "Cannot connect to the Docker daemon at \(host). Is the docker daemon running?")
        }
    }

    /// Sends a request's head and, unless the body is sent afterwards, its body.
    /// - Returns: the response's head.
    func send(
        _ head: HTTPRequestHead, body: ByteBuffer?, completes: Bool = true
    ) async throws(EngineClientError) -> HTTPResponseHead {
        let promise = channel.eventLoop.makePromise(of: HTTPResponseHead.self)
        channel.eventLoop.execute {
            exchange.value.expectHead(promise)
            channel.write(HTTPClientRequestPart.head(head), promise: nil)
            if let body { channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil) }
            if completes {
                channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
            } else {
                channel.flush()
            }
        }
        return try await Self.unwrapped(promise.futureResult)
    }

    /// Starts a request whose body follows with `writeBody`; the future is the response's head.
    func begin(_ head: HTTPRequestHead) -> EventLoopFuture<HTTPResponseHead> {
        let promise = channel.eventLoop.makePromise(of: HTTPResponseHead.self)
        channel.eventLoop.execute {
            exchange.value.expectHead(promise)
            channel.writeAndFlush(HTTPClientRequestPart.head(head), promise: nil)
        }
        return promise.futureResult
    }

    /// Sends bytes of the body of a request that was begun; `nil` ends it.
    func writeBody(_ buffer: ByteBuffer?) -> EventLoopFuture<Void> {
        if let buffer { return channel.writeAndFlush(HTTPClientRequestPart.body(.byteBuffer(buffer))) }
        return channel.writeAndFlush(HTTPClientRequestPart.end(nil))
    }

    /// The next bytes of the response's body, or of the stream after an upgrade; `nil` at the end.
    func next() async throws(EngineClientError) -> ByteBuffer? {
        let promise = channel.eventLoop.makePromise(of: ByteBuffer?.self)
        channel.eventLoop.execute { exchange.value.next(promise) }
        return try await Self.unwrapped(promise.futureResult)
    }

    /// Whether another request can be sent.
    func isReusable() async -> Bool {
        (try? await channel.eventLoop.submit { exchange.value.isReusable && channel.isActive }.get()) ?? false
    }

    func close() { channel.close(promise: nil) }

    static func unwrapped<Value: Sendable>(
        _ future: EventLoopFuture<Value>
    ) async throws(EngineClientError) -> Value {
        do {
            return try await future.get()
        } catch let error as EngineClientError {
            throw error
        } catch {
            throw EngineClientError(.badAnswer, "the connection to the daemon failed: \(error)")
        }
    }
}
