import Glibc
import Kernel

/// Reads a tar archive entry by entry and never holds more of it than a buffer.
///
/// It understands v7, ustar, PAX (per file and global) and GNU's formats, sparse files in all of GNU's ways. A wrong
/// checksum, a number out of range and a missing end are errors: nothing is guessed.
public final class TarReader {
    /// The longest PAX header or GNU long name that is believed: 1 MiB, as in Go's archive/tar.
    public static let maximumHeaderSize = 1 << 20

    private let chunks: any ChunkSource
    private let endMarkerRequired: Bool
    private let scratch = UnsafeMutableRawPointer.allocate(byteCount: TarBlock.size, alignment: 16)
    private var window = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Bytes of the current entry's content that are still in the stream, and the padding behind them.
    private var storedLeft: Int64 = 0
    private var padding: Int64 = 0
    private var isAtEnd = false
    private var isAtStart = true
    private var globals = PAXRecords()
    private var current: TarEntry?
    /// Counts entries, so that a content source knows when it has gone stale.
    private(set) var generation = 0
    /// Where the next stored byte of a sparse entry belongs.
    private var extentIndex = 0
    private var extentOffset: Int64 = 0

    /// - Parameters:
    ///   - source: the archive, not compressed.
    ///   - endMarkerRequired: whether an archive that stops between two entries, without its blocks of zeros, counts as
    ///     truncated. Pass `false` where a digest already proves that nothing is missing: some old tools write no end.
    public init(_ source: any ByteSource, endMarkerRequired: Bool = true) {
        chunks = source as? any ChunkSource ?? BufferedSource(source)
        self.endMarkerRequired = endMarkerRequired
    }

    deinit { scratch.deallocate() }

    /// The next entry, or `nil` after the last. What was not read of the one before is skipped.
    public func next() throws -> TarEntry? {
        if isAtEnd { return nil }
        generation += 1
        current = nil
        var pending = Pending()
        while true {
            try skipContent()
            guard let base = try block() else {
                if !pending.isEmpty { throw truncatedArchive("after a header that describes another") }
                return try endOfInput()
            }
            let view = TarBlockView(base: base)
            if view.isZero {
                if !pending.isEmpty { throw corruptArchive("a header that describes another is followed by none") }
                isAtEnd = true
                // A lone block of zeros at the very end is what some writers leave.
                if let second = try block(), !TarBlockView(base: second).isZero {
                    throw corruptArchive("a block of zeros stands between its entries")
                }
                return nil
            }
            guard view.hasValidChecksum else {
                if isAtStart { throw ArchiveError(.corrupt, "this is no tar archive: its first header is not valid") }
                throw corruptArchive("the checksum of a header does not match")
            }
            isAtStart = false
            switch view.byte(TarBlock.typeOffset) {
            case UInt8(ascii: "x"), UInt8(ascii: "X"):
                pending.records = try PAXRecords(parsing: headerContent(view, "PAX header"))
            case UInt8(ascii: "g"):
                try globals.merge(PAXRecords(parsing: headerContent(view, "PAX header")))
                if globals.byteCount > Self.maximumHeaderSize {
                    throw corruptArchive("its global PAX headers are too long")
                }
            case UInt8(ascii: "L"):
                pending.name = try longName(view)
            case UInt8(ascii: "K"):
                pending.linkName = try longName(view)
            case UInt8(ascii: "V"):
                // A volume label says nothing about files.
                try beginContent(of: checkedSize(view))
            case UInt8(ascii: "M"), UInt8(ascii: "N"):
                throw ArchiveError(.unsupported, "the tar archive is one volume of several, which is not supported")
            default:
                let entry = try entry(view, pending)
                current = entry
                return entry
            }
        }
    }

    /// The bytes of the current entry's content, holes as zeros. Valid until `next`.
    public var content: any ByteSource { TarContentSource(self) }

    /// The length of the current entry's content, holes included.
    var currentSize: Int64 { current?.size ?? 0 }
    var currentExtents: [SparseExtent]? { current?.extents }

    /// How many bytes were taken from the source and not used yet: where the current entry's content begins, for who
    /// counts what the source gave.
    public var bufferedCount: Int { window.count }

