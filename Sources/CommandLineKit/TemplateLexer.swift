/// A word of an action.
struct TemplateToken: Equatable {
    enum Kind: Equatable {
        case text(String)
        case open
        case close
        case identifier(String)
        case field(String)
        case variable(String)
        case dot
        case string(String)
        case integer(Int64)
        case number(Double)
        case character(Int64)
        case pipe
        case comma
        case assign
        case declare
        case leftParenthesis
        case rightParenthesis
        case space
        case end
    }

    var kind: Kind
    /// The text it was read from.
    var source: String
    var line: Int
    /// The offset in its line, in bytes, from 0.
    var column: Int
}

/// Splits a template into text and the words of its actions.
struct TemplateLexer {
    private let source: [UInt8]
    private var at = 0
    private var tokens: [TemplateToken] = []

    static func tokens(of text: String) throws(TemplateError) -> [TemplateToken] {
        var lexer = TemplateLexer(source: Array(text.utf8))
        try lexer.run()
        return lexer.tokens
    }

    private init(source: [UInt8]) { self.source = source }

    /// Where the line of the last place begins, so that places need not be counted from the start each time.
    private var line = 1
    private var lineStart = 0
    private var counted = 0

    private mutating func position(_ offset: Int) -> (line: Int, column: Int) {
        while counted < offset {
            if source[counted] == 0x0A {
                line += 1
                lineStart = counted + 1
            }
            counted += 1
        }
        return (line, offset - lineStart)
    }

    private func fail(_ message: String) -> TemplateError {
        let line = 1 + source.prefix(min(at, source.count)).count { $0 == 0x0A }
        return TemplateError("template: :\(line): \(message)")
    }

    private mutating func emit(_ kind: TemplateToken.Kind, from start: Int) {
        let place = position(start)
        tokens.append(
            TemplateToken(
                kind: kind, source: String(decoding: source[start..<at], as: UTF8.self), line: place.line,
                column: place.column))
    }

    private func starts(with text: StaticString, at offset: Int) -> Bool {
        let length = text.utf8CodeUnitCount
        guard offset + length <= source.count else { return false }
        return (0..<length).allSatisfy { source[offset + $0] == text.utf8Start[$0] }
    }

    private func isSpace(_ offset: Int) -> Bool {
        offset < source.count && [0x20, 0x09, 0x0A, 0x0D].contains(source[offset])
    }

