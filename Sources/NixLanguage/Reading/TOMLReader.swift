#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Reads a TOML 1.0 text straight into values.
///
/// A reader of its own, because the values go into the evaluator's arena and zero bytes, 64-bit overflow and times are
/// Nix's business to refuse.
struct TOMLReader {
    private let evaluator: Evaluator
    private let bytes: UnsafeBufferPointer<UInt8>
    private var at = 0

    /// A table in the making.
    private final class Table {
        enum Entry {
            case value(ValueRef)
            case table(Table)
            /// `[[name]]`.
            case tables([Table])
        }
        enum Origin {
            /// Named on the way to another.
            case implicit
            /// By a header `[name]`.
            case header
            /// By a dotted key.
            case dotted
            /// `{ … }`: complete as it stands.
            case inline
        }
        var entries: [(name: [UInt8], entry: Entry)] = []
        var index: [[UInt8]: Int] = [:]
        var origin: Origin

        init(_ origin: Origin) { self.origin = origin }

        subscript(name: [UInt8]) -> Entry? {
            get { index[name].map { entries[$0].entry } }
            set {
                guard let newValue else { return }
                if let known = index[name] {
                    entries[known].entry = newValue
                } else {
                    index[name] = entries.count
                    entries.append((name, newValue))
                }
            }
        }
    }

    init(_ evaluator: Evaluator, _ bytes: UnsafeBufferPointer<UInt8>) {
        self.evaluator = evaluator
        self.bytes = bytes
    }

    mutating func document() throws -> Value {
        let root = Table(.header)
        var current = root
        skipLines()
        while let byte = peek {
            if byte == UInt8(ascii: "[") {
                current = try header(root)
            } else {
                try keyValue(into: current)
            }
            try endOfLine()
            skipLines()
        }
        return try value(of: root)
    }

    private func value(of table: Table) throws -> Value {
        evaluator.set(
            try table.entries.map { name, entry in
                try evaluator.refuseNull(name)
                let symbol = name.withUnsafeBufferPointer { evaluator.symbols.intern($0) }
                switch entry {
                case .value(let value): return (symbol, value)
                case .table(let table): return (symbol, evaluator.arena.value(try value(of: table)))
                case .tables(let tables):
                    let values = try tables.map { evaluator.arena.value(try value(of: $0)) }
                    return (symbol, evaluator.arena.value(evaluator.list(values)))
                }
            })
    }

