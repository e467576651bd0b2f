import Glibc
import Kernel

/// The layout of a header block (POSIX pax, ustar interchange format; GNU tar's manual, "Basic Tar Format").
enum TarBlock {
    static let size = 512

    struct Field {
        let offset: Int
        let count: Int
    }

    static let name = Field(offset: 0, count: 100)
    static let mode = Field(offset: 100, count: 8)
    static let uid = Field(offset: 108, count: 8)
    static let gid = Field(offset: 116, count: 8)
    static let fileSize = Field(offset: 124, count: 12)
    static let modified = Field(offset: 136, count: 12)
    static let checksum = Field(offset: 148, count: 8)
    static let typeOffset = 156
    static let linkName = Field(offset: 157, count: 100)
    static let magic = Field(offset: 257, count: 8)
    static let userName = Field(offset: 265, count: 32)
    static let groupName = Field(offset: 297, count: 32)
    static let deviceMajor = Field(offset: 329, count: 8)
    static let deviceMinor = Field(offset: 337, count: 8)
    static let prefix = Field(offset: 345, count: 155)
    // GNU's own layout of what ustar calls the prefix.
    static let gnuAccessed = Field(offset: 345, count: 12)
    static let gnuChanged = Field(offset: 357, count: 12)
    static let gnuSparse = Field(offset: 386, count: 4 * 24)
    static let gnuSparseContinues = 482
    static let gnuRealSize = Field(offset: 483, count: 12)

    enum Format { case v7, ustar, gnu }
}

/// A header block in memory.
struct TarBlockView {
    let base: UnsafeRawPointer

    func byte(_ offset: Int) -> UInt8 { base.load(fromByteOffset: offset, as: UInt8.self) }

    var isZero: Bool {
        var all: UInt64 = 0
        for offset in stride(from: 0, to: TarBlock.size, by: 8) {
            all |= base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        }
        return all == 0
    }

    /// The stored checksum, if it is the sum of the block's bytes taken as unsigned or, as old tars did, signed.
    var hasValidChecksum: Bool {
        guard let stored = number(TarBlock.checksum) else { return false }
        let bytes = UnsafeRawBufferPointer(start: base, count: TarBlock.size)
        let field = bytes[TarBlock.checksum.offset..<TarBlock.checksum.offset + TarBlock.checksum.count]
        var unsigned: UInt32 = 0
        for byte in bytes { unsigned &+= UInt32(byte) }
        // The checksum field itself counts as eight spaces.
        for byte in field { unsigned &+= 32 &- UInt32(byte) }
        if stored == Int64(unsigned) { return true }
        var signed: Int64 = 8 * 32
        for byte in bytes { signed += Int64(Int8(bitPattern: byte)) }
        for byte in field { signed -= Int64(Int8(bitPattern: byte)) }
        return stored == signed
    }

    var format: TarBlock.Format {
        func magic(_ text: StaticString) -> Bool {
            memcmp(base + TarBlock.magic.offset, text.utf8Start, text.utf8CodeUnitCount) == 0
        }
        if magic("ustar  \0") { return .gnu }
        return magic("ustar") ? .ustar : .v7
    }

    /// A text field up to its first NUL.
    func text(_ field: TarBlock.Field) -> UnsafeRawBufferPointer {
        let start = base + field.offset
        let length = memchr(start, 0, field.count).map { UnsafeRawPointer($0) - start } ?? field.count
        return UnsafeRawBufferPointer(start: start, count: length)
    }

    /// A number: octal digits between spaces and NULs, or base 256 when the top bit is set. An empty field is 0.
    /// `nil` for anything else, also for what does not fit.
    func number(_ field: TarBlock.Field) -> Int64? {
        let first = byte(field.offset)
        let end = field.offset + field.count
        if first & 0x80 != 0 {
            // Two's complement, big endian; 0x80 itself only marks the encoding, 0x40 is the sign.
            let isNegative = first & 0x40 != 0
            var value: Int64 = isNegative ? -1 : 0
            for offset in field.offset..<end {
                var digit = byte(offset)
                if offset == field.offset { digit = isNegative ? digit | 0x80 : digit & 0x7F }
                let (shifted, overflow) = value.multipliedReportingOverflow(by: 256)
                if overflow { return nil }
                value = shifted | Int64(digit)
            }
            return value
        }
        var offset = field.offset
        while offset < end, byte(offset) == 0x20 || byte(offset) == 0 { offset += 1 }
        // Some old tars wrote negative times so.
        let isNegative = offset < end && byte(offset) == 0x2D
        if isNegative { offset += 1 }
        var value: Int64 = 0
        while offset < end, (0x30...0x37).contains(byte(offset)) {
            value = value << 3 | Int64(byte(offset) - 0x30)
            offset += 1
        }
        while offset < end {
            if byte(offset) != 0x20 && byte(offset) != 0 { return nil }
            // What stands behind a terminator is of no account.
            if byte(offset) == 0 { break }
            offset += 1
        }
        return isNegative ? -value : value
    }
}
