import ImageTransports

/// A reader of the YAML that people write lists in: mappings and sequences by indentation, `[a, b]`, `{}`, scalars plain or
/// in quotes, comments. What else YAML has (anchors, tags, blocks of text, several documents) is refused by name.
struct PlainYAML {
    indirect enum Value {
        case scalar(String)
        case sequence([Node])
        case mapping([(key: String, node: Node)])
        /// Nothing at all, or `~`.
        case null
    }

    struct Node {
        let line: Int
        let value: Value
    }

    private struct Line {
        let number: Int
        let indent: Int
        let text: String
    }

    private let path: String
    private var lines: [Line] = []
    private var at = 0
    /// How deep what is read lies; a list of images is four deep.
    private var depth = 0

    /// - Parameter path: for messages.
    /// - Throws: `TransportError.invalidInput`, which names the file and the line.
    static func read(_ bytes: [UInt8], path: String) throws -> Node {
        var reader = PlainYAML(path: path)
        try reader.split(bytes)
        guard let first = reader.lines.first else { return Node(line: 1, value: .null) }
        let node = try reader.block(first.indent)
        if reader.at < reader.lines.count { throw reader.fail(reader.lines[reader.at].number, "wrong indentation") }
        return node
    }

    private init(path: String) { self.path = path }

    func fail(_ line: Int, _ reason: String) -> TransportError {
        TransportError(.invalidInput, "\(path):\(line): \(reason)")
    }