    // MARK: Bytes

    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }
    private func peek(_ offset: Int) -> UInt8? { at + offset < bytes.count ? bytes[at + offset] : nil }

    private func fail(_ reason: String) -> EvaluationError {
        let line = bytes.prefix(at).reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
        return EvaluationError(.parse, "\(reason) (line \(line))")
    }

    private mutating func skipBlanks() {
        while peek == 0x20 || peek == 0x09 { at += 1 }
    }

    private mutating func skipComment() throws {
        guard peek == UInt8(ascii: "#") else { return }
        while let byte = peek, byte != 0x0A {
            if byte < 0x20, byte != 0x09, !(byte == 0x0D && peek(1) == 0x0A) || byte == 0x7F {
                throw fail("control character in a comment")
            }
            at += 1
        }
    }

    /// White space, line ends and comments.
    private mutating func skipLines() {
        while let byte = peek {
            switch byte {
            case 0x20, 0x09, 0x0A: at += 1
            case 0x0D where peek(1) == 0x0A: at += 2
            case UInt8(ascii: "#"):
                while let byte = peek, byte != 0x0A {
                    _ = byte
                    at += 1
                }
            default: return
            }
        }
    }

    private mutating func endOfLine() throws {
        skipBlanks()
        try skipComment()
        if peek == 0x0D, peek(1) == 0x0A { at += 1 }
        guard peek == nil || peek == 0x0A else { throw fail("expected the end of the line") }
    }

    // MARK: Keys and headers

    private mutating func header(_ root: Table) throws -> Table {
        at += 1
        let isArray = peek == UInt8(ascii: "[")
        if isArray { at += 1 }
        let path = try dottedKey()
        guard peek == UInt8(ascii: "]") else { throw fail("expected ']' after a table's name") }
        at += 1
        if isArray {
            guard peek == UInt8(ascii: "]") else { throw fail("expected ']]' after a table array's name") }
            at += 1
        }
        var table = root
        for name in path.dropLast() { table = try enter(name, of: table, .implicit) }
        let last = path[path.count - 1]
        if isArray {
            let new = Table(.header)
            switch table[last] {
            case nil: table[last] = .tables([new])
            case .tables(let tables): table[last] = .tables(tables + [new])
            default: throw duplicate(last)
            }
            return new
        }
        switch table[last] {
        case nil:
            let new = Table(.header)
            table[last] = .table(new)
            return new
        case .table(let known) where known.origin == .implicit:
            known.origin = .header
            return known
        default: throw duplicate(last)
        }
    }

    private func enter(_ name: [UInt8], of table: Table, _ origin: Table.Origin) throws -> Table {
        switch table[name] {
        case nil:
            let new = Table(origin)
            table[name] = .table(new)
            return new
        case .table(let known):
            guard known.origin != .inline else { throw duplicate(name) }
            if origin == .dotted, known.origin != .dotted { throw duplicate(name) }
            return known
        case .tables(let tables):
            guard origin == .implicit, let last = tables.last else { throw duplicate(name) }
            return last
        case .value: throw duplicate(name)
        }
    }

    private func duplicate(_ name: [UInt8]) -> EvaluationError {
        fail("key '\(String(decoding: name, as: UTF8.self))' is defined already")
    }

    private mutating func keyValue(into table: Table) throws {
        let path = try dottedKey()
        guard peek == UInt8(ascii: "=") else { throw fail("expected '=' after a key") }
        at += 1
        skipBlanks()
        var target = table
        for name in path.dropLast() { target = try enter(name, of: target, .dotted) }
        let last = path[path.count - 1]
        guard target[last] == nil else { throw duplicate(last) }
        target[last] = try entry()
    }

    private mutating func dottedKey() throws -> [[UInt8]] {
        var path: [[UInt8]] = []
        while true {
            skipBlanks()
            path.append(try simpleKey())
            skipBlanks()
            guard peek == UInt8(ascii: ".") else { return path }
            at += 1
        }
    }

    private mutating func simpleKey() throws -> [UInt8] {
        switch peek {
        case UInt8(ascii: "\""): return try basicString()
        case UInt8(ascii: "'"): return try literalString()
        default:
            let start = at
            while let byte = peek, Lexer.isIdentifier(byte), byte != UInt8(ascii: "'") { at += 1 }
            guard at > start else { throw fail("expected a key") }
            return Array(bytes[start..<at])
        }
    }

    // MARK: Values

    private mutating func entry() throws -> Table.Entry {
        try evaluator.checkStack(.none)
        switch peek {
        case UInt8(ascii: "{"): return .table(try inlineTable())
        case UInt8(ascii: "["): return .value(evaluator.arena.value(try array()))
        case UInt8(ascii: "\""):
            let isLong = peek(1) == UInt8(ascii: "\"") && peek(2) == UInt8(ascii: "\"")
            return try .value(string(isLong ? longBasicString() : basicString()))
        case UInt8(ascii: "'"):
            let isLong = peek(1) == UInt8(ascii: "'") && peek(2) == UInt8(ascii: "'")
            return try .value(string(isLong ? longLiteralString() : literalString()))
        case nil: throw fail("expected a value")
        default: return .value(evaluator.arena.value(try scalar()))
        }
    }

    private func string(_ bytes: [UInt8]) throws -> ValueRef {
        try evaluator.refuseNull(bytes)
        return evaluator.arena.value(evaluator.newString(bytes))
    }

    private mutating func inlineTable() throws -> Table {
        at += 1
        let table = Table(.inline)
        skipBlanks()
        if peek == UInt8(ascii: "}") {
            at += 1
            return table
        }
        while true {
            skipBlanks()
            try keyValue(into: table)
            skipBlanks()
            if peek == UInt8(ascii: ",") {
                at += 1
                continue
            }
            guard peek == UInt8(ascii: "}") else { throw fail("expected ',' or '}' in an inline table") }
            at += 1
            freeze(table)
            return table
        }
    }

    /// Nothing is added to an inline table, nor to what dotted keys made in it.
    private func freeze(_ table: Table) {
        table.origin = .inline
        for (_, entry) in table.entries {
            if case .table(let inner) = entry { freeze(inner) }
        }
    }

    private mutating func array() throws -> Value {
        at += 1
        var elements: [ValueRef] = []
        while true {
            skipLines()
            if peek == UInt8(ascii: "]") {
                at += 1
                return evaluator.list(elements)
            }
            switch try entry() {
            case .value(let value): elements.append(value)
            case .table(let table): elements.append(evaluator.arena.value(try value(of: table)))
            case .tables: break
            }
            skipLines()
            if peek == UInt8(ascii: ",") {
                at += 1
            } else if peek != UInt8(ascii: "]") {
                throw fail("expected ',' or ']' in an array")
            }
        }
    }

    // MARK: Strings

    private mutating func basicString() throws -> [UInt8] {
        at += 1
        var result: [UInt8] = []
        while let byte = peek {
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return result
            case UInt8(ascii: "\\"): try escape(into: &result)
            case 0x0A, 0x0D: throw fail("a line ends in a string")
            case 0..<0x09, 0x0B..<0x20, 0x7F: throw fail("control character in a string")
            default: result.append(byte)
            }
        }
        throw fail("a string does not end")
    }

    private mutating func literalString() throws -> [UInt8] {
        at += 1
        var result: [UInt8] = []
        while let byte = peek {
            at += 1
            switch byte {
            case UInt8(ascii: "'"): return result
            case 0x0A, 0x0D: throw fail("a line ends in a string")
            case 0..<0x09, 0x0B..<0x20, 0x7F: throw fail("control character in a string")
            default: result.append(byte)
            }
        }
        throw fail("a string does not end")
    }

    private mutating func skipFirstNewline() {
        if peek == 0x0A { at += 1 } else if peek == 0x0D, peek(1) == 0x0A { at += 2 }
    }

    /// Up to three quotes in a row end a long string; up to two more belong to it.
    private mutating func closes(_ quote: UInt8, _ result: inout [UInt8]) -> Bool {
        guard peek == quote, peek(1) == quote, peek(2) == quote else { return false }
        at += 3
        for _ in 0..<2 where peek == quote {
            result.append(quote)
            at += 1
        }
        return true
    }

    private mutating func longBasicString() throws -> [UInt8] {
        at += 3
        skipFirstNewline()
        var result: [UInt8] = []
        while let byte = peek {
            if closes(UInt8(ascii: "\""), &result) { return result }
            at += 1
            switch byte {
            case UInt8(ascii: "\\"):
                var end = at
                while end < bytes.count, bytes[end] == 0x20 || bytes[end] == 0x09 { end += 1 }
                if end < bytes.count, bytes[end] == 0x0A || bytes[end] == 0x0D {
                    at = end
                    while let blank = peek, [0x20, 0x09, 0x0A, 0x0D].contains(blank) { at += 1 }
                } else {
                    try escape(into: &result)
                }
            case 0x0D where peek == 0x0A:
                result.append(0x0A)
                at += 1
            case 0..<0x09, 0x0B..<0x20, 0x7F: throw fail("control character in a string")
            default: result.append(byte)
            }
        }
        throw fail("a string does not end")
    }

    private mutating func longLiteralString() throws -> [UInt8] {
        at += 3
        skipFirstNewline()
        var result: [UInt8] = []
        while let byte = peek {
            if closes(UInt8(ascii: "'"), &result) { return result }
            at += 1
            switch byte {
            case 0x0D where peek == 0x0A:
                result.append(0x0A)
                at += 1
            case 0..<0x09, 0x0B..<0x20, 0x7F: throw fail("control character in a string")
            default: result.append(byte)
            }
        }
        throw fail("a string does not end")
    }

    private mutating func escape(into result: inout [UInt8]) throws {
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
                bytes[at..<at + count].allSatisfy({ Lexer.isDigit($0) || Lexer.isLetter($0) }),
                let code = UInt32(String(decoding: bytes[at..<at + count], as: UTF8.self), radix: 16),
                let scalar = Unicode.Scalar(code)
            else { throw fail("a wrong Unicode escape") }
            at += count
            result.append(contentsOf: String(Character(scalar)).utf8)
        default: throw fail("unknown escape '\\\(Unicode.Scalar(byte))'")
        }
    }

    // MARK: Numbers, Booleans, times

    private mutating func scalar() throws -> Value {
        let start = at
        while let byte = peek, Lexer.isURI(byte) || byte == UInt8(ascii: "#"), !",#]}".utf8.contains(byte) { at += 1 }
        // A date and a time may have a blank between them.
        if at - start == 10, bytes[start + 4] == UInt8(ascii: "-"), peek == 0x20, let next = peek(1),
            Lexer.isDigit(next)
        {
            at += 1
            while let byte = peek, Lexer.isURI(byte), !",]}".utf8.contains(byte) { at += 1 }
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        switch text {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "inf", "+inf": return .float(.infinity)
        case "-inf": return .float(-.infinity)
        case "nan", "+nan": return .float(.nan)
        case "-nan": return .float(-Double.nan)
        default: break
        }
        if let time = try timestamp(text) { return time }
        return try number(text)
    }

    private func number(_ text: String) throws -> Value {
        var digits = Substring(text)
        var radix = 10
        if text.hasPrefix("0x") { (radix, digits) = (16, digits.dropFirst(2)) }
        if text.hasPrefix("0o") { (radix, digits) = (8, digits.dropFirst(2)) }
        if text.hasPrefix("0b") { (radix, digits) = (2, digits.dropFirst(2)) }
        // An underscore stands between two digits.
        let all = Array(digits.utf8)
        for (index, byte) in all.enumerated() where byte == UInt8(ascii: "_") {
            func isDigit(_ index: Int) -> Bool {
                all.indices.contains(index) && Character(Unicode.Scalar(all[index])).isHexDigit
            }
            guard isDigit(index - 1), isDigit(index + 1) else { throw fail("bad number '\(text)'") }
        }
        let plain = String(digits.filter { $0 != "_" })
        let isFloat = radix == 10 && plain.contains { ".eE".contains($0) }
        let unsigned = plain.drop { $0 == "+" || $0 == "-" }
        guard let first = unsigned.first, first.isASCII, radix == 10 ? first.isNumber : first.isHexDigit,
            radix == 10 ? plain.count - unsigned.count <= 1 : plain.count == unsigned.count
        else { throw fail("bad value '\(text)'") }
        if !isFloat {
            if radix == 10, unsigned.count > 1, first == "0" { throw fail("bad number '\(text)'") }
            guard unsigned.allSatisfy({ $0.isHexDigit && $0.hexDigitValue! < radix }) else {
                throw fail("bad value '\(text)'")
            }
            guard let value = Int64(plain, radix: radix) else {
                throw fail("integer '\(text)' is out of range")
            }
            return .integer(value)
        }
        let parts = unsigned.split(separator: ".", omittingEmptySubsequences: false)
        let whole = parts[0].prefix { $0.isNumber }
        guard parts.count <= 2, !(whole.count > 1 && whole.first == "0"),
            parts.count == 1 || parts[0].allSatisfy(\.isNumber) && parts[1].first?.isNumber == true,
            unsigned.last?.isNumber == true
        else { throw fail("bad number '\(text)'") }
        guard let value = Double(plain) else { throw fail("bad number '\(text)'") }
        return .float(value)
    }

    private func timestamp(_ text: String) throws -> Value? {
        let all = Array(text.utf8)
        func digits(_ start: Int, _ count: Int) -> Int? {
            guard start + count <= all.count, all[start..<start + count].allSatisfy(Lexer.isDigit) else { return nil }
            return Int(String(decoding: all[start..<start + count], as: UTF8.self))
        }
        func has(_ index: Int, _ byte: Unicode.Scalar) -> Bool { index < all.count && all[index] == UInt8(ascii: byte) }
        let isDate = digits(0, 4) != nil && has(4, "-")
        let isTime = digits(0, 2) != nil && has(2, ":")
        guard isDate || isTime else { return nil }
        guard evaluator.settings.parsesTOMLTimestamps else {
            throw EvaluationError(.parse, "Dates and times are not supported")
        }
        var normal = text
        var time = 0
        if isDate {
            guard let month = digits(5, 2), (1...12).contains(month), has(7, "-"), let day = digits(8, 2),
                (1...31).contains(day)
            else { throw fail("bad date '\(text)'") }
            if all.count > 10 {
                guard "Tt ".utf8.contains(all[10]) else { throw fail("bad date '\(text)'") }
                normal = String(text.prefix(10)) + "T" + text.dropFirst(11)
                time = 11
            }
        }
        if !isDate || all.count > 10 {
            guard let hour = digits(time, 2), hour < 24, has(time + 2, ":"), let minute = digits(time + 3, 2),
                minute < 60, has(time + 5, ":"), let second = digits(time + 6, 2), second <= 60
            else { throw fail("bad time '\(text)'") }
            normal = Self.normalizeFraction(normal, from: time + 8)
        }
        let type = evaluator.symbols.intern("_type")
        return evaluator.set([
            (type, evaluator.arena.value(evaluator.string("timestamp"))),
            (evaluator.names.value, evaluator.arena.value(evaluator.string(normal))),
        ])
    }

    /// Fractions of a second have three, six or nine digits.
    private static func normalizeFraction(_ text: String, from offset: Int) -> String {
        let head = text.prefix(offset)
        var rest = text.dropFirst(offset)
        var fraction = ""
        if rest.first == "." {
            rest = rest.dropFirst()
            fraction = String(rest.prefix { $0.isNumber })
            rest = rest.dropFirst(fraction.count)
            fraction = String(fraction.prefix(9))
            while !fraction.count.isMultiple(of: 3) { fraction += "0" }
            while fraction.hasSuffix("000") { fraction.removeLast(3) }
        }
        let zone = rest.first == "z" ? "Z" : String(rest)
        return head + (fraction.isEmpty ? "" : "." + fraction) + zone
    }
}
