import CKernel
import Glibc
import JSON
import Synchronization

/// One socket to a monitor, served by the reactor's thread and used from any.
final class Channel: Sendable {
    typealias Reply = Result<JSONValue, MonitorError>

    private struct Pending {
        var deadline: ContinuousClock.Instant
        var callback: @Sendable (Reply) -> Void
    }

    private struct State {
        var descriptor: Int32
        var token: UInt64 = 0
        var decoder = FrameDecoder()
        var outbound: [UInt8] = []
        var pending: [UInt64: Pending] = [:]
        var nextID: UInt64 = 1
    }

    private let reactor: MonitorReactor
    private let events: MonitorClient.EventCallback
    /// The monitor's process, when this process started it.
    private let child: pid_t?
    private let state: Mutex<State>

    /// Takes `descriptor`, a connected non-blocking socket, and closes it in the end, also when this throws.
    init(
        _ descriptor: Int32, reactor: MonitorReactor, child: pid_t? = nil,
        events: @escaping MonitorClient.EventCallback
    ) throws(MonitorError) {
        self.reactor = reactor
        self.child = child
        self.events = events
        state = Mutex(State(descriptor: descriptor))
        do throws(MonitorError) {
            // Under the lock, so that the reactor's thread finds the token.
            try state.withLock { state throws(MonitorError) in
                state.token = try reactor.add(self, descriptor: descriptor)
            }
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    /// Sends a request; `callback` is called once: with the reply, on the reactor's thread, or with why there is none.
    ///
    /// - Parameter stream: a descriptor to go along; only with the first request of a connection.
    func send(
        _ request: MonitorRequest, timeout: Duration, stream: Int32? = nil,
        _ callback: @escaping @Sendable (Reply) -> Void
    ) {
        let deadline = ContinuousClock.now.advanced(by: timeout)
        let failure = state.withLock { state -> MonitorError? in
            guard state.descriptor >= 0 else { return Self.lost }
            let id = state.nextID
            state.nextID += 1
            do throws(MonitorError) {
                let frame = try Frame.encode(Message.request(id: id, request).json)
                state.outbound.append(contentsOf: frame)
                if let stream { try sendFirstByte(&state, with: stream) }
                try flush(&state)
            } catch {
                return error
            }
            state.pending[id] = Pending(deadline: deadline, callback: callback)
            return nil
        }
        if let failure { return callback(.failure(failure)) }
        reactor.setAlarm(deadline)
    }

    /// Takes the socket away from the reactor; -1 when it is closed already.
    func takeDescriptor() -> Int32 {
        state.withLock { state in
            let descriptor = state.descriptor
            if descriptor >= 0 {
                reactor.remove(token: state.token, descriptor: descriptor)
                state.descriptor = -1
            }
            return descriptor
        }
    }

    /// Closes without an event; requests that wait for a reply fail.
    func close() {
        end(tells: false)
    }

    static let lost = MonitorError(.lost, "the connection to the monitor is closed")

    private func end(tells: Bool) {
        let descriptor = takeDescriptor()
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        let waiting = state.withLock { state -> [Pending] in
            defer { state.pending = [:] }
            return Array(state.pending.values)
        }
        for request in waiting { request.callback(.failure(Self.lost)) }
        if let child { reactor.reap(child) }
        if tells { events(.lost) }
    }

    /// The descriptor travels with the frame's first byte.
    private func sendFirstByte(_ state: inout State, with stream: Int32) throws(MonitorError) {
        var descriptor = stream
        guard ckernel_send(state.descriptor, state.outbound, 1, &descriptor, 1) == 1 else {
            throw .system("cannot hand a descriptor to the monitor")
        }
        state.outbound.removeFirst()
    }

    private func flush(_ state: inout State) throws(MonitorError) {
        var sent = 0
        let total = state.outbound.count
        while sent < total {
            let (count, failure) = state.outbound.withUnsafeBytes { bytes -> (Int, Int32) in
                let count = ckernel_send(state.descriptor, bytes.baseAddress?.advanced(by: sent), total - sent, nil, 0)
                return (count, errno)
            }
            if count >= 0 {
                sent += count
            } else if failure == EAGAIN {
                break
            } else if failure != EINTR {
                throw failure == EPIPE || failure == ECONNRESET ? Self.lost : .system("cannot ask the monitor", failure)
            }
        }
        if sent == total { state.outbound = [] } else { state.outbound.removeSubrange(..<sent) }
        reactor.setWantsWrite(!state.outbound.isEmpty, descriptor: state.descriptor, token: state.token)
    }

    // MARK: On the reactor's thread

    func serve(events ready: UInt32, _ buffer: UnsafeMutableRawBufferPointer) {
        if ready & EPOLLOUT.rawValue != 0 {
            let isBroken = state.withLock { state -> Bool in
                guard state.descriptor >= 0 else { return false }
                do throws(MonitorError) { try flush(&state) } catch { return true }
                return false
            }
            if isBroken { return end(tells: true) }
        }
        guard ready & ~EPOLLOUT.rawValue != 0 else { return }
        var isOver = false
        while true {
            let (message, status) = state.withLock { receive(&$0, buffer) }
            if let message { deliver(message) }
            if status == .waits { break }
            if status == .over {
                isOver = true
                break
            }
        }
        if isOver { end(tells: true) }
    }

    private enum ReadStatus { case more, waits, over }

    /// Reads at most one message: a stream's bytes, which follow the reply, must stay in the socket.
    private func receive(
        _ state: inout State, _ buffer: UnsafeMutableRawBufferPointer
    ) -> (Message?, ReadStatus) {
        guard state.descriptor >= 0 else { return (nil, .waits) }
        do throws(MonitorError) {
            if let json = try state.decoder.next() { return (try Message(json: json), .more) }
            var descriptors: Int32 = 0
            let count = ckernel_receive(
                state.descriptor, buffer.baseAddress, min(buffer.count, state.decoder.missing), nil, &descriptors, 0)
            if count < 0 { return (nil, errno == EAGAIN ? .waits : errno == EINTR ? .more : .over) }
            if count == 0 { return (nil, .over) }
            state.decoder.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            return (nil, .more)
        } catch {
            return (nil, .over)
        }
    }

    private func deliver(_ message: Message) {
        switch message {
        case .reply(let id, let value): finish(id, .success(value))
        case .refusal(let id, let error): finish(id, .failure(error))
        case .event(let event): events(event)
        case .request, .badRequest, .unknownEvent: break
        }
    }

    private func finish(_ id: UInt64, _ reply: Reply) {
        // A reply that comes after its time-out has nobody to go to.
        state.withLock { $0.pending.removeValue(forKey: id) }?.callback(reply)
    }

    /// Fails the requests whose time is over; returns when the next one's is.
    func expire(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        let (late, next) = state.withLock { state in
            let late = state.pending.filter { $0.value.deadline <= now }
            for id in late.keys { state.pending[id] = nil }
            return (late.values.map(\.callback), state.pending.values.map(\.deadline).min())
        }
        for callback in late {
            callback(.failure(MonitorError(.timedOut, "the monitor did not answer in time")))
        }
        return next
    }
}
