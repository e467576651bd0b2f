import NIOCore

/// Bytes from the engine as they come, read no faster than they are taken. For one consumer.
public struct ByteStream: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer

    private let source: @Sendable () async throws -> ByteBuffer?

    /// - Parameter source: gives the next chunk, or `nil` at the end; never called twice at once.
    public init(_ source: @escaping @Sendable () async throws -> ByteBuffer?) { self.source = source }

    /// A stream that is all there.
    public init(_ bytes: [UInt8]) {
        let once = Once(ByteBuffer(bytes: bytes))
        source = { once.take() }
    }

    public func next() async throws -> ByteBuffer? { try await source() }

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ByteStream
        public mutating func next() async throws -> ByteBuffer? { try await stream.next() }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: self) }
}

/// What a client sends to a load, an import or a copy.
public typealias ByteInput = any AsyncSequence<ByteBuffer, any Error> & Sendable

/// A connected stream socket to a container's or an exec's standard input and output.
///
/// Without a terminal it carries Docker's frames outwards (stream number, three zeros, length in four bytes
/// big-endian), with one raw bytes; inwards raw bytes. `SHUT_WR` on it is the end of the standard input. Whoever gets it
/// closes the descriptor.
public struct ProcessStream: Sendable {
    public var descriptor: CInt
    public var isTerminal: Bool
}
