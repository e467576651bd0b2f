import CCompression

/// One compression's way there, a piece at a time.
protocol StreamEncoder: AnyObject {
    /// Takes from the front of `input` and fills the front of `output`; returns how much it filled and, after the last
    /// input, whether the stream is complete.
    func step(_ input: inout UnsafeRawBufferPointer, isLast: Bool, into output: UnsafeMutableRawBufferPointer) throws
        -> (produced: Int, isComplete: Bool)
}

func failed(_ library: String) -> ArchiveError {
    ArchiveError(.unsupported, "\(library) cannot compress: there is no memory, or the level is out of its range")
}

final class ZstdEncoder: StreamEncoder {
    private let context: OpaquePointer

    init(level: Int) throws {
        guard let context = ZSTD_createCCtx() else { throw failed("libzstd") }
        self.context = context
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    }

    deinit { ZSTD_freeCCtx(context) }

    func step(_ input: inout UnsafeRawBufferPointer, isLast: Bool, into output: UnsafeMutableRawBufferPointer) throws
        -> (produced: Int, isComplete: Bool)
    {
        var from = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var to = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let result = ZSTD_compressStream2(context, &to, &from, isLast ? ZSTD_e_end : ZSTD_e_continue)
        if ZSTD_isError(result) != 0 { throw failed("libzstd") }
        input = input.advanced(from.pos)
        return (to.pos, isLast && result == 0)
    }
}

final class XzEncoder: StreamEncoder {
    private let stream = UnsafeMutablePointer<lzma_stream>.allocate(capacity: 1)

    init(level: Int) throws {
        stream.initialize(to: lzma_stream())
        guard lzma_easy_encoder(stream, UInt32(level), LZMA_CHECK_CRC64) == LZMA_OK else {
            stream.deallocate()
            throw failed("liblzma")
        }
    }

    deinit {
        lzma_end(stream)
        stream.deallocate()
    }

    func step(_ input: inout UnsafeRawBufferPointer, isLast: Bool, into output: UnsafeMutableRawBufferPointer) throws
        -> (produced: Int, isComplete: Bool)
    {
        stream.pointee.next_in = UnsafePointer(input.libraryInput)
        stream.pointee.avail_in = input.count
        stream.pointee.next_out = output.libraryOutput
        stream.pointee.avail_out = output.count
        let result = lzma_code(stream, isLast ? LZMA_FINISH : LZMA_RUN)
        input = input.advanced(input.count - stream.pointee.avail_in)
        guard result == LZMA_OK || result == LZMA_STREAM_END || result == LZMA_BUF_ERROR else {
            throw failed("liblzma")
        }
        return (output.count - stream.pointee.avail_out, result == LZMA_STREAM_END)
    }
}

final class Bzip2Encoder: StreamEncoder {
    private let stream = UnsafeMutablePointer<bz_stream>.allocate(capacity: 1)

    init(level: Int) throws {
        stream.initialize(to: bz_stream())
        guard BZ2_bzCompressInit(stream, Int32(level), 0, 0) == BZ_OK else {
            stream.deallocate()
            throw failed("libbz2")
        }
    }

    deinit {
        BZ2_bzCompressEnd(stream)
        stream.deallocate()
    }

    func step(_ input: inout UnsafeRawBufferPointer, isLast: Bool, into output: UnsafeMutableRawBufferPointer) throws
        -> (produced: Int, isComplete: Bool)
    {
        // libbz2 calls it an error to be run on nothing.
        if input.isEmpty && !isLast { return (0, false) }
        let offered = min(input.count, 1 << 30)
        stream.pointee.next_in = input.libraryInput.map {
            UnsafeMutableRawPointer($0).assumingMemoryBound(to: CChar.self)
        }
        stream.pointee.avail_in = UInt32(offered)
        stream.pointee.next_out = output.libraryOutput.map {
            UnsafeMutableRawPointer($0).assumingMemoryBound(to: CChar.self)
        }
        stream.pointee.avail_out = UInt32(output.count)
        let result = BZ2_bzCompress(stream, isLast && offered == input.count ? BZ_FINISH : BZ_RUN)
        input = input.advanced(offered - Int(stream.pointee.avail_in))
        guard result == BZ_RUN_OK || result == BZ_FINISH_OK || result == BZ_STREAM_END else { throw failed("libbz2") }
        return (output.count - Int(stream.pointee.avail_out), result == BZ_STREAM_END)
    }
}
