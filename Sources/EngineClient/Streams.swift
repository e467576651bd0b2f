import Glibc
import JSON
import NIOCore
import NIOHTTP1

/// The body of an answer, as it arrives. Only one reader at a time.
public struct ResponseStream: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer

    let client: EngineClient
    let connection: Connection
    public let answer: EngineClient.Answer

    /// The next bytes; `nil` at the end.
    public func next() async throws(EngineClientError) -> ByteBuffer? {
        if let buffer = try await connection.next() { return buffer }
        if await connection.isReusable() { client.keep(connection) }
        return nil
    }

    /// Gives up the rest of the answer.
    public func cancel() { connection.close() }

    public func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

    public struct Iterator: AsyncIteratorProtocol {
        let stream: ResponseStream
        public mutating func next() async throws(EngineClientError) -> ByteBuffer? { try await stream.next() }
    }

    /// The body as a stream of JSON documents, as progress, events and stats come.
    public var documents: JSONDocuments { JSONDocuments(stream: self) }
}

/// JSON documents one after another.
public struct JSONDocuments: AsyncSequence, Sendable {
    public typealias Element = JSONValue
    let stream: ResponseStream

    public func makeAsyncIterator() -> Iterator { Iterator(stream: stream) }

    public struct Iterator: AsyncIteratorProtocol {
        let stream: ResponseStream
        private var pending: [UInt8] = []
        private var isAtEnd = false

        init(stream: ResponseStream) { self.stream = stream }

        public mutating func next() async throws(EngineClientError) -> JSONValue? {
            while true {
                if let value = try parse() { return value }
                if isAtEnd { return nil }
                if let buffer = try await stream.next() {
                    pending.append(contentsOf: buffer.readableBytesView)
                } else {
                    isAtEnd = true
                }
            }
        }

        private mutating func parse() throws(EngineClientError) -> JSONValue? {
            // A document ends with a line feed, except perhaps the last.
            guard isAtEnd || pending.contains(0x0A) else { return nil }
            let result = pending.withUnsafeBufferPointer { bytes in
                Result { () throws(JSONError) in try JSONValue.parsePrefix(bytes) }
            }
            switch result {
            case .success(nil):
                pending = []
                return nil
            case .success(let found?):
                pending.removeFirst(found.consumed)
                return found.value
            case .failure(let error):
                // What looks broken may just not be complete yet.
                if !isAtEnd, pending.count < 1 << 24, pending.last != 0x0A { return nil }
                throw EngineClientError(.badAnswer, "the daemon's answer is no JSON: \(error)")
            }
        }
    }
}

/// A connection on which both sides speak freely, as for attach and exec.
public struct DuplexStream: Sendable {
    let connection: Connection
    public let headers: HTTPHeaders

    /// Whether what comes is one raw stream, as a terminal's, rather than frames of standard output and error.
    public var isMultiplexed: Bool {
        headers.first(name: "Content-Type") == "application/vnd.docker.multiplexed-stream"
    }

    /// The next bytes from the daemon; `nil` at the end.
    public func next() async throws(EngineClientError) -> ByteBuffer? { try await connection.next() }

    /// Sends bytes, and returns when the kernel has taken them.
    public func write(_ buffer: ByteBuffer) async throws(EngineClientError) {
        try await Connection.unwrapped(connection.channel.writeAndFlush(buffer))
    }

    /// Sends bytes from a thread that may block.
    /// - Returns: whether the daemon still listens.
    public func writeBlocking(_ buffer: ByteBuffer) -> Bool {
        (try? connection.channel.writeAndFlush(buffer).wait()) != nil
    }

    /// Tells the daemon that nothing more will be sent; it still can send.
    public func closeWrite() { connection.channel.close(mode: .output, promise: nil) }

    public func close() { connection.close() }
}

extension ByteBuffer {
    /// Reads up to `count` bytes from a descriptor, waiting for them.
    /// - Returns: the number of bytes; 0 at the end, -1 on an error.
    @discardableResult
    public mutating func readBlocking(from descriptor: Int32, upTo count: Int) -> Int {
        writeWithUnsafeMutableBytes(minimumWritableBytes: count) { space in
            while true {
                let got = read(descriptor, space.baseAddress, min(count, space.count))
                if got >= 0 || errno != EINTR { return max(got, 0) }
            }
        }
    }
}
