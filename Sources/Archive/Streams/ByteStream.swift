/// Where bytes come from. Reading is blocking; a source belongs to one thread at a time.
public protocol ByteSource: AnyObject {
    /// Reads at least one and at most `buffer.count` bytes; returns 0 at the end only.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

/// A source that already holds its bytes in memory and can lend them without a copy.
public protocol ChunkSource: ByteSource {
    /// The next bytes; empty at the end only. They stay valid until the next call on this source.
    func nextChunk() throws -> UnsafeRawBufferPointer
}

/// Where bytes go. A sink belongs to one thread at a time.
public protocol ByteSink: AnyObject {
    /// Takes all the bytes.
    func write(_ bytes: UnsafeRawBufferPointer) throws
    /// Writes out what is still held back, and the format's end where it has one. Nothing may be written after it.
    func finish() throws
}

extension ByteSink {
    public func finish() throws {}

    public func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }
}

extension ByteSource {
    /// Reads until the end.
    /// - Throws: `ArchiveError.limitExceeded` when there are more than `limit` bytes.
    public func readAll(limit: Int = 64 << 20) throws -> [UInt8] {
        var all: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: streamBufferSize, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try read(into: buffer)
            if count == 0 { return all }
            if all.count + count > limit {
                throw ArchiveError(.limitExceeded, "the stream holds more than the \(limit) bytes allowed for it")
            }
            all.append(contentsOf: buffer[..<count])
        }
    }

    /// Reads to the end and throws the bytes away; returns how many there were.
    @discardableResult
    public func drain() throws -> Int64 {
        try copy { _ in }
    }

    /// Moves everything into `sink` (which is not finished); returns how many bytes there were.
    @discardableResult
    public func copy(to sink: any ByteSink) throws -> Int64 {
        try copy { try sink.write($0) }
    }

    private func copy(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Int64 {
        var total: Int64 = 0
        if let chunks = self as? any ChunkSource {
            while true {
                let chunk = try chunks.nextChunk()
                if chunk.isEmpty { return total }
                try body(chunk)
                total += Int64(chunk.count)
            }
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: streamBufferSize, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try read(into: buffer)
            if count == 0 { return total }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            total += Int64(count)
        }
    }
}

/// 256 KiB: large enough that system calls do not show, small enough to stay in the second-level cache.
let streamBufferSize = 256 << 10
