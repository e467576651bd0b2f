#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Reads a JSON text straight into values.
struct JSONReader {
    private let evaluator: Evaluator
    private let bytes: UnsafeBufferPointer<UInt8>
    private var at = 0

    init(_ evaluator: Evaluator, _ bytes: UnsafeBufferPointer<UInt8>) {
        self.evaluator = evaluator
        self.bytes = bytes
    }

    mutating func document() throws -> Value {
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { at = 3 }
        let value = try value()
        skipBlanks()
        guard at == bytes.count else { throw fail("unexpected \(shown); expected end of input") }
        return value
    }

    private var current: UInt8? { at < bytes.count ? bytes[at] : nil }

    private var shown: String {
        guard let current else { return "end of input" }
        return "'\(String(decoding: [current], as: UTF8.self))'"
    }

    private func fail(_ reason: String) -> EvaluationError {
        var (line, column) = (1, 1)
        for byte in bytes.prefix(at) {
            column += 1
            if byte == 0x0A { (line, column) = (line + 1, 1) }
        }
        return EvaluationError(
            .parse,
            "[json.exception.parse_error.101] parse error at line \(line), column \(column): syntax error while parsing value - \(reason)"
        )
    }

    private mutating func skipBlanks() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
    }

    private mutating func value() throws -> Value {
        try evaluator.checkStack(.none)
        skipBlanks()
        switch current {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return evaluator.newString(try string())
        case UInt8(ascii: "t"): return try literal("true", .boolean(true))
        case UInt8(ascii: "f"): return try literal("false", .boolean(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case .some(UInt8(ascii: "-")), .some(0x30...0x39): return try number()
        default: throw fail("unexpected \(shown); expected '[', '{', or a literal")
        }
    }

    private mutating func literal(_ word: StaticString, _ value: Value) throws -> Value {
        for offset in 0..<word.utf8CodeUnitCount {
            guard current == word.utf8Start[offset] else { throw fail("invalid literal") }
            at += 1
        }
        return value
    }

    private mutating func object() throws -> Value {
        at += 1
        var members: [Symbol: ValueRef] = [:]
        skipBlanks()
        if current == UInt8(ascii: "}") {
            at += 1
            return .attributes(evaluator.emptyAttributes)
        }
        while true {
            skipBlanks()
            guard current == UInt8(ascii: "\"") else { throw fail("unexpected \(shown); expected string literal") }
            let name = try string()
            skipBlanks()
            guard current == UInt8(ascii: ":") else { throw fail("unexpected \(shown); expected ':'") }
            at += 1
            let value = evaluator.arena.value(try value())
            members[name.withUnsafeBufferPointer { evaluator.symbols.intern($0) }] = value
            skipBlanks()
            if current == UInt8(ascii: ",") {
                at += 1
                continue
            }
            guard current == UInt8(ascii: "}") else { throw fail("unexpected \(shown); expected '}'") }
            at += 1
            return evaluator.set(members.map { ($0.key, $0.value) })
        }
    }

    private mutating func array() throws -> Value {
        at += 1
        var elements: [ValueRef] = []
        skipBlanks()
        if current == UInt8(ascii: "]") {
            at += 1
            return .emptyList
        }
        while true {
            elements.append(evaluator.arena.value(try value()))
            skipBlanks()
            if current == UInt8(ascii: ",") {
                at += 1
                continue
            }
            guard current == UInt8(ascii: "]") else { throw fail("unexpected \(shown); expected ']'") }
            at += 1
            return evaluator.list(elements)
        }
    }

    private mutating func number() throws -> Value {
        let start = at
        func isDigit() -> Bool { current.map(Lexer.isDigit) ?? false }
        if current == UInt8(ascii: "-") { at += 1 }
        guard isDigit() else { throw fail("invalid number; expected digit after '-'") }
        if current == 0x30 { at += 1 } else { while isDigit() { at += 1 } }
        var isInteger = true
        if current == UInt8(ascii: ".") {
            isInteger = false
            at += 1
            guard isDigit() else { throw fail("invalid number; expected digit after '.'") }
            while isDigit() { at += 1 }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            isInteger = false
            at += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { at += 1 }
            guard isDigit() else { throw fail("invalid number; expected digit after exponent sign") }
            while isDigit() { at += 1 }
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if isInteger {
            if let value = Int64(text) { return .integer(value) }
            if UInt64(text) != nil {
                throw EvaluationError(.evaluation, "unsigned json number \(text) outside of Nix integer range")
            }
        }
        return .float(strtod(text, nil))
    }

    private mutating func string() throws -> [UInt8] {
        at += 1
        var result: [UInt8] = []
        while true {
            guard let byte = current else { throw fail("invalid string: missing closing quote") }
            at += 1
            switch byte {
            case UInt8(ascii: "\""):
                try evaluator.refuseNull(result)
                guard result.allSatisfy({ $0 < 0x80 }) || String(validating: result, as: UTF8.self) != nil else {
                    throw fail("invalid string: ill-formed UTF-8 byte")
                }
                return result
            case UInt8(ascii: "\\"):
                guard let escape = current else { throw fail("invalid string: missing closing quote") }
                at += 1
                switch escape {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(escape)
                case UInt8(ascii: "b"): result.append(0x08)
                case UInt8(ascii: "f"): result.append(0x0C)
                case UInt8(ascii: "n"): result.append(0x0A)
                case UInt8(ascii: "r"): result.append(0x0D)
                case UInt8(ascii: "t"): result.append(0x09)
                case UInt8(ascii: "u"): result.append(contentsOf: String(try unicodeEscape()).utf8)
                default: throw fail("invalid string: forbidden character after backslash")
                }
            case 0..<0x20: throw fail("invalid string: control character must be escaped")
            default: result.append(byte)
            }
        }
    }

    private mutating func unicodeEscape() throws -> Character {
        let first = try fourDigits()
        if first >= 0xD800, first < 0xDC00 {
            guard current == UInt8(ascii: "\\"), at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "u") else {
                throw fail("invalid string: surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF")
            }
            at += 2
            let second = try fourDigits()
            guard second >= 0xDC00, second < 0xE000,
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            else { throw fail("invalid string: surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF") }
            return Character(scalar)
        }
        guard let scalar = Unicode.Scalar(first) else {
            throw fail("invalid string: surrogate U+DC00..U+DFFF must follow U+D800..U+DBFF")
        }
        return Character(scalar)
    }

    private mutating func fourDigits() throws -> UInt32 {
        guard at + 4 <= bytes.count,
            let value = UInt32(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16),
            bytes[at] != UInt8(ascii: "+"), bytes[at] != UInt8(ascii: "-")
        else { throw fail("invalid string: '\\u' must be followed by 4 hex digits") }
        at += 4
        return value
    }
}
