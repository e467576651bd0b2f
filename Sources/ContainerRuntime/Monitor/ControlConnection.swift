import CKernel
import Glibc
import JSON
import Monitor

/// One client that asks, and may be told of events.
final class ControlConnection {
    /// A client that does not read its replies is dropped.
    private static let bound = 32 << 20
    private static let maxDescriptors = 4

    private let loop: EventLoop
    private var descriptor: Int32
    private var decoder = FrameDecoder()
    private var outbound = ByteQueue()
    /// What came along with the bytes of the request that is being read.
    private var received: [Int32] = []
    var isSubscribed = false

    /// A request to be answered with `reply(to:_:)` or `refuse(_:_:)`.
    var onRequest: (UInt64, MonitorRequest) -> Void = { _, _ in }
    var onClose: () -> Void = {}

    /// Takes the non-blocking socket `descriptor`.
    init(_ descriptor: Int32, loop: EventLoop) {
        self.descriptor = descriptor
        self.loop = loop
    }

    func begin() throws(MonitorError) {
        try loop.watch(descriptor, EventLoop.readable) { [unowned self] in serve($0) }
    }

    var isOpen: Bool { descriptor >= 0 }
    var hasPending: Bool { !outbound.isEmpty }

    func reply(to id: UInt64, _ value: JSONValue = [:]) { send(.reply(to: id, value)) }
    func refuse(_ id: UInt64, _ error: MonitorError) { send(.refusal(to: id, error)) }
    func tell(_ event: MonitorEvent) { if isSubscribed { send(.event(event)) } }

    /// The socket that came along with the request that is being served, which the caller takes.
    func takeReceived() -> Int32? { received.isEmpty ? nil : received.removeFirst() }

    /// Turns the connection into a stream: gives up its socket and what must still go out, the reply included.
    func becomeStream(replyingTo id: UInt64, _ value: JSONValue) throws(MonitorError) -> (Int32, [UInt8]) {
        let reply = try Frame.encode(Message.reply(to: id, value).json)
        // A client that turns a connection into a stream has read all earlier replies.
        guard outbound.isEmpty else { throw MonitorError(.conflict, "earlier replies are still unread") }
        loop.forget(descriptor)
        let socket = descriptor
        descriptor = -1
        dropReceived()
        onClose()
        return (socket, reply)
    }

    func close() {
        guard isOpen else { return }
        loop.forget(descriptor)
        Glibc.close(descriptor)
        descriptor = -1
        dropReceived()
        onClose()
    }

    private func dropReceived() {
        for descriptor in received { Glibc.close(descriptor) }
        received = []
    }

    private func send(_ message: Message) {
        guard isOpen else { return }
        do throws(MonitorError) {
            outbound.append(try Frame.encode(message.json))
        } catch {
            Diagnostics.warn("cannot answer: \(error)")
            return close()
        }
        if outbound.count > Self.bound { return close() }
        flush()
    }

    private func flush() {
        guard isOpen else { return }
        if outbound.write(to: descriptor) != 0 { return close() }
        loop.setEvents(descriptor, EventLoop.readable | (outbound.isEmpty ? 0 : EventLoop.writable))
    }

    private func serve(_ events: UInt32) {
        withExtendedLifetime(self) {
            if events & EventLoop.writable != 0 { flush() }
            if events & ~EventLoop.writable != 0 { readRequests() }
        }
    }

    private func readRequests() {
        // Bounded, so that one client does not starve the rest.
        for _ in 0..<64 where isOpen {
            do throws(MonitorError) {
                if let json = try decoder.next() {
                    serve(try Message(json: json))
                    dropReceived()
                } else if !receive() {
                    return
                }
            } catch {
                Diagnostics.warn("a client broke the protocol: \(error)")
                close()
            }
        }
    }

    /// Reads to the end of the present frame, no further: what follows may be a stream, or another frame's descriptors.
    /// - Returns: whether anything came.
    private func receive() -> Bool {
        let buffer = loop.scratch()
        var descriptors = [Int32](repeating: -1, count: Self.maxDescriptors)
        var descriptorCount = Int32(Self.maxDescriptors - received.count)
        let count = ckernel_receive(
            descriptor, buffer.baseAddress, min(buffer.count, decoder.missing), &descriptors, &descriptorCount, 0)
        received.append(contentsOf: descriptors.prefix(max(0, Int(descriptorCount))))
        if count > 0 {
            decoder.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            return true
        }
        if count < 0, errno == EAGAIN { return false }
        if count < 0, errno == EINTR { return true }
        close()
        return false
    }

    private func serve(_ message: Message) {
        switch message {
        case .request(let id, let request): onRequest(id, request)
        case .badRequest(let id, let error): refuse(id, error)
        case .reply, .refusal, .event, .unknownEvent:
            Diagnostics.warn("a client sent what only the monitor sends")
            close()
        }
    }
}
