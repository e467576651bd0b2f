extension TOMLReader {
    static func isQuote(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") }

    /// A string on one line; `"` begins one with escapes, `'` one without.
    mutating func string(_ quote: UInt8) throws -> [UInt8] {
        at += 1
        var result: [UInt8] = []
        while let byte = peek {
            at += 1
            switch byte {
            case quote: return result
            case UInt8(ascii: "\\") where quote == UInt8(ascii: "\""): try escape(into: &result)
            case 0x0A, 0x0D: throw fail("a line ends in a string")
            case 0..<0x09, 0x0B..<0x20, 0x7F: throw fail("control character in a string")
            default: result.append(byte)
            }
        }
        throw fail("a string does not end")
    }

    mutating func skipFirstNewline() {
        if peek == 0x0A { at += 1 } else if peek == 0x0D, peek(1) == 0x0A { at += 2 }
    }

    /// Up to three quotes in a row end a long string; up to two more belong to it.
    mutating func closes(_ quote: UInt8, _ result: inout [UInt8]) -> Bool {
        guard peek == quote, peek(1) == quote, peek(2) == quote else { return false }
        at += 3
        for _ in 0..<2 where peek == quote {
            result.append(quote)
            at += 1
        }
        return true
    }

    /// A string between three quotes and three.
    mutating func longString(_ quote: UInt8) throws -> [UInt8] {
        at += 3
        skipFirstNewline()
        var result: [UInt8] = []
        while let byte = peek {
            if closes(quote, &result) { return result }
            at += 1
            switch byte {
            case UInt8(ascii: "\\") where quote == UInt8(ascii: "\""):
                if !skipsLineEnd() { try escape(into: &result) }
            case 0x0D where peek == 0x0A:
                result.append(0x0A)
                at += 1
            case 0..<0x09, 0x0B..<0x20, 0x7F: throw fail("control character in a string")
            default: result.append(byte)
            }
        }
        throw fail("a string does not end")
    }

    /// After a backslash: when nothing but blanks follows on the line, all blanks and lines up to the next text go.
    private mutating func skipsLineEnd() -> Bool {
        var end = at
        while end < bytes.count, bytes[end] == 0x20 || bytes[end] == 0x09 { end += 1 }
        guard end < bytes.count, bytes[end] == 0x0A || bytes[end] == 0x0D else { return false }
        at = end
        while let blank = peek, [0x20, 0x09, 0x0A, 0x0D].contains(blank) { at += 1 }
        return true
    }

    mutating func escape(into result: inout [UInt8]) throws {
        guard let byte = peek else { throw fail("a string does not end") }
        at += 1
        switch byte {
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): result.append(byte)
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            let count = byte == UInt8(ascii: "u") ? 4 : 8
            guard at + count <= bytes.count,
                bytes[at..<at + count].allSatisfy({ Self.isBare($0) && !"-_".utf8.contains($0) }),
                let code = UInt32(String(decoding: bytes[at..<at + count], as: UTF8.self), radix: 16),
                let scalar = Unicode.Scalar(code)
            else { throw fail("a wrong Unicode escape") }
            at += count
            result.append(contentsOf: String(Character(scalar)).utf8)
        default: throw fail("unknown escape '\\\(Unicode.Scalar(byte))'")
        }
    }
}
