import CCompression

/// One compression's way back, a piece at a time.
protocol StreamDecoder: AnyObject {
    /// Takes from the front of `input` and fills the front of `output`; returns how much it filled.
    ///
    /// 0 means that it can go no further without more input; when `isLast`, that it is done.
    func step(_ input: inout UnsafeRawBufferPointer, isLast: Bool, into output: UnsafeMutableRawBufferPointer) throws
        -> Int
    /// Called when there is no more input and `step` has returned 0: throws unless the stream is complete.
    func finish() throws
}

extension UnsafeRawBufferPointer {
    /// The bytes after the first `count`.
    func advanced(_ count: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self[count...]) }

    /// C libraries declare their input as mutable, and do not write to it.
    var libraryInput: UnsafeMutablePointer<UInt8>? {
        UnsafeMutablePointer(mutating: baseAddress?.assumingMemoryBound(to: UInt8.self))
    }
}

extension UnsafeMutableRawBufferPointer {
    var libraryOutput: UnsafeMutablePointer<UInt8>? { baseAddress?.assumingMemoryBound(to: UInt8.self) }
}

func corrupt(_ format: String, _ reason: String) -> ArchiveError {
    ArchiveError(.corrupt, "the \(format) data is corrupt: \(reason)")
}

func truncated(_ format: String) -> ArchiveError {
    ArchiveError(.truncated, "the \(format) data ends too early: the archive is truncated")
}

/// gzip (RFC 1952): members one after another are one stream; zeros after the last are padding, as gzip(1) has it.
final class GzipDecoder: StreamDecoder {
    // On the heap at a fixed place: zlib keeps a pointer back to it.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private var isInMember = true
    private var isInPadding = false

