import CCompression

/// gzip without time or name in its header, so that the same bytes give the same bytes.
///
/// What looks like noise, as files that are compressed already do, is stored: zlib would look for repetitions in it for long
/// and find none.
final class GzipEncoder: StreamEncoder {
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private let level: Int32
    /// What zlib is set to now: `level`, or 0.
    private var current: Int32
    /// What is looked at before it is compressed.
    private let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
    private var filled = 0
    private var taken = 0
    /// What zlib made. It always finds this much room, and blocks of the same size, because how it stores bytes depends on
    /// both, and must not depend on how they come and go.
    private let made = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
    private var given = 0
    private var end = 0
    private var isComplete = false

    init(level: Int) throws {
        self.level = Int32(level)
        current = self.level
        stream.initialize(to: z_stream())
        let size = Int32(MemoryLayout<z_stream>.size)
        guard
            deflateInit2_(stream, self.level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK
        else {
            stream.deallocate()
            block.deallocate()
            made.deallocate()
            throw failed("zlib")
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
        block.deallocate()
        made.deallocate()
    }

    func step(_ input: inout UnsafeRawBufferPointer, isLast: Bool, into output: UnsafeMutableRawBufferPointer) throws
        -> (produced: Int, isComplete: Bool)
    {
        var produced = 0
        while true {
            let count = min(end - given, output.count - produced)
            UnsafeMutableRawBufferPointer(rebasing: output[produced..<produced + count]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: made[given..<given + count]))
            given += count
            produced += count
            if given < end || isComplete { return (produced, isComplete && given == end) }
            if taken == filled {
                (filled, taken) = (0, 0)
                fill(from: &input)
            } else if filled < block.count {
                fill(from: &input)
            }
            let isEnd = isLast && input.isEmpty
            if filled < block.count, !isEnd { return (produced, false) }
            try compress(isEnd: isEnd)
        }
    }

    private func fill(from input: inout UnsafeRawBufferPointer) {
        let count = min(input.count, block.count - filled)
        UnsafeMutableRawBufferPointer(rebasing: block[filled..<filled + count]).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: input[..<count]))
        filled += count
        input = input.advanced(count)
    }

    /// Compresses the block, or, where that makes more than there is room for, its next part.
    private func compress(isEnd: Bool) throws {
        (given, end) = (0, 0)
        stream.pointee.next_out = made.libraryOutput
        stream.pointee.avail_out = UInt32(made.count)
        defer { end = made.count - Int(stream.pointee.avail_out) }
        let wanted = isNoise ? 0 : level
        if wanted != current {
            stream.pointee.avail_in = 0
            let result = deflateParams(stream, wanted, Z_DEFAULT_STRATEGY)
            // There was no room for all of what came before.
            if result == Z_BUF_ERROR { return }
            guard result == Z_OK else { throw failed("zlib") }
            current = wanted
        }
        stream.pointee.next_in = UnsafeRawBufferPointer(rebasing: block[taken..<filled]).libraryInput
        stream.pointee.avail_in = UInt32(filled - taken)
        let result = deflate(stream, isEnd ? Z_FINISH : Z_NO_FLUSH)
        guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else { throw failed("zlib") }
        taken = filled - Int(stream.pointee.avail_in)
        isComplete = result == Z_STREAM_END
    }

    /// Whether each byte occurs about as often as chance would have it, by Pearson's chi-squared: noise gives 255 with a
    /// standard deviation of 23. Noise that occurs twice within zlib's reach gives twice as much, so that it is not stored.
    private var isNoise: Bool {
        // Too little to tell, and too little to matter.
        guard filled >= 1 << 14 else { return false }
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 4 * 256) { counts in
            counts.initialize(repeating: 0)
            // Four tables: the same byte twice in a row would wait for its own count.
            for offset in stride(from: 0, to: filled & ~3, by: 4) {
                counts[Int(block[offset])] &+= 1
                counts[256 + Int(block[offset + 1])] &+= 1
                counts[512 + Int(block[offset + 2])] &+= 1
                counts[768 + Int(block[offset + 3])] &+= 1
            }
            let total = filled & ~3
            var squares = 0
            for byte in 0..<256 {
                let count = Int(counts[byte] + counts[256 + byte] + counts[512 + byte] + counts[768 + byte])
                squares += count * count
            }
            return squares * 256 - total * total < 320 * total
        }
    }
}
