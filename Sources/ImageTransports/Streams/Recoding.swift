import Archive
import EngineClient
import NIOCore
import OCI
import Registry
import Synchronization

/// What is done to a layer's compression on its way.
enum Recoding: Sendable, Equatable {
    case none
    case decompress
    case compress(Compression, level: Int?)

    /// Another form of a stream, made on a thread of its own.
    func apply(to input: BlobStream) -> BlobStream {
        if self == .none { return input }
        // Small, because six of them work side by side.
        let (raw, made) = (BlobPipe(limit: pieceSize / 2), BlobPipe(limit: pieceSize / 2))
        let feeder = Task {
            do {
                for try await buffer in input { try await raw.put(buffer) }
                raw.finish()
            } catch { raw.finish(error) }
        }
        BlockingThread.start {
            do {
                try run(from: PipeSource(raw), to: PipeSink(made))
                made.finish()
            } catch { made.finish(error) }
            raw.abandon()
        }
        return PipeEnd(made) {
            raw.abandon()
            feeder.cancel()
        }.stream
    }

    private func run(from source: PipeSource, to sink: PipeSink) throws {
        let plain = try DecompressingSource(source)
        switch self {
        case .none, .decompress:
            try plain.copy(to: sink)
            try sink.finish()
        case .compress(let compression, let level):
            let encoder = try CompressingSink(sink, compression, level: level)
            try plain.copy(to: encoder)
            try encoder.finish()
        }
    }
}

/// A stream whose compression is known by its first bytes, which are not lost by that.
struct SniffedStream: Sendable {
    let compression: Compression
    let stream: BlobStream

    init(_ stream: BlobStream) async throws {
        var iterator = stream.makeAsyncIterator()
        var head = ByteBuffer()
        while head.readableBytes < Compression.detectionLength, let buffer = try await iterator.next() {
            head.writeImmutableBuffer(buffer)
        }
        compression = head.withUnsafeReadableBytes { Compression(detecting: $0) }
        let pending = Mutex<ByteBuffer?>(head.readableBytes > 0 ? head : nil)
        let rest = iterator
        self.stream = BlobStream {
            let first = pending.withLock { buffer in
                defer { buffer = nil }
                return buffer
            }
            if let first { return first }
            var rest = rest
            return try await rest.next()
        }
    }
}

/// The taking end of a pipe, for a thread.
private final class PipeSource: ByteSource {
    private let pipe: BlobPipe
    private var current = ByteBuffer()

    init(_ pipe: BlobPipe) { self.pipe = pipe }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while current.readableBytes == 0 {
            guard let next = try pipe.takeBlocking() else { return 0 }
            current = next
        }
        return current.readWithUnsafeReadableBytes { bytes in
            let count = min(bytes.count, buffer.count)
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            return count
        }
    }
}

/// The making end of a pipe, for a thread; small writes are gathered.
private final class PipeSink: ByteSink {
    private let pipe: BlobPipe
    private var pending = ByteBuffer()

    init(_ pipe: BlobPipe) { self.pipe = pipe }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        pending.writeBytes(bytes)
        if pending.readableBytes >= pieceSize / 4 { try finish() }
    }

    func finish() throws {
        if pending.readableBytes == 0 { return }
        let full = pending
        pending = ByteBuffer()
        try pipe.putBlocking(full)
    }
}