    init() throws {
        stream.initialize(to: z_stream())
        // 15 is the largest window, 16 asks for gzip's wrapping.
        let result = inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard result == Z_OK else {
            stream.deallocate()
            throw ArchiveError(.unsupported, "zlib cannot be set up for reading (error \(result))")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    func step(_ input: inout UnsafeRawBufferPointer, isLast: Bool, into output: UnsafeMutableRawBufferPointer) throws
        -> Int
    {
        while true {
            if !isInMember {
                while let byte = input.first, byte == 0 {
                    isInPadding = true
                    input = input.advanced(1)
                }
                guard let byte = input.first else { return 0 }
                if isInPadding || byte != 0x1F { throw corrupt("gzip", "something else follows its end") }
                inflateReset(stream)
                isInMember = true
            }
            let (offered, room) = (min(input.count, Int(UInt32.max)), min(output.count, Int(UInt32.max)))
            stream.pointee.next_in = input.libraryInput
            stream.pointee.avail_in = UInt32(offered)
            stream.pointee.next_out = output.libraryOutput
            stream.pointee.avail_out = UInt32(room)
            let result = inflate(stream, Z_NO_FLUSH)
            let taken = offered - Int(stream.pointee.avail_in)
            let produced = room - Int(stream.pointee.avail_out)
            input = input.advanced(taken)
            switch result {
            case Z_STREAM_END: isInMember = false
            case Z_OK, Z_BUF_ERROR: if taken == 0 && produced == 0 { return 0 }
            default:
                throw corrupt("gzip", stream.pointee.msg.map { String(cString: $0) } ?? "zlib's error \(result)")
            }
            if produced > 0 { return produced }
        }
    }

    func finish() throws {
        if isInMember { throw truncated("gzip") }
    }
}

/// Zstandard (RFC 8878): any number of frames, skippable ones among them.
final class ZstdDecoder: StreamDecoder {
    private let context: OpaquePointer
    private var isInFrame = true

    init() throws {
        guard let context = ZSTD_createDCtx() else {
            throw ArchiveError(.unsupported, "libzstd cannot be set up for reading: there is no memory")
        }
        self.context = context
    }

    deinit { ZSTD_freeDCtx(context) }

    func step(_ input: inout UnsafeRawBufferPointer, isLast: Bool, into output: UnsafeMutableRawBufferPointer) throws
        -> Int
    {
        while true {
            var from = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
            var to = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
            let result = ZSTD_decompressStream(context, &to, &from)
            if ZSTD_isError(result) != 0 { throw corrupt("zstd", String(cString: ZSTD_getErrorName(result))) }
            input = input.advanced(from.pos)
            // Between frames a call that moves nothing returns the size that it would like; that is no open frame.
            if from.pos > 0 || to.pos > 0 { isInFrame = result != 0 }
            if to.pos > 0 { return to.pos }
            if from.pos == 0 || input.isEmpty { return 0 }
        }
    }

    func finish() throws {
        if isInFrame { throw truncated("zstd") }
    }
}

/// xz: streams one after another are one, with padding between them as its format has it.
final class XzDecoder: StreamDecoder {
    private let stream = UnsafeMutablePointer<lzma_stream>.allocate(capacity: 1)
    private var isFinished = false
    /// What `xz -9` needs is 65 MiB; headers may not ask for more than this.
    private static let memoryLimit: UInt64 = 512 << 20

    init() throws {
        stream.initialize(to: lzma_stream())
        // 8 is LZMA_CONCATENATED.
        let result = lzma_stream_decoder(stream, Self.memoryLimit, 8)
        guard result == LZMA_OK else {
            stream.deallocate()
            throw ArchiveError(.unsupported, "liblzma cannot be set up for reading (error \(result.rawValue))")
        }
    }

    deinit {
        lzma_end(stream)
        stream.deallocate()
    }

    func step(_ input: inout UnsafeRawBufferPointer, isLast: Bool, into output: UnsafeMutableRawBufferPointer) throws
        -> Int
    {
        if isFinished { return 0 }
        while true {
            stream.pointee.next_in = UnsafePointer(input.libraryInput)
            stream.pointee.avail_in = input.count
            stream.pointee.next_out = output.libraryOutput
            stream.pointee.avail_out = output.count
            let result = lzma_code(stream, isLast ? LZMA_FINISH : LZMA_RUN)
            let taken = input.count - stream.pointee.avail_in
            let produced = output.count - stream.pointee.avail_out
            input = input.advanced(taken)
            switch result {
            case LZMA_STREAM_END:
                isFinished = true
                return produced
            case LZMA_OK: break
            // No progress was possible; with nothing more to come, `finish` calls it truncated.
            case LZMA_BUF_ERROR: return produced
            case LZMA_MEMLIMIT_ERROR, LZMA_MEM_ERROR:
                throw ArchiveError(
                    .unsupported,
                    "the xz data asks for more than \(Self.memoryLimit >> 20) MiB of memory to decompress")
            case LZMA_OPTIONS_ERROR: throw ArchiveError(.unsupported, "the xz data uses options that liblzma lacks")
            default: throw corrupt("xz", result == LZMA_FORMAT_ERROR ? "no xz header" : "a check does not match")
            }
            if produced > 0 { return produced }
            if input.isEmpty && !isLast { return 0 }
        }
    }

    func finish() throws {
        if !isFinished { throw truncated("xz") }
    }
}

/// bzip2: streams one after another are one; zeros after the last are padding.
final class Bzip2Decoder: StreamDecoder {
    private let stream = UnsafeMutablePointer<bz_stream>.allocate(capacity: 1)
    private var isInStream = true
    private var isInPadding = false

    init() throws {
        stream.initialize(to: bz_stream())
        guard BZ2_bzDecompressInit(stream, 0, 0) == BZ_OK else {
            stream.deallocate()
            throw ArchiveError(.unsupported, "libbz2 cannot be set up for reading: there is no memory")
        }
    }

    deinit {
        BZ2_bzDecompressEnd(stream)
        stream.deallocate()
    }

    func step(_ input: inout UnsafeRawBufferPointer, isLast: Bool, into output: UnsafeMutableRawBufferPointer) throws
        -> Int
    {
        while true {
            if !isInStream {
                while let byte = input.first, byte == 0 {
                    isInPadding = true
                    input = input.advanced(1)
                }
                guard let byte = input.first else { return 0 }
                if isInPadding || byte != 0x42 { throw corrupt("bzip2", "something else follows its end") }
                BZ2_bzDecompressEnd(stream)
                stream.initialize(to: bz_stream())
                guard BZ2_bzDecompressInit(stream, 0, 0) == BZ_OK else {
                    throw ArchiveError(.unsupported, "libbz2 cannot be set up for reading: there is no memory")
                }
                isInStream = true
            }
            let (offered, room) = (min(input.count, Int(UInt32.max)), min(output.count, Int(UInt32.max)))
            stream.pointee.next_in = input.libraryInput.map {
                UnsafeMutableRawPointer($0).assumingMemoryBound(to: CChar.self)
            }
            stream.pointee.avail_in = UInt32(offered)
            stream.pointee.next_out = output.libraryOutput.map {
                UnsafeMutableRawPointer($0).assumingMemoryBound(to: CChar.self)
            }
            stream.pointee.avail_out = UInt32(room)
            let result = BZ2_bzDecompress(stream)
            let taken = offered - Int(stream.pointee.avail_in)
            let produced = room - Int(stream.pointee.avail_out)
            input = input.advanced(taken)
            switch result {
            case BZ_STREAM_END: isInStream = false
            case BZ_OK: if taken == 0 && produced == 0 { return 0 }
            default:
                throw corrupt("bzip2", result == BZ_DATA_ERROR_MAGIC ? "no bzip2 header" : "a check does not match")
            }
            if produced > 0 { return produced }
        }
    }

    func finish() throws {
        if isInStream { throw truncated("bzip2") }
    }
}
