import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

typealias HTTPServerDecoder = HTTPRequestDecoder

/// Listens on sockets, and answers the requests that come in with one function.
public final class HTTPServer: Sendable {
    /// Answers a request. It runs on the event loop, so that it must not block; its failures are answers.
    public typealias Responder = @Sendable (HTTPRequest) async -> HTTPResponse

    let responder: Responder
    let executor: EventLoopTaskExecutor
    private let group: any EventLoopGroup
    private let commonHeaders: [(String, String)]
    private let whenQuiet: @Sendable () -> Void

    private struct State {
        var listeners: [any Channel] = []
        var connections: [ObjectIdentifier: any Channel] = [:]
        var lastActivity = NIODeadline.now()
        var isStopping = false
        /// Whether `whenQuiet` is due.
        var awaitsQuiet = false
    }
    private static let quietTime = TimeAmount.seconds(2)
    private let state = Mutex(State())

    /// - Parameters:
    ///   - commonHeaders: added to every answer that does not set them itself.
    ///   - whenQuiet: called on the event loop some time after the last client has left.
    public init(
        group: any EventLoopGroup, commonHeaders: [(String, String)] = [],
        whenQuiet: @escaping @Sendable () -> Void = {}, responder: @escaping Responder
    ) {
        self.whenQuiet = whenQuiet
        self.group = group
        self.commonHeaders = commonHeaders
        self.responder = responder
        executor = EventLoopTaskExecutor(loop: group.next())
    }

    /// Accepts connections on a listening stream socket, whose ownership passes to the server.
    public func serve(listeningOn descriptor: CInt) async throws {
        let bootstrap = ServerBootstrap(group: executor.loop)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 2048, maximum: 256 * 1024)
            )
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 * 1024, high: 256 * 1024))
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    var limits = NIOHTTPDecoderLimitConfiguration()
                    limits.maxHeaderFieldSize = 64 * 1024
                    limits.maxHeaderListSize = 256 * 1024
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(
                        ByteToMessageHandler(
                            HTTPServerDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits)))
                    try pipeline.addHandler(HTTPConnection(server: self))
                }
            }
        let listener = try await bootstrap.withBoundSocket(descriptor).get()
        state.withLock { $0.listeners.append(listener) }
    }

    /// Takes no new connection; ends those that wait for a request, follow something or left HTTP; and gives the rest
    /// `limit` to get their answers.
    public func stop(within limit: Duration) async {
        let (listeners, connections) = state.withLock { state in
            state.isStopping = true
            defer { state.listeners = [] }
            return (state.listeners, Array(state.connections.values))
        }
        for listener in listeners { try? await listener.close() }
        for connection in connections { connection.pipeline.fireUserInboundEventTriggered(HTTPConnection.Quiesce()) }
        let deadline = ContinuousClock.now + limit
        while connectionCount > 0, ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// How many clients are connected.
    public var connectionCount: Int { state.withLock { $0.connections.count } }

    /// How long nobody has been connected; zero while somebody is.
    public var idleTime: TimeAmount {
        state.withLock { $0.connections.isEmpty == false ? .zero : NIODeadline.now() - $0.lastActivity }
    }

    var isStopping: Bool { state.withLock { $0.isStopping } }

    func connectionOpened(_ channel: any Channel) {
        state.withLock { $0.connections[ObjectIdentifier(channel)] = channel }
    }

    func connectionClosed(_ channel: any Channel) {
        let schedules = state.withLock { state in
            state.connections[ObjectIdentifier(channel)] = nil
            state.lastActivity = .now()
            guard state.connections.isEmpty, !state.isStopping, !state.awaitsQuiet else { return false }
            state.awaitsQuiet = true
            return true
        }
        guard schedules else { return }
        executor.loop.scheduleTask(in: Self.quietTime) { [self] in
            let isQuiet = state.withLock { state in
                state.awaitsQuiet = false
                return state.connections.isEmpty
            }
            if isQuiet { whenQuiet() }
        }
    }

    func addCommonHeaders(_ headers: inout HTTPHeaders) {
        for (name, value) in commonHeaders where !headers.contains(name: name) { headers.add(name: name, value: value) }
    }
}

/// Runs tasks on an event loop, so that a request is answered without waking another thread.
final class EventLoopTaskExecutor: TaskExecutor {
    let loop: any EventLoop

    init(loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
