#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension Parser {
    /// A literal, a variable, a list, a set, or anything in parentheses.
    mutating func primary() throws -> Node {
        let start = here
        let token = current
        switch token.kind {
        case .identifier:
            advance()
            let name = bytes(token)
            if name.count == 8, name.hasPrefix("__curPos") {
                return Node(make(PositionNode(header: header(.currentPosition, start))))
            }
            return Node(make(VariableNode(header: header(.variable, start), name: symbols.intern(name))))
        case .integer:
            advance()
            guard let value = Int64(text(token)) else { throw fail("invalid integer '\(text(token))'", at: start) }
            return constant(.integer(value))
        case .float:
            advance()
            errno = 0
            let value = strtod(text(token), nil)
            guard errno == 0 else { throw fail("invalid float '\(text(token))'", at: start) }
            return constant(.float(value))
        case .quote: return try string().node(self)
        case .indentedQuote: return try indentedString()
        case .path, .homePath: return try path()
        case .searchPath:
            advance()
            var arguments = ArenaList<Node>()
            arguments.append(
                Node(make(VariableNode(header: header(.variable, .none), name: symbols.intern("__nixPath")))), arena)
            let inner = UnsafeBufferPointer(rebasing: bytes(token).dropFirst().dropLast())
            arguments.append(constant(.string(Text(arena, inner))), arena)
            let find = make(VariableNode(header: header(.variable, .none), name: symbols.intern("__findFile")))
            return Node(make(CallNode(header: header(.call, start), function: Node(find), arguments: arguments)))
        case .uri:
            advance()
            try lint("url", context.lints.urlLiterals, at: start) { level in
                "URL literals are \(level == .fatal ? "disallowed" : "discouraged"). Consider using a string literal \"\(text(token))\" instead"
            }
            return constant(.string(Text(arena, bytes(token))))
        case .character("("):
            advance()
            let inner = try expression()
            guard current.kind == .character(")") else {
                throw current.kind == .end ? unexpected() : unexpected(expecting: ["')'"])
            }
            advance()
            return inner
        case .letKeyword:
            // `let { …; body = e; }` is `(rec { …; body = e; }).body`.
            advance()
            let attributes = try set(start, isRecursive: true)
            var path = ArenaList<AttributeName>()
            path.append(AttributeName(symbol: symbols.intern("body")), arena)
            return Node(make(SelectNode(header: header(.select, start), subject: attributes, path: path)))
        case .recKeyword:
            advance()
            guard current.kind == .character("{") else { throw unexpected(expecting: ["'{'"]) }
            return try set(start, isRecursive: true)
        case .character("{"): return try set(start, isRecursive: false)
        case .character("["):
            advance()
            var elements = ArenaList<Node>()
            while current.kind != .character("]") {
                guard current.kind != .end else { throw unexpected() }
                try checkStack()
                let element = try selection()
                warnOfOr(element)
                elements.append(element, arena)
            }
            advance()
            return Node(
                make(
                    ListNode(header: header(.list, elements.isEmpty ? .none : elements[0].position), elements: elements)
                ))
        default: throw unexpected()
        }
    }

    func constant(_ value: Value) -> Node {
        Node(make(ConstantNode(header: header(.constant, .none), value: value)))
    }

    func lint(
        _ name: String, _ level: LintSettings.Level, at position: Position, _ message: (LintSettings.Level) -> String
    ) throws {
        func complaint() -> EvaluationError { fail("\(message(level)) (lint-\(name)-literals)", at: position) }
        switch level {
        case .ignore: break
        case .warn: context.warn(complaint())
        case .fatal: throw complaint()
        }
    }

    private mutating func set(_ start: Position, isRecursive: Bool) throws -> Node {
        let attributes = make(AttributesNode(header: header(.attributes, start)))
        advance()
        try bindings(attributes, until: .character("}"))
        attributes.pointee.isRecursive = isRecursive
        advance()
        return Node(attributes)
    }

    // MARK: Paths

    private mutating func path() throws -> Node {
        let token = current
        let start = here
        var literal = text(token)
        let isHome = token.kind == .homePath
        if isHome {
            try lint("absolute-path", context.lints.absolutePathLiterals, at: start) { _ in
                "home path literals are not portable. Consider replacing path literal '\(literal)' by a string, relative path, or parameter"
            }
            literal = try context.home(literal) + literal.dropFirst()
        } else if literal.utf8.first == UInt8(ascii: "/") {
            try lint("absolute-path", context.lints.absolutePathLiterals, at: start) { _ in
                "absolute path literals are not portable. Consider replacing path literal '\(literal)' by a string, relative path, or parameter"
            }
            literal = CanonicalPath.make(literal, keepsTrailingSlash: true)
        } else {
            if literal.utf8.first != UInt8(ascii: ".") {
                try lint("short-path", context.lints.shortPathLiterals, at: start) { _ in
                    "relative path literal '\(literal)' should be prefixed with '.' for clarity: './\(literal)'"
                }
            }
            literal = CanonicalPath.make(context.basePath + "/" + literal, keepsTrailingSlash: true)
        }
        var parts = ArenaList<StringPart>()
        parts.append(StringPart(position: start, node: constant(.path(Text(arena, literal)))), arena)
        var endsWithSlash = lexer.byte(token.end - 1) == UInt8(ascii: "/")
        var at = token.end
        while true {
            if lexer.byte(at) == UInt8(ascii: "$"), lexer.byte(at + 1) == UInt8(ascii: "{") {
                let partStart = position(at)
                let (node, end) = try interpolation(at)
                parts.append(StringPart(position: partStart, node: node), arena)
                at = end
                endsWithSlash = false
            } else if let end = pathPart(at) {
                let piece = UnsafeBufferPointer(start: lexer.bytes + at, count: end - at)
                parts.append(StringPart(position: position(at), node: constant(.string(Text(arena, piece)))), arena)
                endsWithSlash = lexer.byte(end - 1) == UInt8(ascii: "/")
                at = end
            } else {
                break
            }
        }
        guard !endsWithSlash else { throw fail("path has a trailing slash", at: position(at)) }
        current = lexer.token(at: at)
        if parts.count == 1 { return parts[0].node }
        return Node(make(ConcatStringsNode(header: header(.concatStrings, start), isString: false, parts: parts)))
    }

    /// Path characters after an interpolation: `{PATH}|{PATH_SEG}|{PATH_CHAR}+`, whichever is longest.
    private func pathPart(_ at: Int) -> Int? {
        if let end = lexer.pathEnd(at) { return end }
        var end = at
        while Lexer.isPath(lexer.byte(end)), end < lexer.count { end += 1 }
        if lexer.byte(end) == UInt8(ascii: "/") { return end + 1 }
        return end > at ? end : nil
    }

    /// `${ e }` at `at`; also where it ends.
    mutating func interpolation(_ at: Int) throws -> (Node, Int) {
        current = lexer.token(at: at + 2)
        let node = try expression()
        guard current.kind == .character("}") else {
            throw current.kind == .end ? unexpected() : unexpected(expecting: ["'}'"])
        }
        return (node, current.end)
    }
}