    /// Reads the current entry's content whole.
    public func readContent(limit: Int = 64 << 20) throws -> [UInt8] {
        if currentSize > Int64(limit) {
            throw ArchiveError(
                .limitExceeded, "\"\(current?.name ?? "")\" holds \(currentSize) bytes, and \(limit) are allowed for it"
            )
        }
        return try content.readAll(limit: limit)
    }

    /// Calls `body` with the stored bytes of the current entry's content, piece by piece and in order, each with its
    /// place in the file. Holes are left out.
    public func forEachStoredPiece(_ body: (_ offset: Int64, _ bytes: UnsafeRawBufferPointer) throws -> Void) throws {
        while let (offset, bytes) = try nextPiece(atMost: Int.max) { try body(offset, bytes) }
    }

    /// Reads the stream to its very end, so that a hash of it covers all; call it after `next` has returned `nil`.
    /// - Returns: how many bytes followed the end marker.
    @discardableResult
    public func drain() throws -> Int64 {
        var count = Int64(window.count)
        window = UnsafeRawBufferPointer(start: nil, count: 0)
        while true {
            let chunk = try chunks.nextChunk()
            if chunk.isEmpty { return count }
            count += Int64(chunk.count)
        }
    }

    // MARK: Blocks and content

    /// The next block; valid until the next read. `nil` at the end of the input.
    private func block() throws -> UnsafeRawPointer? {
        if window.count >= TarBlock.size, let base = window.baseAddress {
            window = window.advanced(TarBlock.size)
            return base
        }
        var have = 0
        while have < TarBlock.size {
            if window.isEmpty {
                window = try chunks.nextChunk()
                if window.isEmpty {
                    if have == 0 { return nil }
                    throw truncatedArchive("inside a header")
                }
            }
            let count = min(window.count, TarBlock.size - have)
            UnsafeMutableRawBufferPointer(start: scratch + have, count: count)
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: window[..<count]))
            window = window.advanced(count)
            have += count
        }
        return UnsafeRawPointer(scratch)
    }

    private func endOfInput() throws -> TarEntry? {
        isAtEnd = true
        if endMarkerRequired {
            throw isAtStart
                ? ArchiveError(.truncated, "this is no tar archive: it is empty")
                : truncatedArchive("before its end marker")
        }
        return nil
    }

    private func beginContent(of size: Int64) {
        storedLeft = size
        padding = (512 - size % 512) % 512
    }

    private func skipContent() throws {
        var left = storedLeft + padding
        storedLeft = 0
        padding = 0
        while left > 0 {
            if window.isEmpty {
                window = try chunks.nextChunk()
                if window.isEmpty { throw truncatedArchive("inside the content of a file") }
            }
            let count = Int(min(Int64(window.count), left))
            window = window.advanced(count)
            left -= Int64(count)
        }
    }

    /// The next stored bytes of the current entry and where in the file they belong.
    func nextPiece(atMost limit: Int) throws -> (offset: Int64, bytes: UnsafeRawBufferPointer)? {
        if storedLeft == 0 { return nil }
        if window.isEmpty {
            window = try chunks.nextChunk()
            if window.isEmpty { throw truncatedArchive("inside the content of \"\(current?.name ?? "")\"") }
        }
        var room = min(storedLeft, Int64(limit))
        var offset = extentOffset
        if let extents = current?.extents {
            while extentIndex < extents.count, extents[extentIndex].count == extentOffset {
                extentIndex += 1
                extentOffset = 0
            }
            guard extentIndex < extents.count else { return nil }
            offset = extents[extentIndex].offset + extentOffset
            room = min(room, extents[extentIndex].count - extentOffset)
        }
        let count = Int(min(Int64(window.count), room))
        let piece = UnsafeRawBufferPointer(rebasing: window[..<count])
        window = window.advanced(count)
        storedLeft -= Int64(count)
        extentOffset += Int64(count)
        return (offset, piece)
    }

    // MARK: Headers

    /// What headers before an entry said about it.
    private struct Pending {
        var records = PAXRecords()
        var name: [UInt8]?
        var linkName: [UInt8]?
        var isEmpty: Bool { records.isEmpty && name == nil && linkName == nil }
    }

    private func checkedSize(_ view: TarBlockView) throws -> Int64 {
        guard let size = view.number(TarBlock.fileSize), size >= 0, size <= Int64.max - 1024 else {
            throw corruptArchive("the size of an entry is not valid")
        }
        return size
    }

    private func headerContent(_ view: TarBlockView, _ what: String) throws -> [UInt8] {
        let size = try checkedSize(view)
        guard size <= Self.maximumHeaderSize else {
            throw corruptArchive("a \(what) of \(size) bytes is longer than the \(Self.maximumHeaderSize) allowed")
        }
        beginContent(of: size)
        extentOffset = 0
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(size))
        while let (_, piece) = try nextPiece(atMost: Int.max) { bytes.append(contentsOf: piece) }
        return bytes
    }

    private func longName(_ view: TarBlockView) throws -> [UInt8] {
        let bytes = try headerContent(view, "long name")
        return Array(bytes.prefix { $0 != 0 })
    }

    private func entry(_ view: TarBlockView, _ pending: Pending) throws -> TarEntry {
        let parser = TarEntryParser(view: view, storedSize: try checkedSize(view))
        var parsed = try parser.parse(
            name: pending.name, linkName: pending.linkName, globals: globals, records: pending.records)
        beginContent(of: parsed.storedSize)
        extentIndex = 0
        extentOffset = 0
        switch parsed.sparse {
        case .none: break
        case .oldGNU(var extents, let continues):
            if continues { try readOldSparseBlocks(into: &extents) }
            parsed.entry.extents = extents
        case .extents(let extents): parsed.entry.extents = extents
        case .mapInContent: parsed.entry.extents = try readSparseMap()
        }
        if let extents = parsed.entry.extents {
            guard SparseMap.isValid(extents, size: parsed.entry.size, stored: storedLeft) else {
                throw corruptArchive("the map of the sparse file \"\(parsed.entry.name)\" is not valid")
            }
        }
        return parsed.entry
    }

    /// Old GNU sparse files continue their map in blocks of 21 pairs between header and content.
    private func readOldSparseBlocks(into extents: inout [SparseExtent]) throws {
        while true {
            guard let base = try block() else { throw truncatedArchive("inside the map of a sparse file") }
            let view = TarBlockView(base: base)
            try SparseMap.appendPairs(of: view, at: 0, count: 21, to: &extents)
            if view.byte(504) == 0 { return }
        }
    }

    /// GNU sparse 1.0 keeps its map as decimal lines at the front of the content, padded to a block.
    private func readSparseMap() throws -> [SparseExtent] {
        var parser = SparseMap.LineParser()
        while !parser.isComplete {
            guard storedLeft >= 512, let base = try block() else {
                throw corruptArchive("the map of a sparse file is cut off")
            }
            storedLeft -= 512
            try parser.take(UnsafeRawBufferPointer(start: base, count: TarBlock.size))
        }
        return parser.extents
    }
}

