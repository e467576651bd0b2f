/// Compresses what is written and passes it on. The same bytes at the same level give the same bytes, however they are
/// cut into writes. `finish` ends the stream and finishes the sink below.
public final class CompressingSink: ByteSink {
    private let sink: any ByteSink
    private let encoder: (any StreamEncoder)?
    private let buffer: UnsafeMutableRawBufferPointer
    private var isFinished = false

    /// - Parameter level: gzip and bzip2 1–9, zstd 1–19, xz 0–9; `nil` for gzip 6, zstd 3, xz 6, bzip2 9. A level
    ///   outside of the range is brought into it.
    public init(_ sink: any ByteSink, _ compression: Compression, level: Int? = nil) throws {
        func bounded(_ range: ClosedRange<Int>, _ standard: Int) -> Int {
            min(max(level ?? standard, range.lowerBound), range.upperBound)
        }
        encoder =
            switch compression {
            case .none: nil
            case .gzip: try GzipEncoder(level: bounded(1...9, 6))
            case .zstd: try ZstdEncoder(level: bounded(1...19, 3))
            case .xz: try XzEncoder(level: bounded(0...9, 6))
            case .bzip2: try Bzip2Encoder(level: bounded(1...9, 9))
            }
        self.sink = sink
        buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: streamBufferSize, alignment: 4096)
    }

    deinit { buffer.deallocate() }

    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard let encoder else { return try sink.write(bytes) }
        var input = bytes
        while !input.isEmpty { _ = try step(encoder, &input, isLast: false) }
    }

    public func finish() throws {
        if isFinished { return }
        isFinished = true
        if let encoder {
            var nothing = UnsafeRawBufferPointer(start: nil, count: 0)
            while try !step(encoder, &nothing, isLast: true) {}
        }
        try sink.finish()
    }

    private func step(_ encoder: any StreamEncoder, _ input: inout UnsafeRawBufferPointer, isLast: Bool) throws -> Bool
    {
        let (produced, isComplete) = try encoder.step(&input, isLast: isLast, into: buffer)
        if produced > 0 { try sink.write(UnsafeRawBufferPointer(rebasing: buffer[..<produced])) }
        return isComplete
    }
}
