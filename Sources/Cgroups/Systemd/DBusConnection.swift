import Kernel

/// A connection to a D-Bus peer, used by one thread.
final class DBusConnection {
    private let socket: FileDescriptor
    private var received: [UInt8] = []
    private var lastSerial: UInt32 = 0
    /// Signals that came while something else was waited for.
    private var signals: [DBusMessage] = []
    /// How long to wait for an answer.
    private let timeoutMilliseconds: Int

    /// Connects and says who we are (SASL `EXTERNAL`: the socket's credentials prove it).
    ///
    /// - Parameter isBus: whether a bus daemon is at the other end rather than the service itself.
    init(path: String, isBus: Bool, timeoutMilliseconds: Int = 30_000) throws(CgroupError) {
        self.timeoutMilliseconds = timeoutMilliseconds
        do throws(KernelError) { socket = try Socket.connect(to: path) } catch {
            throw CgroupError(.systemd, "cannot reach systemd: \(error)", cause: error)
        }
        let user = "\(Credentials.effectiveUserID)".utf8.map { byte in "3\(byte - UInt8(ascii: "0"))" }.joined()
        // In one piece, before any message: systemd overlooks a message that arrives together with BEGIN until the next
        // one wakes it.
        try send(Array("\0AUTH EXTERNAL \(user)\r\nBEGIN\r\n".utf8))
        let answer = try readLine()
        guard answer.hasPrefix("OK ") || answer == "OK" else {
            throw CgroupError(
                .systemd, "systemd does not let user \(Credentials.effectiveUserID) in: it says \(answer)")
        }
        if isBus {
            _ = try call(
                destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus",
                "Hello", [])
        }
    }

    private func send(_ bytes: [UInt8]) throws(CgroupError) {
        var rest = bytes[...]
        do throws(KernelError) {
            while !rest.isEmpty { rest = rest.dropFirst(try socket.send(Array(rest))) }
        } catch { throw CgroupError(.systemd, "cannot ask systemd: \(error)", cause: error) }
    }

    /// Waits for more bytes.
    private func receive(until deadline: Int64) throws(CgroupError) {
        do throws(KernelError) {
            let left = (deadline - Timestamp.monotonic.totalNanoseconds) / 1_000_000
            let ready = try poll([PollRequest(socket, .readable)], timeoutMilliseconds: max(0, Int(left)))
            if ready[0].isEmpty {
                // Nothing yet: a signal may have come.
                if Timestamp.monotonic.totalNanoseconds < deadline { return }
                throw KernelError(.timedOut, "wait for systemd")
            }
            let bytes = try socket.read(count: 16 << 10)
            if bytes.isEmpty { throw KernelError(.connectionReset, "read from systemd") }
            received += bytes
        } catch {
            throw CgroupError(error.code == .timedOut ? .timedOut : .systemd, "\(error)", cause: error)
        }
    }

    private var deadline: Int64 { Timestamp.monotonic.totalNanoseconds + Int64(timeoutMilliseconds) * 1_000_000 }

    private func readLine() throws(CgroupError) -> String {
        let deadline = deadline
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: received[..<end], as: UTF8.self)
                received.removeSubrange(...end)
                return line.hasSuffix("\r") || line.hasSuffix("\r\n") ? String(line.dropLast()) : line
            }
            if received.count > 4096 { throw CgroupError(.systemd, "systemd's answer has no end") }
            try receive(until: deadline)
        }
    }

    private func readMessage(until deadline: Int64) throws(CgroupError) -> DBusMessage {
        while true {
            if received.count >= DBusMessage.prefixLength {
                let length = try DBusMessage.length(Array(received.prefix(DBusMessage.prefixLength)))
                if received.count >= length {
                    let bytes = Array(received.prefix(length))
                    received.removeFirst(length)
                    if let message = try DBusMessage.decoded(bytes) { return message }
                    continue
                }
            }
            try receive(until: deadline)
        }
    }

    /// Calls a method and waits for the answer.
    /// - Throws: `DBusCallError` as the message when the other side refuses.
    func call(
        destination: String, path: String, interface: String, _ member: String, _ arguments: [DBusValue]
    ) throws(CgroupError) -> Result<[DBusValue], DBusRefusal> {
        lastSerial += 1
        var message = DBusMessage(.call)
        message.serial = lastSerial
        message.destination = destination
        message.path = path
        message.interface = interface
        message.member = member
        message.body = arguments
        try send(message.encoded())
        let deadline = deadline
        while true {
            let answer = try readMessage(until: deadline)
            switch answer.kind {
            case .signal: if signals.count < 1000 { signals.append(answer) }
            case .reply where answer.replySerial == lastSerial: return .success(answer.body)
            case .error where answer.replySerial == lastSerial:
                return .failure(
                    DBusRefusal(name: answer.errorName ?? "unknown", message: answer.body.first?.text ?? ""))
            default: break
            }
        }
    }

    /// Waits for a signal; one that came before counts.
    func waitForSignal(_ matches: (DBusMessage) -> Bool) throws(CgroupError) -> DBusMessage {
        if let index = signals.firstIndex(where: matches) { return signals.remove(at: index) }
        let deadline = deadline
        while true {
            let message = try readMessage(until: deadline)
            if message.kind == .signal, matches(message) { return message }
        }
    }
}

/// An error message of D-Bus.
struct DBusRefusal: Error, Equatable, Sendable {
    /// Such as `org.freedesktop.systemd1.UnitExists`.
    let name: String
    let message: String
}
