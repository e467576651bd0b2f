import Glibc
import Kernel

/// Carries the connections to one TCP or SCTP port.
final class StreamProxy: TransportProxy {
    private let transport: Socket.Transport
    private let listener: FileDescriptor
    private let backend: InternetEndpoint
    private let loop: EventLoop
    private let buffers: RelayBuffers
    private var watch: EventLoop.Watch?
    private var relays: [ObjectIdentifier: StreamRelay] = [:]

    init(
        _ transport: Socket.Transport, _ listener: FileDescriptor, _ backend: InternetEndpoint, on loop: EventLoop,
        _ buffers: RelayBuffers
    ) throws(KernelError) {
        self.transport = transport
        self.listener = listener
        self.backend = backend
        self.loop = loop
        self.buffers = buffers
        if transport == .tcp { StreamRelay.prepare(listener) }
        watch = try loop.watch(listener, .readable) { [unowned self] _ in accept() }
    }

    var connectionCount: Int { relays.count }

    private func accept() {
        // Some, then the others' turn.
        for _ in 0..<64 {
            let client: FileDescriptor
            let socket: FileDescriptor
            let kind = RelayBuffers.Spare(transport: transport, family: backend.family)
            do throws(KernelError) {
                socket = try buffers.takeSocket(kind)
                let next: FileDescriptor?
                do throws(KernelError) { next = try listener.accept(nonBlocking: true) } catch {
                    buffers.giveBack(socket, kind)
                    throw error
                }
                guard let next else { return buffers.giveBack(socket, kind) }
                client = next
            } catch {
                // Out of descriptors or memory: those in the queue wait. Any other error was one connection's own.
                let isShort = [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error.code.rawValue)
                if isShort { return pause() }
                continue
            }
            let relay = StreamRelay(client, socket, transport, on: loop, buffers) { [weak self] relay in
                self?.relays[ObjectIdentifier(relay)] = nil
            }
            relays[ObjectIdentifier(relay)] = relay
            relay.connect(to: backend)
        }
    }

    private func pause() {
        guard let watch else { return }
        loop.wait(watch, for: [])
        loop.after(milliseconds: 50) { [weak self] in
            guard let self, let watch = self.watch else { return }
            loop.wait(watch, for: .readable)
        }
    }

    func stop() {
        if let watch { loop.forget(watch) }
        watch = nil
        try? listener.close()
        for relay in relays.values { relay.close() }
        relays = [:]
    }
}
