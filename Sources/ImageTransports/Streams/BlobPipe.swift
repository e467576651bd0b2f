import Dispatch
import NIOCore
import Registry
import Synchronization

/// Bytes between one who makes them and one who takes them, of which a bounded number wait.
///
/// Either side may be a task, which is suspended, or a thread, which blocks.
final class BlobPipe: Sendable {
    private struct State {
        var buffers = CircularBuffer<ByteBuffer>()
        var waiting = 0
        var end: Result<Void, any Error>?
        var isAbandoned = false
        var taker: (@Sendable (Result<ByteBuffer?, any Error>) -> Void)?
        var putter: (@Sendable (Bool) -> Void)?
    }

    private let state = Mutex(State())
    private let limit: Int

    /// - Parameter limit: how many bytes may wait; by default two pieces of what a download brings at a time.
    init(limit: Int = 1 << 20) { self.limit = limit }

    // MARK: Making

    private func put(_ buffer: ByteBuffer, then: @escaping @Sendable (Bool) -> Void) {
        let next: (() -> Void)? = state.withLock { state in
            if state.isAbandoned { return { then(false) } }
            if let taker = state.taker {
                state.taker = nil
                return {
                    taker(.success(buffer))
                    then(true)
                }
            }
            state.buffers.append(buffer)
            state.waiting += buffer.readableBytes
            if state.waiting < limit { return { then(true) } }
            state.putter = then
            return nil
        }
        next?()
    }

    /// Hands bytes on, and waits while too many are waiting.
    /// - Throws: `CancellationError` when nobody takes them any more.
    func put(_ buffer: ByteBuffer) async throws {
        if buffer.readableBytes == 0 { return }
        let isWanted = await withCheckedContinuation { continuation in
            put(buffer) { continuation.resume(returning: $0) }
        }
        guard isWanted else { throw CancellationError() }
    }

    /// The same, for a thread.
    func putBlocking(_ buffer: ByteBuffer) throws {
        if buffer.readableBytes == 0 { return }
        let answer = Answer<Bool>()
        put(buffer) { answer.give($0) }
        guard answer.wait() else { throw CancellationError() }
    }

    /// Nothing follows, or nothing can follow because of an error.
    func finish(_ error: (any Error)? = nil) {
        let taker = state.withLock { state in
            if state.end == nil { state.end = error.map { .failure($0) } ?? .success(()) }
            defer { state.taker = nil }
            return state.taker
        }
        guard let taker else { return }
        taker(error.map { .failure($0) } ?? .success(nil))
    }

    // MARK: Taking

    private func take(then: @escaping @Sendable (Result<ByteBuffer?, any Error>) -> Void) {
        let next: (() -> Void)? = state.withLock { state in
            if state.isAbandoned { return { then(.failure(CancellationError())) } }
            if let buffer = state.buffers.popFirst() {
                state.waiting -= buffer.readableBytes
                let putter = state.putter
                state.putter = nil
                return {
                    putter?(true)
                    then(.success(buffer))
                }
            }
            if let end = state.end { return { then(end.map { nil }) } }
            state.taker = then
            return nil
        }
        next?()
    }

    /// The next bytes, or `nil` at the end.
    func take() async throws -> ByteBuffer? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in take { continuation.resume(with: $0) } }
        } onCancel: {
            abandon()
        }
    }

    func takeBlocking() throws -> ByteBuffer? {
        let answer = Answer<Result<ByteBuffer?, any Error>>()
        take { answer.give($0) }
        return try answer.wait().get()
    }

    /// Nothing will be taken any more: whoever makes bytes is told so.
    func abandon() {
        let (putter, taker) = state.withLock { state in
            state.isAbandoned = true
            state.buffers.removeAll()
            defer { (state.putter, state.taker) = (nil, nil) }
            return (state.putter, state.taker)
        }
        putter?(false)
        taker?(.failure(CancellationError()))
    }
}

/// One value that a thread waits for.
private final class Answer<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let isThere = DispatchSemaphore(value: 0)

    func give(_ value: Value) {
        self.value.withLock { $0 = value }
        isThere.signal()
    }

    func wait() -> Value {
        while true {
            isThere.wait()
            if let value = value.withLock({ $0 }) { return value }
        }
    }
}

/// The taking end of a pipe: when nobody holds it any more, what fills the pipe is stopped.
final class PipeEnd: Sendable {
    private let pipe: BlobPipe
    private let stop: @Sendable () -> Void

    init(_ pipe: BlobPipe, stop: @escaping @Sendable () -> Void = {}) {
        self.pipe = pipe
        self.stop = stop
    }

    deinit {
        pipe.abandon()
        stop()
    }

    var stream: BlobStream { BlobStream { try await self.pipe.take() } }
}