func corruptArchive(_ reason: String) -> ArchiveError {
    ArchiveError(.corrupt, "the tar archive is corrupt: \(reason)")
}

func truncatedArchive(_ place: String) -> ArchiveError {
    ArchiveError(.truncated, "the tar archive is truncated: it ends \(place)")
}

/// The content of a reader's current entry.
final class TarContentSource: ByteSource {
    private let reader: TarReader
    private let generation: Int
    private var position: Int64 = 0
    private var pendingOffset: Int64 = 0
    private var pending = UnsafeRawBufferPointer(start: nil, count: 0)
    private var isDrained = false

    init(_ reader: TarReader) {
        self.reader = reader
        generation = reader.generation
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard generation == reader.generation else {
            throw ArchiveError(.unsupported, "the content of a tar entry was asked for after the reader had moved on")
        }
        if buffer.isEmpty || position == reader.currentSize { return 0 }
        if pending.isEmpty && !isDrained {
            // A piece stays valid until the reader is asked for the next.
            if let (offset, bytes) = try reader.nextPiece(atMost: Int.max) {
                (pendingOffset, pending) = (offset, bytes)
            } else {
                isDrained = true
            }
        }
        let hole = (isDrained ? reader.currentSize : pendingOffset) - position
        let count: Int
        if hole > 0 {
            count = Int(min(Int64(buffer.count), hole))
            UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]).initializeMemory(as: UInt8.self, repeating: 0)
        } else {
            count = min(buffer.count, pending.count)
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: pending[..<count]))
            pending = pending.advanced(count)
            pendingOffset += Int64(count)
        }
        position += Int64(count)
        return count
    }
}
