import NIOCore
import Synchronization

/// A request's body as it arrives.
///
/// The connection stops reading from its socket while more than `highWatermark` bytes wait here, so that a body of any
/// size takes constant memory. It has one consumer, which either iterates or collects it.
public final class HTTPBody: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer

    package static let highWatermark = 512 * 1024
    static let lowWatermark = 128 * 1024

    private struct State {
        var chunks = CircularBuffer<ByteBuffer>()
        var byteCount = 0
        /// Set once nothing more comes; an error when the body ended early.
        var end: Result<Void, HTTPFailure>?
        var consumer: CheckedContinuation<ByteBuffer?, any Error>?
        var hasBegun = false
        var isPaused = false
    }

    private let state = Mutex(State())
    /// Called, from any thread, when the consumer asks for the first chunk.
    private let whenBegun: @Sendable () -> Void
    /// Called, from any thread, when a paused connection may read on.
    private let whenDrained: @Sendable () -> Void

    /// The length that the client announced, if it did.
    public let announcedLength: Int?

    package init(
        announcedLength: Int?, whenBegun: @escaping @Sendable () -> Void, whenDrained: @escaping @Sendable () -> Void
    ) {
        self.announcedLength = announcedLength
        self.whenBegun = whenBegun
        self.whenDrained = whenDrained
    }

    /// A body that is all there.
    public init(_ bytes: [UInt8] = []) {
        announcedLength = bytes.count
        whenBegun = {}
        whenDrained = {}
        state.withLock {
            if !bytes.isEmpty { $0.chunks.append(ByteBuffer(bytes: bytes)) }
            $0.byteCount = bytes.count
            $0.end = .success(())
        }
    }

    public var isEmpty: Bool { announcedLength == 0 }

    // MARK: The connection's side

    /// Adds a chunk. Returns false when the connection should stop reading until `whenDrained`.
    package func append(_ chunk: ByteBuffer) -> Bool {
        let (consumer, mayContinue) = state.withLock { state -> (CheckedContinuation<ByteBuffer?, any Error>?, Bool) in
            guard state.end == nil else { return (nil, true) }
            if let consumer = state.consumer {
                state.consumer = nil
                return (consumer, true)
            }
            state.chunks.append(chunk)
            state.byteCount += chunk.readableBytes
            // Only the consumer ends a pause, because only that makes the connection read on.
            if state.byteCount >= Self.highWatermark { state.isPaused = true }
            return (nil, !state.isPaused)
        }
        consumer?.resume(returning: chunk)
        return mayContinue
    }

    /// Ends the body, with `failure` when it is not whole.
    func finish(_ failure: HTTPFailure? = nil) {
        let consumer = state.withLock { state -> CheckedContinuation<ByteBuffer?, any Error>? in
            guard state.end == nil else { return nil }
            state.end = failure.map { .failure($0) } ?? .success(())
            defer { state.consumer = nil }
            return state.consumer
        }
        if let failure { consumer?.resume(throwing: failure) } else { consumer?.resume(returning: nil) }
    }

    // MARK: The consumer's side

    /// The next chunk, or `nil` at the end.
    /// - Throws: `HTTPFailure` when the client went away or broke the framing, `CancellationError`.
    public func next() async throws -> ByteBuffer? {
        let begins = state.withLock { state in
            defer { state.hasBegun = true }
            return !state.hasBegun
        }
        if begins { whenBegun() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enum Outcome {
                    case wait
                    case chunk(ByteBuffer, drained: Bool)
                    case end(Result<Void, HTTPFailure>)
                    case cancelled
                }
                let outcome = state.withLock { state -> Outcome in
                    if let chunk = state.chunks.popFirst() {
                        state.byteCount -= chunk.readableBytes
                        let drained = state.isPaused && state.byteCount <= Self.lowWatermark
                        if drained { state.isPaused = false }
                        return .chunk(chunk, drained: drained)
                    }
                    if let end = state.end { return .end(end) }
                    // A second consumer would wait for ever; the first one keeps its place.
                    if Task.isCancelled || state.consumer != nil { return .cancelled }
                    state.consumer = continuation
                    return .wait
                }
                switch outcome {
                case .wait: break
                case .chunk(let chunk, let drained):
                    if drained { whenDrained() }
                    continuation.resume(returning: chunk)
                case .end(.success): continuation.resume(returning: nil)
                case .end(.failure(let failure)): continuation.resume(throwing: failure)
                case .cancelled: continuation.resume(throwing: CancellationError())
                }
            }
        } onCancel: {
            let consumer = state.withLock { state in
                defer { state.consumer = nil }
                return state.consumer
            }
            consumer?.resume(throwing: CancellationError())
        }
    }

    /// The whole body.
    /// - Throws: `HTTPFailure` with 413 when it is longer than `limit` bytes.
    public func collect(limit: Int) async throws -> [UInt8] {
        let tooLong = HTTPFailure(.payloadTooLarge, "the request's body is longer than \(limit) bytes")
        if let announcedLength, announcedLength > limit { throw tooLong }
        var bytes: [UInt8] = []
        while let chunk = try await next() {
            if bytes.count + chunk.readableBytes > limit { throw tooLong }
            bytes.append(contentsOf: chunk.readableBytesView)
        }
        return bytes
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        let body: HTTPBody
        public mutating func next() async throws -> ByteBuffer? { try await body.next() }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: self) }
}
