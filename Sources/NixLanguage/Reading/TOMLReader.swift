/// Reads a TOML 1.0 text straight into values.
///
/// A reader of its own, because the values go into the evaluator's arena and zero bytes, 64-bit overflow and times are
/// Nix's business to refuse.
struct TOMLReader {
    let evaluator: Evaluator
    let bytes: UnsafeBufferPointer<UInt8>
    var at = 0

    /// A table in the making.
    final class Table {
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

    func value(of table: Table) throws -> Value {
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

    var peek: UInt8? { at < bytes.count ? bytes[at] : nil }
    func peek(_ offset: Int) -> UInt8? { at + offset < bytes.count ? bytes[at + offset] : nil }

    func fail(_ reason: String) -> EvaluationError {
        let line = bytes.prefix(at).reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
        return EvaluationError(.parse, "\(reason) (line \(line))")
    }

    mutating func skipBlanks() {
        while peek == 0x20 || peek == 0x09 { at += 1 }
    }

    mutating func skipComment() throws {
        guard peek == UInt8(ascii: "#") else { return }
        while let byte = peek, byte != 0x0A {
            if byte < 0x20, byte != 0x09, !(byte == 0x0D && peek(1) == 0x0A) || byte == 0x7F {
                throw fail("control character in a comment")
            }
            at += 1
        }
    }

    /// White space, line ends and comments.
    mutating func skipLines() {
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

    mutating func endOfLine() throws {
        skipBlanks()
        try skipComment()
        if peek == 0x0D, peek(1) == 0x0A { at += 1 }
        guard peek == nil || peek == 0x0A else { throw fail("expected the end of the line") }
    }

    // MARK: Keys and headers

    mutating func header(_ root: Table) throws -> Table {
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

    func enter(_ name: [UInt8], of table: Table, _ origin: Table.Origin) throws -> Table {
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

    func duplicate(_ name: [UInt8]) -> EvaluationError {
        fail("key '\(String(decoding: name, as: UTF8.self))' is defined already")
    }

    mutating func keyValue(into table: Table) throws {
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

    mutating func dottedKey() throws -> [[UInt8]] {
        var path: [[UInt8]] = []
        while true {
            skipBlanks()
            path.append(try simpleKey())
            skipBlanks()
            guard peek == UInt8(ascii: ".") else { return path }
            at += 1
        }
    }

    mutating func simpleKey() throws -> [UInt8] {
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

    mutating func entry() throws -> Table.Entry {
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

    func string(_ bytes: [UInt8]) throws -> ValueRef {
        try evaluator.refuseNull(bytes)
        return evaluator.arena.value(evaluator.newString(bytes))
    }

    mutating func inlineTable() throws -> Table {
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
    func freeze(_ table: Table) {
        table.origin = .inline
        for (_, entry) in table.entries {
            if case .table(let inner) = entry { freeze(inner) }
        }
    }

    mutating func array() throws -> Value {
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
}
