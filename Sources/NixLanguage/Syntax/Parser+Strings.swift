/// What was between quotes: bytes, or parts to be joined.
enum ParsedString {
    case constant(Text)
    case parts(ArenaList<StringPart>, Position)

    func node(_ parser: Parser) -> Node {
        switch self {
        case .constant(let text): parser.constant(.string(text))
        case .parts(let parts, let position):
            Node(
                parser.make(
                    ConcatStringsNode(
                        header: parser.header(.concatStrings, position), isString: true, parts: parts)))
        }
    }
}

extension Parser {
    /// `"…"`, from the opening quote; leaves the token after the closing one.
    mutating func string() throws -> ParsedString {
        var at = current.end
        let contentStart = at
        var parts = ArenaList<StringPart>()
        var constantText: Text?
        while true {
            let segmentStart = at
            segment: while at < lexer.count {
                switch lexer.bytes[at] {
                case UInt8(ascii: "\""): break segment
                case UInt8(ascii: "\\"):
                    guard at + 1 < lexer.count else { throw endInString(lexer.count) }
                    at += 2
                case UInt8(ascii: "$"):
                    let next = lexer.byte(at + 1)
                    if next == UInt8(ascii: "{") { break segment }
                    // `$$` takes both, so that `$${` is no interpolation.
                    at += next == UInt8(ascii: "\"") || next == UInt8(ascii: "\\") || at + 1 >= lexer.count ? 1 : 2
                default: at += 1
                }
            }
            guard at < lexer.count else { throw endInString(lexer.count) }
            if at > segmentStart {
                let text = Text(arena, try unescape(segmentStart, at))
                parts.append(StringPart(position: position(segmentStart), node: constant(.string(text))), arena)
                constantText = text
            }
            if lexer.bytes[at] == UInt8(ascii: "\"") { break }
            let start = position(at)
            let (node, end) = try interpolation(at)
            parts.append(StringPart(position: start, node: node), arena)
            constantText = nil
            at = end
        }
        current = lexer.token(at: at + 1)
        if parts.isEmpty { return .constant(Text(arena, "")) }
        if parts.count == 1, let constantText { return .constant(constantText) }
        return .parts(parts, position(contentStart))
    }

    private func endInString(_ at: Int) -> EvaluationError {
        fail("syntax error, unexpected end of file, expecting '\"'", at: position(at))
    }