    /// The lines that say something.
    private mutating func split(_ bytes: [UInt8]) throws {
        for (index, bytes) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            let number = index + 1
            guard let whole = String(validating: bytes, as: UTF8.self) else { throw fail(number, "it is not UTF-8") }
            let line = whole.hasSuffix("\r") ? whole.dropLast() : whole[...]
            let text = Self.trimmed(Self.withoutComment(line))
            if text.isEmpty || (text == "---" && lines.isEmpty) { continue }
            let blanks = line.prefix { $0 == " " || $0 == "\t" }
            guard !blanks.contains("\t") else { throw fail(number, "lines are indented with blanks, not with tabs") }
            guard text != "---", text != "..." else { throw fail(number, "there may be one document only") }
            guard !text.hasPrefix("%") else { throw fail(number, "directives are not supported") }
            lines.append(Line(number: number, indent: blanks.count, text: text))
        }
    }

    private static func withoutComment(_ line: Substring) -> Substring {
        var quote: Character?
        var previous: Character = " "
        for index in line.indices {
            let character = line[index]
            if let open = quote {
                if character == open, !(open == "\"" && previous == "\\") { quote = nil }
            } else if character == "#", previous == " " || previous == "\t" {
                return line[..<index]
            } else if "\"'".contains(character), " [,:{-".contains(previous) || previous == "\t" {
                quote = character
            }
            previous = previous == "\\" && character == "\\" ? " " : character
        }
        return line
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var rest = Substring(text)
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return String(rest)
    }

    // MARK: Blocks

    private mutating func block(_ indent: Int) throws -> Node {
        let line = lines[at]
        depth += 1
        defer { depth -= 1 }
        guard depth <= 32 else { throw fail(line.number, "values lie too deep in each other") }
        if line.text == "-" || line.text.hasPrefix("- ") { return try sequence(indent) }
        if Self.colon(line.text) != nil { return try mapping(indent) }
        at += 1
        return Node(line: line.number, value: try inline(line.text, line.number))
    }

    private mutating func sequence(_ indent: Int) throws -> Node {
        let start = lines[at].number
        var elements: [Node] = []
        while at < lines.count, lines[at].indent == indent, lines[at].text == "-" || lines[at].text.hasPrefix("- ") {
            let line = lines[at]
            let text = Self.trimmed(line.text.dropFirst())
            if text.isEmpty {
                at += 1
                elements.append(try below(indent, line.number))
            } else if Self.colon(text) != nil || text == "-" || text.hasPrefix("- ") {
                // What follows the dash begins a block of its own, at its own column.
                let inner = indent + line.text.count - text.count
                lines[at] = Line(number: line.number, indent: inner, text: text)
                elements.append(try block(inner))
            } else {
                at += 1
                elements.append(Node(line: line.number, value: try inline(text, line.number)))
            }
        }
        if at < lines.count, lines[at].indent > indent { throw fail(lines[at].number, "wrong indentation") }
        return Node(line: start, value: .sequence(elements))
    }

    private mutating func mapping(_ indent: Int) throws -> Node {
        let start = lines[at].number
        var members: [(key: String, node: Node)] = []
        while at < lines.count, lines[at].indent == indent {
            let line = lines[at]
            guard let colon = Self.colon(line.text) else { throw fail(line.number, "expected \"key: value\"") }
            let key = try scalar(Self.trimmed(line.text[..<colon]), line.number)
            guard !members.contains(where: { $0.key == key }) else {
                throw fail(line.number, "the key \"\(key)\" is there already")
            }
            let rest = Self.trimmed(line.text[line.text.index(after: colon)...])
            at += 1
            if rest.isEmpty {
                // The elements of a sequence may stand as far left as its key.
                let isList = at < lines.count && lines[at].indent == indent && lines[at].text.hasPrefix("-")
                members.append((key, isList ? try block(indent) : try below(indent, line.number)))
            } else {
                members.append((key, Node(line: line.number, value: try inline(rest, line.number))))
            }
        }
        if at < lines.count, lines[at].indent > indent { throw fail(lines[at].number, "wrong indentation") }
        return Node(line: start, value: .mapping(members))
    }

    /// What is indented more than `indent`, if anything is.
    private mutating func below(_ indent: Int, _ line: Int) throws -> Node {
        guard at < lines.count, lines[at].indent > indent else { return Node(line: line, value: .null) }
        return try block(lines[at].indent)
    }

    /// Where a key ends: a colon before a blank or the end, outside of quotes.
    private static func colon(_ text: String) -> String.Index? {
        var quote: Character?
        if let first = text.first {
            if first == "\"" || first == "'" { quote = first }
            if first == "[" || first == "{" { return nil }
        }
        for index in text.indices.dropFirst(quote == nil ? 0 : 1) {
            if let open = quote {
                if text[index] == open { quote = nil }
            } else if text[index] == ":" {
                let next = text.index(after: index)
                if next == text.endIndex || text[next] == " " || text[next] == "\t" { return index }
            }
        }
        return nil
    }

    // MARK: Values in a line

    private func inline(_ text: String, _ line: Int) throws -> Value {
        if text == "~" || text == "null" { return .null }
        if text == "{}" { return .mapping([]) }
        guard text.hasPrefix("[") else { return .scalar(try scalar(text, line)) }
        guard text.hasSuffix("]") else { throw fail(line, "a list in brackets has to end in its line") }
        var elements: [Node] = []
        var element = ""
        var quote: Character?
        func take() throws {
            let text = Self.trimmed(element)
            guard !text.isEmpty else { throw fail(line, "an element of the list is empty") }
            guard !text.hasPrefix("["), !text.hasPrefix("{") else {
                throw fail(line, "lists in lists are not supported")
            }
            elements.append(Node(line: line, value: .scalar(try scalar(text, line))))
            element = ""
        }
        let inner = Self.trimmed(text.dropFirst().dropLast())
        guard !inner.isEmpty else { return .sequence([]) }
        for character in inner {
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "," {
                try take()
                continue
            } else if "\"'".contains(character), Self.trimmed(element).isEmpty {
                quote = character
            }
            element.append(character)
        }
        if !Self.trimmed(element).isEmpty { try take() }
        return .sequence(elements)
    }

    private func scalar(_ text: String, _ line: Int) throws -> String {
        guard let first = text.first else { throw fail(line, "a value is missing") }
        switch first {
        case "'":
            let inner = text.dropFirst().dropLast()
            guard text.count > 1, text.last == "'", !inner.replacing("''", with: "").contains("'") else {
                throw fail(line, "a string in single quotes does not end where the value does")
            }
            return String(inner.replacing("''", with: "'"))
        case "\"":
            var result = ""
            var rest = text.dropFirst()
            while let character = rest.popFirst() {
                switch character {
                case "\"":
                    guard rest.isEmpty else { throw fail(line, "something follows a string in quotes") }
                    return result
                case "\\":
                    guard let escaped = rest.popFirst(), let plain = Self.escapes[escaped] else {
                        throw fail(line, "of the escapes, \\\\, \\\", \\/, \\n and \\t are supported")
                    }
                    result.append(plain)
                default: result.append(character)
                }
            }
            throw fail(line, "a string in double quotes does not end")
        case "&", "*": throw fail(line, "anchors and aliases are not supported: write the value out")
        case "!": throw fail(line, "tags are not supported")
        case "|", ">": throw fail(line, "blocks of text are not supported: write the value in quotes")
        case "{": throw fail(line, "mappings in braces are not supported: write a line for each key")
        case "?", "@", "`", "%", "[", "]", "}", ",":
            throw fail(line, "a value cannot begin with \(first): write it in quotes")
        default: return text
        }
    }

    private static let escapes: [Character: Character] = ["\\": "\\", "\"": "\"", "/": "/", "n": "\n", "t": "\t"]
}
