import Archive
import Synchronization
import Testing

private let sample: [UInt8] = {
    var generator = SeededGenerator(state: 7)
    // Text that compresses, then noise that does not, past the size of the buffers.
    var bytes = Array(String(repeating: "All work and no play makes Jack a dull boy.\n", count: 20_000).utf8)
    bytes += (0..<200_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
    return bytes
}()

private func decompress(_ bytes: [UInt8], limits: ExpansionLimits = .init()) throws -> [UInt8] {
    try DecompressingSource(MemorySource(bytes), limits: limits).readAll()
}

private func compress(_ bytes: [UInt8], _ compression: Compression, level: Int? = nil, piece: Int = .max) throws
    -> [UInt8]
{
    let sink = MemorySink()
    let compressor = try CompressingSink(sink, compression, level: level)
    var rest = bytes[...]
    while !rest.isEmpty {
        try compressor.write(Array(rest.prefix(piece)))
        rest = rest.dropFirst(piece)
    }
    try compressor.finish()
    return sink.bytes
}

@Suite struct CompressionTests {
    static let real = Compression.allCases.filter { $0 != .none }

    private func program(_ compression: Compression) -> String {
        switch compression {
        case .none: "cat"
        case .gzip: "gzip"
        case .zstd: "zstd -q"
        case .xz: "xz"
        case .bzip2: "bzip2"
        }
    }

    @Test(arguments: Compression.allCases) func roundTrip(_ compression: Compression) throws {
        let compressed = try compress(sample, compression)
        let source = try DecompressingSource(dribble(compressed, 1000))
        #expect(source.compression == compression)
        #expect(try source.readAll() == sample)
        #expect(source.bytesIn == Int64(compressed.count) && source.bytesOut == Int64(sample.count))
        #expect(try decompress(try compress([], compression)) == [])
    }

    /// Noise is stored, what stands between it is not, and neither is noise that repeats itself.
    @Test func gzipTellsNoiseFromWhatRepeats() throws {
        var generator = SeededGenerator(state: 3)
        func noise(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) } }
        let text = Array(String(repeating: "All work and no play makes Jack a dull boy.\n", count: 4_000).utf8)
        let once = noise(1 << 14)
        let repeated = Array(repeating: once, count: 16).flatMap(\.self)
        var mixed: [UInt8] = []
        for count in [1, 1 << 16, 100_000, 1 << 18] { mixed += noise(count) + text + once }
        for (bytes, limit) in [
            (noise(1 << 20), 1 << 20 + 1 << 10), (text, 4_000), (repeated, 1 << 15),
            (mixed, mixed.count - 3 * text.count),
        ] {
            let compressed = try compress(bytes, .gzip, level: 4)
            #expect(compressed.count < limit)
            #expect(try decompress(compressed) == bytes)
            #expect(try shell("gzip -dc", input: compressed).bytes == bytes)
            for piece in [7_777, 1 << 16, 70_001] {
                #expect(try compress(bytes, .gzip, level: 4, piece: piece) == compressed)
            }
        }
    }

    @Test(arguments: real) func agreesWithThePrograms(_ compression: Compression) throws {
        let theirs = try shell("\(program(compression)) -c", input: sample).bytes
        #expect(try decompress(theirs) == sample)
        #expect(try shell("\(program(compression)) -dc", input: try compress(sample, compression)).bytes == sample)
    }

    @Test(arguments: real) func concatenatedStreamsAreOne(_ compression: Compression) throws {
        let (one, two) = (try compress(Array("one".utf8), compression), try compress(Array("two".utf8), compression))
        let empty = try compress([], compression)
        let both = Array("onetwo".utf8)
        #expect(try decompress(one + empty + two) == both)
        for size in 1...20 { #expect(try DecompressingSource(dribble(one + two, size)).readAll() == both) }
    }

    @Test(arguments: real) func everyTruncationIsAnError(_ compression: Compression) throws {
        let whole = try compress(Array("the quick brown fox jumps over the lazy dog".utf8), compression)
        for length in Compression.detectionLength..<whole.count {
            #expect("\(compression) cut to \(length)") {
                _ = try decompress(Array(whole[..<length]))
            } throws: { code($0) == .truncated && "\($0)".contains("truncated") }
        }
    }

    @Test(arguments: real) func corruptionIsAnError(_ compression: Compression) throws {
        let whole = try compress(sample, compression)
        for place in [whole.count / 3, whole.count / 2, whole.count - 3] {
            var bytes = whole
            bytes[place] ^= 0x55
            #expect(throws: ArchiveError.self) { _ = try decompress(bytes) }
        }
        #expect(throws: ArchiveError.self) { _ = try decompress(whole + Array("rubbish".utf8)) }
    }

    @Test func zerosAfterGzipArePadding() throws {
        let one = try compress(Array("one".utf8), .gzip)
        #expect(try decompress(one + [UInt8](repeating: 0, count: 5000)) == Array("one".utf8))
        #expect(throws: ArchiveError.self) { _ = try decompress(one + [0, 0] + one) }
    }

    @Test func zstdSkippableFramesAreSkipped() throws {
        let skippable: [UInt8] = [0x53, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3]
        let frame = try compress(Array("one".utf8), .zstd)
        #expect(try decompress(skippable + frame + skippable + frame) == Array("oneone".utf8))
    }

    @Test func xzPaddingBetweenStreams() throws {
        let stream = try compress(Array("one".utf8), .xz)
        #expect(try decompress(stream + [0, 0, 0, 0] + stream) == Array("oneone".utf8))
        #expect(throws: ArchiveError.self) { _ = try decompress(stream + [0, 0, 0]) }
    }

    @Test(arguments: real) func theSameBytesWhateverThePieces(_ compression: Compression) throws {
        let whole = try compress(sample, compression, level: 1)
        #expect(try compress(sample, compression, level: 1, piece: 4097) == whole)
        #expect(try compress(sample, compression, level: 9).count < whole.count + 1000)
    }

    @Test func gzipHeaderHoldsNoTimeAndNoName() throws {
        #expect(try compress([1], .gzip)[3...7] == [0, 0, 0, 0, 0])
    }

    @Test func detection() throws {
        for text in ["", "x", "BZ", "BZhx", "\u{1F}"] {
            #expect(Array(text.utf8).withUnsafeBytes { Compression(detecting: $0) } == .none)
        }
        #expect(try decompress(Array("BZ".utf8)) == Array("BZ".utf8))
        #expect(try decompress([]) == [])
    }

    @Test(arguments: real) func bombsAreStopped(_ compression: Compression) throws {
        let bomb = try compress([UInt8](repeating: 0, count: 80 << 20), compression, level: 1)
        #expect {
            _ = try DecompressingSource(MemorySource(bomb), limits: .init(maximumBytes: 1 << 20)).drain()
        } throws: {
            code($0) == .limitExceeded && "\($0)".contains("1048576 bytes allowed")
        }
        #expect { _ = try DecompressingSource(MemorySource(bomb), limits: .init(maximumRatio: 100)).drain() } throws: {
            code($0) == .limitExceeded
        }
        #expect(try DecompressingSource(MemorySource(bomb), limits: .init(maximumBytes: 80 << 20)).drain() == 80 << 20)
    }
}

