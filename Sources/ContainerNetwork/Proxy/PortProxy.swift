import Kernel

/// The userland proxy: carries what comes to published ports into containers, all of it on one event thread.
///
/// It serves where the firewall's address translation cannot: the host's own connections by way of its loopback, IPv6
/// in front of an IPv4 container, a host without a firewall.
public final class PortProxy: Sendable {
    public struct Options: Sendable {
        /// How long a UDP client is remembered after the last datagram either way; docker-proxy's 90 s.
        public var datagramIdleMilliseconds: UInt64
        /// How many UDP clients a port serves at once; the longest idle give way.
        public var maximumFlows: Int

        public init(datagramIdleMilliseconds: UInt64 = 90_000, maximumFlows: Int = 4096) {
            self.datagramIdleMilliseconds = datagramIdleMilliseconds
            self.maximumFlows = maximumFlows
        }
    }

    /// Names a proxy that was started.
    public struct ID: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    private let thread: EventThread
    private let core = LoopBound<PortProxyCore>()
    private let options: Options

    public init(on thread: EventThread, options: Options = Options()) {
        self.thread = thread
        self.options = options
    }

    deinit {
        let core = core
        let options = options
        thread.post { loop in core.value(on: loop) { PortProxyCore(loop, options) }.stopAll() }
    }

    private func run<Result: Sendable>(_ work: @escaping @Sendable (PortProxyCore) throws -> Result) async throws
        -> Result
    {
        try await thread.run { [core, options] loop in
            try work(core.value(on: loop) { PortProxyCore(loop, options) })
        }
    }

    /// Begins to carry what comes to `listener` to `backend`, of either family.
    /// - Parameter listener: bound, and listening unless it is UDP's; it belongs to the proxy from here on.
    public func start(_ transport: Socket.Transport, listener: FileDescriptor, backend: InternetEndpoint) async throws
        -> ID
    {
        ID(number: try await run { try $0.start(transport, listener, backend) })
    }

    /// Ends a proxy and every connection through it. When this returns its port is free.
    public func stop(_ id: ID) async throws {
        try await run { $0.stop(id.number) }
    }

    public func stopAll() async throws {
        try await run { $0.stopAll() }
    }

    /// How many connections, and UDP clients, are being served.
    public func connectionCount() async throws -> Int {
        try await run { $0.proxies.values.reduce(0) { $0 + $1.connectionCount } }
    }
}

/// What the proxies of the transports have in common.
protocol TransportProxy: AnyObject {
    var connectionCount: Int { get }
    func stop()
}

/// All proxies of one event loop.
final class PortProxyCore {
    let loop: EventLoop
    let options: PortProxy.Options
    let buffers: RelayBuffers
    private(set) var proxies: [UInt64: any TransportProxy] = [:]
    private var lastNumber: UInt64 = 0
    private var datagrams: DatagramBatch?

    init(_ loop: EventLoop, _ options: PortProxy.Options) {
        self.loop = loop
        self.options = options
        buffers = RelayBuffers()
    }

    func start(_ transport: Socket.Transport, _ listener: FileDescriptor, _ backend: InternetEndpoint)
        throws(KernelError)
        -> UInt64
    {
        try listener.setNonBlocking(true)
        let proxy: any TransportProxy
        switch transport {
        case .udp:
            // The memory is touched as datagrams need it.
            let batch = datagrams ?? DatagramBatch(capacity: 64, datagramSize: 65535)
            datagrams = batch
            proxy = try DatagramProxy(listener, backend, on: loop, batch: batch, options)
        case .tcp, .sctp:
            proxy = try StreamProxy(transport, listener, backend, on: loop, buffers)
        }
        lastNumber += 1
        proxies[lastNumber] = proxy
        return lastNumber
    }

    func stop(_ number: UInt64) { proxies.removeValue(forKey: number)?.stop() }

    func stopAll() {
        for proxy in proxies.values { proxy.stop() }
        proxies = [:]
        buffers.removeAll()
    }
}
