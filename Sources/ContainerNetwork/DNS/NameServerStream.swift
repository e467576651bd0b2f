import Kernel

/// A container's connection to its name server.
final class NameServerStream {
    /// A client that does not read its answers is not read either.
    private static let outputLimit = 256 << 10
    private static let maximumPending = 128

    private let socket: FileDescriptor
    private let loop: EventLoop
    private var watch: EventLoop.Watch?
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private var isAtEnd = false
    /// Queries that were taken and are not answered yet.
    private var pending = 0
    private(set) var lastUse = EventLoop.now()
    private let receive: (NameServerStream, UnsafeRawBufferPointer) -> Void
    private let ended: (NameServerStream) -> Void

    /// - Parameters:
    ///   - receive: gets each message, and answers it once with `reply`.
    ///   - ended: hears when this is over.
    init(
        _ socket: FileDescriptor, on loop: EventLoop,
        receive: @escaping (NameServerStream, UnsafeRawBufferPointer) -> Void,
        ended: @escaping (NameServerStream) -> Void
    ) throws(KernelError) {
        self.socket = socket
        self.loop = loop
        self.receive = receive
        self.ended = ended
        watch = try loop.watch(socket, .readable) { [unowned self] events in
            withExtendedLifetime(self) { react(events) }
        }
    }

    var isIdle: Bool { pending == 0 }

    private func react(_ events: ReadinessEvents) {
        lastUse = EventLoop.now()
        if events.contains(.error) { return close() }
        if events.contains(.writable) { flush() }
        if !events.isDisjoint(with: [.readable, .hangup]) && !isAtEnd {
            let size = 16 << 10
            let result = withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { buffer in
                let result = socket.receive(into: buffer)
                if result > 0 { input.append(contentsOf: buffer[..<result]) }
                return result
            }
            if result == 0 { isAtEnd = true }
            if result < 0 && result != -11 { return close() }
        }
        takeMessages()
        settle()
    }

    private func takeMessages() {
        var start = 0
        while watch != nil, pending < Self.maximumPending, output.count < Self.outputLimit, input.count - start >= 2 {
            let size = Int(input[start]) << 8 | Int(input[start + 1])
            guard input.count - start >= 2 + size else { break }
            let message = Array(input[(start + 2)..<(start + 2 + size)])
            start += 2 + size
            pending += 1
            message.withUnsafeBytes { receive(self, $0) }
        }
        if start > 0 { input.removeFirst(start) }
    }

    /// Answers one message; with no bytes, the connection is closed, since a client cannot tell silence from delay.
    func reply(_ message: UnsafeRawBufferPointer) {
        guard watch != nil else { return }
        pending -= 1
        guard !message.isEmpty, message.count <= 65535 else { return close() }
        output.append(UInt8(message.count >> 8))
        output.append(UInt8(truncatingIfNeeded: message.count))
        output.append(contentsOf: message)
        loop.later { [self] in
            flush()
            takeMessages()
            settle()
        }
    }

    private func flush() {
        guard watch != nil, !output.isEmpty else { return }
        let result = output.withUnsafeBytes { socket.send($0) }
        if result > 0 { output.removeFirst(result) }
        if result < 0 && result != -11 { close() }
    }

    /// Waits for what is of use now.
    private func settle() {
        guard let watch else { return }
        if isAtEnd && pending == 0 && output.isEmpty { return close() }
        var events: ReadinessEvents = []
        let isReading =
            !isAtEnd && pending < Self.maximumPending && output.count < Self.outputLimit && input.count <= 65537
        if isReading { events.insert(.readable) }
        if !output.isEmpty { events.insert(.writable) }
        loop.wait(watch, for: events)
    }

    func close() {
        guard let watch else { return }
        self.watch = nil
        loop.forget(watch)
        try? socket.close()
        ended(self)
    }
}
