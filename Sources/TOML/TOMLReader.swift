/// Reads a TOML 1.0 text.
public struct TOMLReader {
    let bytes: UnsafeBufferPointer<UInt8>
    let check: (Int) throws -> Void
    var at = 0
    private var depth = 0

    /// A table in the making.
    final class Table {
        enum Entry {
            case value(TOMLValue)
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
        var entries: [(name: [UInt8], line: Int, entry: Entry)] = []
        var index: [[UInt8]: Int] = [:]
        var origin: Origin
        let line: Int

        init(_ origin: Origin, line: Int) { (self.origin, self.line) = (origin, line) }

        subscript(name: [UInt8]) -> Entry? { index[name].map { entries[$0].entry } }

        func set(_ name: [UInt8], _ entry: Entry, line: Int) {
            if let known = index[name] {
                entries[known].entry = entry
            } else {
                index[name] = entries.count
                entries.append((name, line, entry))
            }
        }

        var value: TOMLTable {
            TOMLTable(
                line: line,
                entries: entries.map { name, line, entry in
                    let value: TOMLValue =
                        switch entry {
                        case .value(let value): value
                        case .table(let table): .table(table.value)
                        case .tables(let tables): .array(tables.map { .table($0.value) })
                        }
                    return TOMLTable.Entry(name: name, line: line, value: value)
                })
        }
    }

    /// - Parameter check: asked before each value with how deep it lies; what it throws ends the reading. It has to keep
    ///   the stack from overflowing.
    public init(_ bytes: UnsafeBufferPointer<UInt8>, check: @escaping (Int) throws -> Void) {
        self.bytes = bytes
        self.check = check
    }

    /// Reads a text of which values lie up to `depth` deep.
    /// - Throws: `TOMLError`.
    public static func read(_ bytes: [UInt8], depth limit: Int = 64) throws -> TOMLTable {
        try bytes.withUnsafeBufferPointer { bytes in
            var reader = TOMLReader(bytes) { depth in
                guard depth <= limit else {
                    throw TOMLError("values lie deeper than \(limit) in each other", line: nil)
                }
            }
            return try reader.document()
        }
    }

    /// - Throws: `TOMLError`, or what `check` does.
    public mutating func document() throws -> TOMLTable {
        let root = Table(.header, line: 1)
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
        return root.value
    }

    // MARK: Bytes

    private var line: Int { bytes.prefix(at).reduce(1) { $1 == 0x0A ? $0 + 1 : $0 } }

    var peek: UInt8? { at < bytes.count ? bytes[at] : nil }
    func peek(_ offset: Int) -> UInt8? { at + offset < bytes.count ? bytes[at + offset] : nil }

    func fail(_ reason: String) -> TOMLError { TOMLError(reason, line: line) }

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
            let new = Table(.header, line: line)
            switch table[last] {
            case nil: table.set(last, .tables([new]), line: new.line)
            case .tables(let tables): table.set(last, .tables(tables + [new]), line: new.line)
            default: throw duplicate(last)
            }
            return new
        }
        switch table[last] {
        case nil:
            let new = Table(.header, line: line)
            table.set(last, .table(new), line: new.line)
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
            let new = Table(origin, line: line)
            table.set(name, .table(new), line: new.line)
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

    func duplicate(_ name: [UInt8]) -> TOMLError {
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
        let line = line
        target.set(last, try entry(), line: line)
    }

    static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// What a key may have without quotes.
    static func isBare(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || "-_".utf8.contains(byte)
    }

    /// What is read as one word before it is looked at, so that an error shows all of it.
    static func isWord(_ byte: UInt8) -> Bool { isBare(byte) || "%/?:@&=+$.!~*'".utf8.contains(byte) }

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
        case let quote? where Self.isQuote(quote): return try string(quote)
        default:
            let start = at
            while let byte = peek, Self.isBare(byte) { at += 1 }
            guard at > start else { throw fail("expected a key") }
            return Array(bytes[start..<at])
        }
    }

    // MARK: Values

    mutating func entry() throws -> Table.Entry {
        depth += 1
        defer { depth -= 1 }
        try check(depth)
        switch peek {
        case UInt8(ascii: "{"): return .table(try inlineTable())
        case UInt8(ascii: "["): return .value(try array())
        case let quote? where Self.isQuote(quote):
            let isLong = peek(1) == quote && peek(2) == quote
            return .value(.string(try isLong ? longString(quote) : string(quote)))
        case nil: throw fail("expected a value")
        default: return .value(try scalar())
        }
    }

    mutating func inlineTable() throws -> Table {
        at += 1
        let table = Table(.inline, line: line)
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
        for (_, _, entry) in table.entries {
            if case .table(let inner) = entry { freeze(inner) }
        }
    }

    mutating func array() throws -> TOMLValue {
        at += 1
        var elements: [TOMLValue] = []
        while true {
            skipLines()
            if peek == UInt8(ascii: "]") {
                at += 1
                return .array(elements)
            }
            switch try entry() {
            case .value(let value): elements.append(value)
            case .table(let table): elements.append(.table(table.value))
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
