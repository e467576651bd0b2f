import CKernel
import Glibc
import Kernel

/// Reads an open file, pipe or socket from where it stands.
public final class DescriptorSource: ByteSource {
    private let descriptor: FileDescriptor
    public init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int { try descriptor.read(into: buffer) }
}

/// Reads a range of a file without moving its position, so that several can read one file at once.
public final class FileRangeSource: ByteSource {
    private let descriptor: FileDescriptor
    private var offset: Int64
    private var left: Int64

    public init(_ descriptor: FileDescriptor, offset: Int64, count: Int64) {
        self.descriptor = descriptor
        self.offset = offset
        left = count
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let wanted = Int(min(Int64(buffer.count), left))
        if wanted == 0 { return 0 }
        let count = try descriptor.pread(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: offset)
        if count == 0 {
            throw ArchiveError(.truncated, "the file ends \(left) bytes before the end of the part that was to be read")
        }
        offset += Int64(count)
        left -= Int64(count)
        return count
    }
}

/// Reads what a closure fills in: it returns how many bytes, 0 at the end.
public final class ClosureSource: ByteSource {
    private let body: (UnsafeMutableRawBufferPointer) throws -> Int
    public init(_ body: @escaping (UnsafeMutableRawBufferPointer) throws -> Int) { self.body = body }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int { try body(buffer) }
}

/// Reads bytes in memory.
public final class MemorySource: ChunkSource {
    private let storage: UnsafeMutableRawBufferPointer
    private var position = 0

    public init(_ bytes: some Collection<UInt8>) {
        storage = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        storage.copyBytes(from: bytes)
    }

    deinit { storage.deallocate() }

    public func nextChunk() -> UnsafeRawBufferPointer {
        defer { position = storage.count }
        return UnsafeRawBufferPointer(rebasing: storage[position...])
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, storage.count - position)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage[position..<position + count]))
        position += count
        return count
    }
}

/// Shows every byte that passes to `observer`: how a stream is hashed while something else consumes it.
public final class TeeSource: ByteSource {
    private let source: any ByteSource
    private let observer: (UnsafeRawBufferPointer) throws -> Void

    public init(_ source: any ByteSource, observer: @escaping (UnsafeRawBufferPointer) throws -> Void) {
        self.source = source
        self.observer = observer
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = try source.read(into: buffer)
        if count > 0 { try observer(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
        return count
    }
}

/// Lends the bytes of any source in chunks, from a buffer of its own.
public final class BufferedSource: ChunkSource {
    private let source: any ByteSource
    private let buffer: UnsafeMutableRawBufferPointer

    public init(_ source: any ByteSource, size: Int = 256 << 10) {
        self.source = source
        buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
    }

    deinit { buffer.deallocate() }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int { try source.read(into: buffer) }

    public func nextChunk() throws -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: buffer[..<(try source.read(into: buffer))])
    }
}

/// Writes to an open file, pipe or socket; the bytes go out in large pieces, the rest at `finish`.
public final class DescriptorSink: ByteSink {
    private let descriptor: FileDescriptor
    private let buffer: UnsafeMutableRawBufferPointer
    private var used = 0

    public init(_ descriptor: FileDescriptor, bufferSize: Int = 256 << 10) {
        self.descriptor = descriptor
        buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 4096)
    }

    deinit { buffer.deallocate() }

    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        let isLarge = bytes.count >= buffer.count / 2
        // What is held back goes out before what goes past it.
        if isLarge || bytes.count > buffer.count - used { try finish() }
        if isLarge { return try descriptor.writeAll(bytes) }
        UnsafeMutableRawBufferPointer(rebasing: buffer[used...]).copyMemory(from: bytes)
        used += bytes.count
    }

    public func finish() throws {
        if used == 0 { return }
        let pending = used
        used = 0
        try descriptor.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<pending]))
    }
}

/// Hands what is written to a closure.
public final class ClosureSink: ByteSink {
    private let body: (UnsafeRawBufferPointer) throws -> Void
    public init(_ body: @escaping (UnsafeRawBufferPointer) throws -> Void) { self.body = body }

    public func write(_ bytes: UnsafeRawBufferPointer) throws { try body(bytes) }
}

/// Keeps what is written.
public final class MemorySink: ByteSink {
    public private(set) var bytes: [UInt8] = []
    public init() {}

    public func write(_ bytes: UnsafeRawBufferPointer) { self.bytes.append(contentsOf: bytes) }
}

/// Shows every byte to `observer` on its way to another sink.
public final class TeeSink: ByteSink {
    private let sink: any ByteSink
    private let observer: (UnsafeRawBufferPointer) throws -> Void

    public init(_ sink: any ByteSink, observer: @escaping (UnsafeRawBufferPointer) throws -> Void) {
        self.sink = sink
        self.observer = observer
    }

    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        try observer(bytes)
        try sink.write(bytes)
    }

    public func finish() throws { try sink.finish() }
}
