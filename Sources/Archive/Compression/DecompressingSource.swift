/// Bounds on what a compressed stream may grow to.
public struct ExpansionLimits: Sendable, Equatable {
    /// The most bytes that may come out.
    public var maximumBytes: Int64?
    /// The most bytes out for each byte in; looked at once more than 64 MiB have come out.
    public var maximumRatio: Int64?

    public init(maximumBytes: Int64? = nil, maximumRatio: Int64? = nil) {
        self.maximumBytes = maximumBytes
        self.maximumRatio = maximumRatio
    }
}

/// Decompresses a stream. Reading it to its end verifies the format's checksums, and that nothing is missing.
public final class DecompressingSource: ByteSource {
    /// What the stream is, given or found out.
    public let compression: Compression
    /// How many compressed bytes were taken from the source so far.
    public private(set) var bytesIn: Int64 = 0
    /// How many decompressed bytes were handed out so far.
    public private(set) var bytesOut: Int64 = 0

    private let source: any ByteSource
    private let decoder: (any StreamDecoder)?
    private let limits: ExpansionLimits
    private let buffer: UnsafeMutableRawBufferPointer
    private var input: UnsafeRawBufferPointer
    private var isAtEnd = false

    /// Reads the first bytes at once, to find out the compression unless it is given.
    public init(_ source: any ByteSource, compression: Compression? = nil, limits: ExpansionLimits = .init()) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: streamBufferSize, alignment: 4096)
        var isHandedOver = false
        defer { if !isHandedOver { buffer.deallocate() } }

        var count = 0
        while count < Compression.detectionLength {
            let more = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
            if more == 0 { break }
            count += more
        }
        let prefix = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        let found = compression ?? Compression(detecting: prefix)
        decoder =
            switch found {
            case .none: nil
            case .gzip: try GzipDecoder()
            case .zstd: try ZstdDecoder()
            case .xz: try XzDecoder()
            case .bzip2: try Bzip2Decoder()
            }
        self.compression = found
        self.source = source
        self.limits = limits
        self.buffer = buffer
        input = prefix
        bytesIn = Int64(count)
        isHandedOver = true
    }

    deinit { buffer.deallocate() }

    public func read(into output: UnsafeMutableRawBufferPointer) throws -> Int {
        if output.isEmpty { return 0 }
        let count = try decoder.map { try decode($0, into: output) } ?? readPlain(into: output)
        bytesOut += Int64(count)
        if let maximum = limits.maximumBytes, bytesOut > maximum {
            throw ArchiveError(
                .limitExceeded,
                "the archive expands to more than the \(maximum) bytes allowed; raise the limit to load it")
        }
        if let ratio = limits.maximumRatio, bytesOut > 64 << 20, bytesOut / max(bytesIn, 1) >= ratio {
            throw ArchiveError(
                .limitExceeded,
                "the archive expands to more than \(ratio) times its compressed size; raise the limit to load it")
        }
        return count
    }

    private func readPlain(into output: UnsafeMutableRawBufferPointer) throws -> Int {
        if input.isEmpty {
            let count = try source.read(into: output)
            bytesIn += Int64(count)
            return count
        }
        let count = min(input.count, output.count)
        output.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[..<count]))
        input = input.advanced(count)
        return count
    }

    private func decode(_ decoder: any StreamDecoder, into output: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let produced = try decoder.step(&input, isLast: isAtEnd, into: output)
            if produced > 0 { return produced }
            if isAtEnd {
                try decoder.finish()
                return 0
            }
            // A decoder that left something untaken gets it again, in front of what is new.
            let kept = input.count
            if kept > 0 { buffer.copyMemory(from: input) }
            let count = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[kept...]))
            bytesIn += Int64(count)
            isAtEnd = count == 0
            input = UnsafeRawBufferPointer(rebasing: buffer[..<(kept + count)])
        }
    }
}
