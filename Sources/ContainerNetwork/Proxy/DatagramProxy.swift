import Glibc
import Kernel

/// Carries the datagrams to one UDP port: each client has a socket to the container, so that replies find their way.
final class DatagramProxy: TransportProxy {
    private struct Key: Hashable {
        let client: InternetEndpoint
        /// Where the client sent to: replies must come from there.
        let local: InternetAddress?
    }

    private final class Flow {
        let socket: FileDescriptor
        var watch: EventLoop.Watch?
        var lastUse = EventLoop.now()
        init(_ socket: FileDescriptor) { self.socket = socket }
    }

    private static let receiveBufferSize: Int32 = 1 << 20

    private let listener: FileDescriptor
    private let backend: InternetEndpoint
    private let loop: EventLoop
    private let batch: DatagramBatch
    private let options: PortProxy.Options
    private var watch: EventLoop.Watch?
    private var flows: [Key: Flow] = [:]
    private var sweepTimer: EventLoop.Timer?

    init(
        _ listener: FileDescriptor, _ backend: InternetEndpoint, on loop: EventLoop, batch: DatagramBatch,
        _ options: PortProxy.Options
    ) throws(KernelError) {
        self.listener = listener
        self.backend = backend
        self.loop = loop
        self.batch = batch
        self.options = options
        // IP_PKTINFO 8; IPV6_RECVPKTINFO 49.
        if try listener.localEndpoint().address.isIPv4 {
            try listener.setSocketOption(level: 0, 8, 1)
        } else {
            try listener.setSocketOption(level: 41, 49, 1)
        }
        // Bursts wait here while the loop serves others; the kernel may grant less (SO_RCVBUFFORCE 33, SO_RCVBUF).
        if (try? listener.setSocketOption(33, Self.receiveBufferSize)) == nil {
            try? listener.setSocketOption(SO_RCVBUF, Self.receiveBufferSize)
        }
        watch = try loop.watch(listener, .readable) { [unowned self] _ in receive() }
    }

    var connectionCount: Int { flows.count }

    private func receive() {
        for _ in 0..<4 {
            let count = batch.receive(from: listener, wantsLocalAddress: true)
            guard count > 0 else { return }
            // Datagrams of one client in a row go out together.
            var start = 0
            while start < count {
                guard let key = key(start) else {
                    start += 1
                    continue
                }
                var end = start + 1
                while end < count, self.key(end) == key { end += 1 }
                if let flow = flow(key) {
                    flow.lastUse = EventLoop.now()
                    batch.resend(start..<end, on: flow.socket)
                }
                start = end
            }
            if count < batch.capacity { return }
        }
    }

    private func key(_ index: Int) -> Key? {
        batch.sender(index).map { Key(client: $0, local: batch.localAddress(index)) }
    }

    private func flow(_ key: Key) -> Flow? {
        if let flow = flows[key] { return flow }
        if flows.count >= options.maximumFlows { makeRoom() }
        var socket = try? Socket.connect(.udp, to: backend)
        if socket == nil {
            // Perhaps there are no descriptors left.
            makeRoom()
            socket = try? Socket.connect(.udp, to: backend)
        }
        guard let socket else { return nil }
        let flow = Flow(socket)
        flow.watch = try? loop.watch(socket, .readable) { [unowned self, unowned flow] _ in
            withExtendedLifetime(flow) { reply(flow, key) }
        }
        guard flow.watch != nil else { return nil }
        flows[key] = flow
        startSweeping()
        return flow
    }

    private func reply(_ flow: Flow, _ key: Key) {
        for _ in 0..<4 {
            let count = batch.receive(from: flow.socket)
            // An error is an ICMP message's: the container's port is closed, which may change.
            guard count > 0 else { return }
            flow.lastUse = EventLoop.now()
            batch.resend(0..<count, on: listener, to: key.client, from: key.local)
            if count < batch.capacity { return }
        }
    }

    /// Forgets the eighth of the clients that have been idle longest.
    private func makeRoom() {
        for (key, _) in flows.sorted(by: { $0.value.lastUse < $1.value.lastUse }).prefix(flows.count / 8 + 1) {
            end(key)
        }
    }

    private func startSweeping() {
        guard sweepTimer == nil else { return }
        let interval = max(options.datagramIdleMilliseconds / 3, 1)
        sweepTimer = loop.after(milliseconds: interval) { [weak self] in
            guard let self else { return }
            sweepTimer = nil
            let now = EventLoop.now()
            let idle = options.datagramIdleMilliseconds * 1_000_000
            for (key, flow) in flows where now - flow.lastUse >= idle { end(key) }
            if !flows.isEmpty { startSweeping() }
        }
    }

    private func end(_ key: Key) {
        guard let flow = flows.removeValue(forKey: key) else { return }
        if let watch = flow.watch { loop.forget(watch) }
        try? flow.socket.close()
    }

    func stop() {
        if let watch { loop.forget(watch) }
        watch = nil
        try? listener.close()
        for key in Array(flows.keys) { end(key) }
        if let sweepTimer { loop.cancel(sweepTimer) }
        sweepTimer = nil
    }
}
