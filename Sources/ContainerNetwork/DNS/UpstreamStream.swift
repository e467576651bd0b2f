import Kernel

/// One query over a connection of its own to an upstream server.
final class UpstreamStream {
    private let socket: FileDescriptor
    private let loop: EventLoop
    private var watch: EventLoop.Watch?
    private let query: PendingQuery
    /// The query, after its length (RFC 1035, section 4.2.2).
    private var output: [UInt8]
    private var sent = 0
    private var input: [UInt8] = []
    private let finish: (DNSUpstreamReply?, UnsafeRawBufferPointer) -> Void

    /// - Parameter finish: gets the answer; or none: it failed.
    init(
        _ socket: FileDescriptor, on loop: EventLoop, _ query: PendingQuery,
        finish: @escaping (DNSUpstreamReply?, UnsafeRawBufferPointer) -> Void
    ) throws(KernelError) {
        self.socket = socket
        self.loop = loop
        self.query = query
        self.finish = finish
        var generator = SystemRandomNumberGenerator()
        let id: UInt16 = generator.next()
        query.message[0] = UInt8(id >> 8)
        query.message[1] = UInt8(truncatingIfNeeded: id)
        output = [UInt8(query.message.count >> 8), UInt8(truncatingIfNeeded: query.message.count)] + query.message
        watch = try loop.watch(socket, .writable) { [self] events in react(events) }
        query.cancel = { [unowned self] in close() }
    }

    private func react(_ events: ReadinessEvents) {
        guard let watch else { return }
        if sent < output.count {
            let result = output.withUnsafeBytes { socket.send(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
            if result == -11 { return }
            guard result > 0 else { return end(nil) }
            sent += result
            if sent == output.count { loop.wait(watch, for: .readable) }
            return
        }
        while self.watch != nil {
            let wanted = input.count < 2 ? 2 : 2 + (Int(input[0]) << 8 | Int(input[1]))
            if input.count >= 2 && input.count == wanted { return complete() }
            let old = input.count
            input.append(contentsOf: repeatElement(0, count: wanted - old))
            let result = input.withUnsafeMutableBytes {
                socket.receive(into: UnsafeMutableRawBufferPointer(rebasing: $0[old...]))
            }
            input.removeLast(wanted - old - max(result, 0))
            if result == -11 { return }
            if result <= 0 { return end(nil) }
        }
    }

    private func complete() {
        input.withUnsafeBytes { bytes in
            let message = UnsafeRawBufferPointer(rebasing: bytes[2...])
            guard message.count >= 2, message[0] == query.message[0], message[1] == query.message[1],
                let reply = DNSUpstreamReply(message, to: query.message, questionEnd: query.query.questionEnd)
            else { return end(nil) }
            end(reply, message)
        }
    }

    private func end(_ reply: DNSUpstreamReply?, _ message: UnsafeRawBufferPointer = .init(start: nil, count: 0)) {
        query.cancel = nil
        let finish = finish
        close()
        finish(reply, message)
    }

    private func close() {
        guard let watch else { return }
        self.watch = nil
        loop.forget(watch)
        try? socket.close()
    }
}