    private mutating func run() throws(TemplateError) {
        var trims = false
        while at < source.count {
            let start = at
            while at < source.count, !starts(with: "{{", at: at) { at += 1 }
            var text = source[start..<at]
            if trims { text = text.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) } }
            let opens = at < source.count
            let trimsBefore = opens && starts(with: "{{-", at: at) && isSpace(at + 3)
            if trimsBefore {
                while let last = text.last, [0x20, 0x09, 0x0A, 0x0D].contains(last) { text.removeLast() }
            }
            if !text.isEmpty { emit(.text(String(decoding: text, as: UTF8.self)), from: start) }
            guard opens else { break }
            let open = at
            at += trimsBefore ? 3 : 2
            emit(.open, from: open)
            trims = try action()
        }
        emit(.end, from: at)
    }

    /// Reads up to `}}`.
    /// - Returns: whether blanks after the action are dropped.
    private mutating func action() throws(TemplateError) -> Bool {
        var probe = at
        while isSpace(probe) { probe += 1 }
        if starts(with: "/*", at: probe) {
            at = probe + 2
            while at < source.count, !starts(with: "*/", at: at) { at += 1 }
            guard at < source.count else { throw fail("unclosed comment") }
            at += 2
            tokens.removeLast()
            if isSpace(at) { while isSpace(at) { at += 1 } }
            let trims = starts(with: "-}}", at: at)
            if trims { at += 1 }
            guard starts(with: "}}", at: at) else { throw fail("comment ends before closing delimiter") }
            at += 2
            return trims
        }
        while at < source.count {
            let start = at
            if isSpace(at) {
                while isSpace(at) { at += 1 }
                if starts(with: "-}}", at: at) {
                    at += 3
                    emit(.close, from: at - 2)
                    return true
                }
                emit(.space, from: start)
                continue
            }
            if starts(with: "}}", at: at) {
                at += 2
                emit(.close, from: start)
                return false
            }
            try word(start)
        }
        throw fail("unclosed action")
    }

    private mutating func word(_ start: Int) throws(TemplateError) {
        let byte = source[at]
        at += 1
        switch byte {
        case UInt8(ascii: "|"): emit(.pipe, from: start)
        case UInt8(ascii: ","): emit(.comma, from: start)
        case UInt8(ascii: "("): emit(.leftParenthesis, from: start)
        case UInt8(ascii: ")"): emit(.rightParenthesis, from: start)
        case UInt8(ascii: "="): emit(.assign, from: start)
        case UInt8(ascii: ":"):
            guard at < source.count, source[at] == UInt8(ascii: "=") else { throw fail("expected :=") }
            at += 1
            emit(.declare, from: start)
        case UInt8(ascii: "\""): try quoted(start)
        case UInt8(ascii: "`"):
            while at < source.count, source[at] != byte { at += 1 }
            guard at < source.count else { throw fail("unterminated raw quoted string") }
            at += 1
            emit(.string(String(decoding: source[(start + 1)..<(at - 1)], as: UTF8.self)), from: start)
        case UInt8(ascii: "'"):
            while at < source.count, source[at] != byte, source[at] != 0x0A {
                at += source[at] == UInt8(ascii: "\\") ? 2 : 1
            }
            guard at < source.count, source[at] == byte else { throw fail("unterminated character constant") }
            at += 1
            let text = try unescaped(source[(start + 1)..<(at - 1)])
            guard let scalar = text.unicodeScalars.first, text.unicodeScalars.count == 1 else {
                throw fail("malformed character constant: \(String(decoding: source[start..<at], as: UTF8.self))")
            }
            emit(.character(Int64(scalar.value)), from: start)
        case UInt8(ascii: "."):
            if at < source.count, isDigit(source[at]) {
                try number(start)
            } else if at < source.count, isWord(source[at]) {
                while at < source.count, isWord(source[at]) { at += 1 }
                emit(.field(String(decoding: source[(start + 1)..<at], as: UTF8.self)), from: start)
            } else {
                emit(.dot, from: start)
            }
        case UInt8(ascii: "$"):
            while at < source.count, isWord(source[at]) { at += 1 }
            emit(.variable(String(decoding: source[start..<at], as: UTF8.self)), from: start)
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number(start)
        default:
            guard isWord(byte) else {
                let scalar = Array(String(decoding: source[start...].prefix(4), as: UTF8.self).unicodeScalars)[0]
                let hex = String(scalar.value, radix: 16, uppercase: true)
                let zeros = String(repeating: "0", count: max(0, 4 - hex.count))
                throw fail("unrecognized character in action: U+\(zeros)\(hex) '\(scalar)'")
            }
            while at < source.count, isWord(source[at]) { at += 1 }
            emit(.identifier(String(decoding: source[start..<at], as: UTF8.self)), from: start)
        }
    }

    private func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    private func isWord(_ byte: UInt8) -> Bool {
        isDigit(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == UInt8(ascii: "_")
            || byte >= 0x80
    }

    private mutating func number(_ start: Int) throws(TemplateError) {
        while at < source.count,
            isWord(source[at]) || source[at] == UInt8(ascii: ".")
                || ((source[at] == UInt8(ascii: "+") || source[at] == UInt8(ascii: "-"))
                    && source[at - 1] | 0x20 == UInt8(ascii: "e"))
        {
            at += 1
        }
        let text = String(decoding: source[start..<at], as: UTF8.self)
        if let integer = try? FlagText.int(text) {
            emit(.integer(integer), from: start)
        } else if let value = Double(text) {
            emit(.number(value), from: start)
        } else {
            throw fail("bad number syntax: \(goQuoted(text))")
        }
    }

    private mutating func quoted(_ start: Int) throws(TemplateError) {
        while at < source.count, source[at] != UInt8(ascii: "\""), source[at] != 0x0A {
            at += source[at] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard at < source.count, source[at] == UInt8(ascii: "\"") else { throw fail("unterminated quoted string") }
        at += 1
        emit(.string(try unescaped(source[(start + 1)..<(at - 1)])), from: start)
    }

    private func unescaped(_ bytes: ArraySlice<UInt8>) throws(TemplateError) -> String {
        var result: [UInt8] = []
        var rest = bytes
        func hex(_ count: Int) throws(TemplateError) -> UInt32 {
            guard rest.count >= count,
                let value = UInt32(String(decoding: rest.prefix(count), as: UTF8.self), radix: 16)
            else { throw fail("invalid syntax") }
            rest = rest.dropFirst(count)
            return value
        }
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            guard let escape = rest.popFirst() else { throw fail("invalid syntax") }
            switch escape {
            case UInt8(ascii: "n"): result.append(0x0A)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "r"): result.append(0x0D)
            case UInt8(ascii: "a"): result.append(0x07)
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0C)
            case UInt8(ascii: "v"): result.append(0x0B)
            case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "'"): result.append(escape)
            case UInt8(ascii: "x"): result.append(UInt8(truncatingIfNeeded: try hex(2)))
            case UInt8(ascii: "u"), UInt8(ascii: "U"):
                guard let scalar = Unicode.Scalar(try hex(escape == UInt8(ascii: "u") ? 4 : 8)) else {
                    throw fail("invalid syntax")
                }
                result.append(contentsOf: String(scalar).utf8)
            default: throw fail("invalid syntax")
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
