import CKernel
import Glibc
import Monitor

/// A connection in stream mode: receives a process's output and may feed its input.
final class StreamClient {
    /// While more than this waits for the client, the process's output is not read.
    static let bound = 256 << 10
    /// A client for whom this much waits is dropped: only at a process's end is output read regardless of `bound`.
    static let limit = 8 << 20

    private let loop: EventLoop
    private var descriptor: Int32
    private var outbound: ByteQueue
    let wantsStdout: Bool
    let wantsStderr: Bool
    let isRaw: Bool
    private var readsInput: Bool
    private var isInputPaused = false
    private var isPeerGone = false
    private var endsWhenEmpty = false

    /// Input arrived; returns whether there is room for more.
    var onInput: (UnsafeRawBufferPointer) -> Bool = { _ in true }
    /// The client ended its input, by shutting down its side or by leaving.
    var onInputEnd: () -> Void = {}
    /// Less than `bound` waits again.
    var onRoom: () -> Void = {}
    /// The connection is closed; called once.
    var onClose: () -> Void = {}

    /// Takes the non-blocking socket `descriptor`.
    /// - Parameter first: what must go out before any output: the reply.
    init(
        _ descriptor: Int32, _ request: MonitorRequest.Attach, hasTerminal: Bool, first: [UInt8], loop: EventLoop
    ) {
        self.descriptor = descriptor
        self.loop = loop
        isRaw = request.isRaw ?? hasTerminal
        wantsStdout = request.stdout
        wantsStderr = request.stderr
        readsInput = request.stdin
        outbound = ByteQueue()
        outbound.append(first)
    }

    /// To be called once, when the callbacks are set.
    func begin() {
        do {
            try loop.watch(descriptor, interest) { [unowned self] in serve($0) }
            flush()
        } catch {
            close()
        }
    }

    var isOpen: Bool { descriptor >= 0 }
    var isFull: Bool { outbound.count > Self.bound }

    /// Sends one piece of output, framed unless the client takes it raw.
    func send(_ bytes: UnsafeRawBufferPointer, stream: OutputStream) {
        guard isOpen, !isPeerGone, !endsWhenEmpty else { return }
        guard stream == .stdout ? wantsStdout : wantsStderr else { return }
        if isRaw {
            deliver(bytes)
        } else {
            let count = UInt32(bytes.count)
            withUnsafeTemporaryAllocation(byteCount: 8, alignment: 8) { header in
                header.storeBytes(of: stream.rawValue, as: UInt8.self)
                for position in 1..<4 { header[position] = 0 }
                header.storeBytes(of: count.bigEndian, toByteOffset: 4, as: UInt32.self)
                deliver(UnsafeRawBufferPointer(header), bytes)
            }
        }
        if outbound.count > Self.limit { close() } else { update() }
    }

    /// Writes directly when nothing waits, and keeps what the socket does not take.
    private func deliver(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer = .init(start: nil, count: 0)
    ) {
        var sent = 0
        if outbound.isEmpty {
            let vectors = [
                iovec(iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count),
                iovec(iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress), iov_len: second.count),
            ]
            let count = writev(descriptor, vectors, 2)
            if count < 0, errno != EAGAIN, errno != EINTR { return leave() }
            sent = max(0, count)
        }
        if sent < first.count {
            outbound.append(UnsafeRawBufferPointer(rebasing: first[sent...]))
            outbound.append(second)
        } else if sent < first.count + second.count {
            outbound.append(UnsafeRawBufferPointer(rebasing: second[(sent - first.count)...]))
        }
    }

    /// No more output comes: closes once everything is sent.
    func endWhenEmpty() {
        guard isOpen else { return }
        endsWhenEmpty = true
        flush()
    }

    /// There is room for input again.
    func resumeInput() {
        guard isOpen, isInputPaused else { return }
        isInputPaused = false
        update()
    }

    func close() {
        guard isOpen else { return }
        loop.forget(descriptor)
        Glibc.close(descriptor)
        descriptor = -1
        outbound.removeAll()
        if readsInput {
            readsInput = false
            onInputEnd()
        }
        onClose()
    }

    private var interest: UInt32 {
        (readsInput && !isInputPaused ? EventLoop.readable : 0) | (outbound.isEmpty ? 0 : EventLoop.writable)
    }

    private func update() {
        guard isOpen else { return }
        if isPeerGone {
            // A hang-up is reported whatever is waited for; what the client sent before must still be read, later.
            if !readsInput { return close() }
            if isInputPaused { return loop.forget(descriptor) }
        }
        if loop.isWatched(descriptor) {
            loop.setEvents(descriptor, interest)
        } else {
            do { try loop.watch(descriptor, interest) { [unowned self] in serve($0) } } catch { close() }
        }
    }

    private func leave() {
        isPeerGone = true
        outbound.removeAll()
    }

    private func serve(_ events: UInt32) {
        // Its owner may let go of it in a callback.
        withExtendedLifetime(self) {
            if events & EventLoop.hungUp != 0 {
                let wasFull = isFull
                leave()
                if wasFull { onRoom() }
            }
            if readsInput, !isInputPaused, events & (EventLoop.readable | EventLoop.hungUp) != 0 { readInput() }
            if isOpen, events & EventLoop.writable != 0 { flush() } else { update() }
        }
    }

    private func readInput() {
        let buffer = loop.scratch()
        let count = read(descriptor, buffer.baseAddress, 32 << 10)
        if count > 0 {
            isInputPaused = !onInput(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
            readsInput = false
            onInputEnd()
        }
    }

    private func flush() {
        guard isOpen else { return }
        let wasFull = isFull
        if outbound.write(to: descriptor) != 0 { leave() }
        if wasFull, !isFull { onRoom() }
        if outbound.isEmpty, endsWhenEmpty { return close() }
        update()
    }
}