@Suite struct StreamTests {
    @Test(arguments: [1, 7, 512, 4096, 100_000]) func readAheadKeepsOrderAndShowsEverything(_ size: Int) throws {
        let seen = Seen()
        let source = try ReadAheadSource(dribble(sample, size), bufferSize: 10_000, bufferCount: 3) { seen.add($0) }
        #expect(try source.readAll() == sample)
        #expect(seen.bytes == sample)
    }

    @Test func readAheadPassesErrorsOnAfterTheBytesBefore() throws {
        struct Failure: Error {}
        var calls = 0
        let source = try ReadAheadSource(
            ClosureSource { buffer in
                calls += 1
                if calls == 3 { throw Failure() }
                buffer[0] = 1
                return 1
            }, bufferSize: 1)
        #expect(try source.nextChunk().count == 1)
        #expect(try source.nextChunk().count == 1)
        #expect(throws: Failure.self) { _ = try source.nextChunk() }
        #expect(throws: Failure.self) { _ = try source.nextChunk() }
    }

    @Test func readAheadCanBeDroppedEarly() throws {
        for _ in 0..<50 {
            let source = try ReadAheadSource(dribble(sample, 100), bufferSize: 200)
            _ = try source.nextChunk()
        }
    }

    @Test func readAllIsBounded() {
        #expect { _ = try MemorySource(sample).readAll(limit: 10) } throws: { code($0) == .limitExceeded }
    }
}

private final class Seen: Sendable {
    private let storage = Mutex<[UInt8]>([])
    func add(_ bytes: UnsafeRawBufferPointer) { storage.withLock { $0.append(contentsOf: bytes) } }
    var bytes: [UInt8] { storage.withLock { $0 } }
}