    /// The bytes between two offsets with escapes resolved, and line ends made `\n`.
    private func unescape(_ start: Int, _ end: Int) throws -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(end - start)
        var at = start
        while at < end {
            let byte = lexer.bytes[at]
            at += 1
            switch byte {
            case 0: throw nullByte(start, end)
            case UInt8(ascii: "\\") where at < end:
                let escaped = lexer.bytes[at]
                at += 1
                switch escaped {
                case 0: throw nullByte(start, end)
                case UInt8(ascii: "n"): result.append(UInt8(ascii: "\n"))
                case UInt8(ascii: "r"): result.append(UInt8(ascii: "\r"))
                case UInt8(ascii: "t"): result.append(UInt8(ascii: "\t"))
                default: result.append(escaped)
                }
            case UInt8(ascii: "\r"):
                result.append(UInt8(ascii: "\n"))
                if at < end, lexer.bytes[at] == UInt8(ascii: "\n") { at += 1 }
            default: result.append(byte)
            }
        }
        return result
    }

    private func nullByte(_ start: Int, _ end: Int) -> EvaluationError {
        let text = String(
            decoding: UnsafeBufferPointer(start: lexer.bytes + start, count: end - start).flatMap {
                $0 == 0 ? Array("␀".utf8) : [$0]
            }, as: UTF8.self)
        return EvaluationError(
            .evaluation,
            "input string '\(text)' cannot be represented as Nix string because it contains null bytes",
            at: position(start))
    }

    // MARK: Indented strings

    private enum IndentedPart {
        /// Text as written, whose indentation counts.
        case raw(Int, Int)
        /// Text from an escape: it ends the blanks at the beginning of a line.
        case escaped([UInt8])
        case node(Node)
    }

    /// `''…''`, from the opening quotes; leaves the token after the closing ones.
    mutating func indentedString() throws -> Node {
        let start = here
        var parts: [(Position, IndentedPart)] = []
        var at = current.end
        var rawStart = at
        func flush() throws {
            guard at > rawStart else { return }
            if (rawStart..<at).contains(where: { lexer.bytes[$0] == 0 }) { throw nullByte(rawStart, at) }
            parts.append((position(rawStart), .raw(rawStart, at)))
        }
        scan: while true {
            guard at < lexer.count else {
                throw fail("syntax error, unexpected end of file", at: position(lexer.count))
            }
            let byte = lexer.bytes[at]
            let next = lexer.byte(at + 1)
            switch (byte, next) {
            case (UInt8(ascii: "$"), UInt8(ascii: "{")):
                try flush()
                let partStart = position(at)
                let (node, end) = try interpolation(at)
                parts.append((partStart, .node(node)))
                at = end
                rawStart = at
            case (UInt8(ascii: "$"), UInt8(ascii: "'")):
                try flush()
                parts.append((position(at), .escaped([byte])))
                at += 1
                rawStart = at
            case (UInt8(ascii: "'"), UInt8(ascii: "'")):
                try flush()
                let partStart = position(at)
                switch lexer.byte(at + 2) {
                case UInt8(ascii: "$"):
                    parts.append((partStart, .escaped([UInt8(ascii: "$")])))
                    at += 3
                case UInt8(ascii: "'"):
                    parts.append((partStart, .escaped(Array("''".utf8))))
                    at += 3
                case UInt8(ascii: "\\"):
                    guard at + 3 < lexer.count else {
                        throw fail("syntax error, unexpected end of file", at: position(lexer.count))
                    }
                    parts.append((partStart, .escaped(try unescape(at + 2, at + 4))))
                    at += 4
                default:
                    at += 2
                    break scan
                }
                rawStart = at
            case (UInt8(ascii: "'"), UInt8(ascii: "$")):
                try flush()
                parts.append((position(at), .escaped([byte])))
                at += 1
                rawStart = at
            case (UInt8(ascii: "$"), _), (UInt8(ascii: "'"), _): at = min(at + 2, lexer.count)
            default: at += 1
            }
        }
        current = lexer.token(at: at)
        return stripIndentation(parts, start)
    }

    /// Removes the indentation that all lines share. A last line of blanks alone does not take part, and goes.
    private func stripIndentation(_ parts: [(Position, IndentedPart)], _ start: Position) -> Node {
        let indentation = commonIndentation(parts)
        var result = ArenaList<StringPart>()
        var atStartOfLine = true
        var dropped = 0
        for (index, (position, part)) in parts.enumerated() {
            var text: [UInt8] = []
            switch part {
            case .node(let node):
                atStartOfLine = false
                dropped = 0
                result.append(StringPart(position: position, node: node), arena)
                continue
            case .escaped(let bytes):
                strip(bytes, indentation, &atStartOfLine, &dropped, into: &text)
            case .raw(let from, let to):
                strip(
                    UnsafeBufferPointer(start: lexer.bytes + from, count: to - from), indentation, &atStartOfLine,
                    &dropped, into: &text)
            }
            if index == parts.count - 1, let newline = text.lastIndex(of: 0x0A),
                text[(newline + 1)...].allSatisfy({ $0 == 0x20 })
            {
                text.removeSubrange((newline + 1)...)
            }
            if !text.isEmpty {
                result.append(StringPart(position: position, node: constant(.string(Text(arena, text)))), arena)
            }
        }
        if result.isEmpty { return constant(.string(Text(arena, ""))) }
        if result.count == 1, result[0].node.kind == .constant,
            result[0].node.of(ConstantNode.self).pointee.value.tag == .string
        {
            return result[0].node
        }
        return Node(make(ConcatStringsNode(header: header(.concatStrings, start), isString: true, parts: result)))
    }

    private func commonIndentation(_ parts: [(Position, IndentedPart)]) -> Int {
        var atStartOfLine = true
        var minimum = Int.max
        var current = 0
        for (_, part) in parts {
            guard case .raw(let from, let to) = part else {
                if atStartOfLine {
                    atStartOfLine = false
                    minimum = min(minimum, current)
                }
                continue
            }
            for at in from..<to {
                let byte = lexer.bytes[at]
                if byte == 0x0A {
                    atStartOfLine = true
                    current = 0
                } else if atStartOfLine {
                    if byte == 0x20 {
                        current += 1
                    } else {
                        atStartOfLine = false
                        minimum = min(minimum, current)
                    }
                }
            }
        }
        return minimum
    }

    private func strip(
        _ bytes: some Sequence<UInt8>, _ indentation: Int, _ atStartOfLine: inout Bool, _ dropped: inout Int,
        into text: inout [UInt8]
    ) {
        for byte in bytes {
            if atStartOfLine, byte == 0x20 {
                if dropped >= indentation { text.append(byte) }
                dropped += 1
                continue
            }
            if byte == 0x0A {
                dropped = 0
                atStartOfLine = true
            } else if atStartOfLine {
                atStartOfLine = false
                dropped = 0
            }
            text.append(byte)
        }
    }
}
