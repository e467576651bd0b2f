import Glibc
import Kernel

/// One connection to a published port, and the one to the container behind it.
final class StreamRelay {
    private let client: FileDescriptor
    private let backend: FileDescriptor
    private let transport: Socket.Transport
    private let loop: EventLoop
    private let buffers: RelayBuffers
    private var clientWatch: EventLoop.Watch?
    private var backendWatch: EventLoop.Watch?
    private var toBackend = RelayDirection()
    private var toClient = RelayDirection()
    private var isClosed = false
    private let ended: (StreamRelay) -> Void

    init(
        _ client: FileDescriptor, _ backend: FileDescriptor, _ transport: Socket.Transport, on loop: EventLoop,
        _ buffers: RelayBuffers,
        ended: @escaping (StreamRelay) -> Void
    ) {
        self.client = client
        self.backend = backend
        self.transport = transport
        self.loop = loop
        self.buffers = buffers
        self.ended = ended
    }

    func connect(to endpoint: InternetEndpoint) {
        do throws(KernelError) {
            if transport == .tcp { Self.prepare(backend) }
            try backend.connect(to: endpoint)
            backendWatch = try loop.watch(backend, .writable) { [unowned self] events in
                withExtendedLifetime(self) { reactToBackend(events) }
            }
        } catch { reset() }
    }

    /// Sends small messages at once, and finds out when the other end is gone. Connections inherit this from the
    /// socket that they were accepted on.
    static func prepare(_ socket: FileDescriptor) {
        try? socket.setSocketOption(level: Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        try? socket.setSocketOption(SO_KEEPALIVE, 1)
        try? socket.setSocketOption(level: Int32(IPPROTO_TCP), TCP_KEEPIDLE, 15)
    }

    private func reactToBackend(_ events: ReadinessEvents) {
        if clientWatch == nil {
            // Refused or unreachable: the client sees its connection reset, as if it had met that itself.
            if backend.takeSocketError() != nil { return reset() }
            do throws(KernelError) {
                clientWatch = try loop.watch(client, .readable) { [unowned self] events in
                    withExtendedLifetime(self) { reactToClient(events) }
                }
            } catch { return reset() }
            // Most clients speak first, and have done so by now.
            moveToBackend()
            return settle()
        }
        if events != .writable { moveToClient() }
        if events != .readable { moveToBackend() }
        settle()
    }

    private func reactToClient(_ events: ReadinessEvents) {
        if events != .writable { moveToBackend() }
        if events != .readable { moveToClient() }
        settle()
    }

    private func moveToBackend() {
        guard !isClosed else { return }
        conclude(toBackend.move(from: client, to: backend, buffers, mayUsePipes: transport == .tcp), backend)
    }

    private func moveToClient() {
        guard !isClosed else { return }
        conclude(toClient.move(from: backend, to: client, buffers, mayUsePipes: transport == .tcp), client)
    }

    private func conclude(_ outcome: RelayDirection.Outcome, _ target: FileDescriptor) {
        switch outcome {
        case .open: break
        case .finished:
            // SCTP has no half-closed associations (RFC 9260, section 1.5.1).
            if transport == .tcp { try? target.shutdown(.write) }
        case .broken: reset()
        }
    }

    /// Waits for what is of use now, or ends.
    private func settle() {
        guard !isClosed, let clientWatch, let backendWatch else { return }
        let isOver =
            transport == .tcp
            ? toBackend.isFinished && toClient.isFinished
            : (toBackend.isFinished && !toClient.isBlocked) || (toClient.isFinished && !toBackend.isBlocked)
        if isOver { return close() }
        loop.wait(clientWatch, for: events(incoming: toBackend, outgoing: toClient))
        loop.wait(backendWatch, for: events(incoming: toClient, outgoing: toBackend))
    }

    private func events(incoming: RelayDirection, outgoing: RelayDirection) -> ReadinessEvents {
        var events: ReadinessEvents = []
        if incoming.isReading { events.insert(.readable) }
        if outgoing.isBlocked { events.insert(.writable) }
        return events
    }

    private func reset() {
        if transport == .tcp {
            client.resetOnClose()
            backend.resetOnClose()
        }
        close()
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        if let clientWatch { loop.forget(clientWatch) }
        if let backendWatch { loop.forget(backendWatch) }
        clientWatch = nil
        backendWatch = nil
        try? client.close()
        try? backend.close()
        toBackend.giveBackPipe(to: buffers)
        toClient.giveBackPipe(to: buffers)
        ended(self)
    }
}
