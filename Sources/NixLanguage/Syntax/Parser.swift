/// A recursive-descent parser for the whole language. It builds nodes in the arena; `Resolver` then finds each variable's
/// place.
struct Parser {
    let context: ParserContext
    let lexer: Lexer
    let base: UInt32
    var current: Token
    /// Where each symbol of a large set is defined, by the set's address.
    var definitionIndexes: [UnsafeMutableRawPointer: [Symbol: Int]] = [:]
    /// Calls of the form `f or`, and where each ends, until it is known that they mean no harm.
    var calledWithOr: [UnsafeMutableRawPointer: Int] = [:]

    var arena: Arena { context.arena }
    var symbols: SymbolTable { context.symbols }

    /// Parses a whole text. `text` must stay where it is until this returns.
    static func parse(
        _ text: UnsafeBufferPointer<UInt8>, origin: SourceOrigin, context: ParserContext
    ) throws -> Node {
        let base = context.positions.add(origin, text)
        let empty = UnsafeMutablePointer<UInt8>(mutating: context.arena.allocate(UInt8.self, count: 8))
        let memory = context.arena.allocate(Lexer.Memory.self, count: 1)
        memory.initialize(to: Lexer.Memory())
        let lexer = Lexer(bytes: text.baseAddress ?? UnsafePointer(empty), count: text.count, memory: memory)
        var parser = Parser(context: context, lexer: lexer, base: base, current: lexer.token(at: 0))
        let node = try parser.expression()
        guard parser.current.kind == .end else { throw parser.unexpected(expecting: ["end of file"]) }
        return node
    }

    // MARK: Tokens

    mutating func advance() { current = lexer.token(at: current.end) }

    func position(_ offset: Int) -> Position { Position(raw: base &+ UInt32(truncatingIfNeeded: offset)) }
    var here: Position { position(current.start) }

    func header(_ kind: NodeKind, _ position: Position) -> NodeHeader { NodeHeader(kind: kind, position: position) }

    func make<T>(_ node: T) -> UnsafeMutablePointer<T> {
        let pointer = arena.allocate((MemoryLayout<T>.size + 7) & ~7).assumingMemoryBound(to: T.self)
        pointer.initialize(to: node)
        return pointer
    }

    func bytes(_ token: Token) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: lexer.bytes + token.start, count: token.end - token.start)
    }

    func text(_ token: Token) -> String { String(decoding: bytes(token), as: UTF8.self) }

    // MARK: Errors

    func fail(_ message: String, at position: Position) -> EvaluationError {
        EvaluationError(.parse, message, at: position)
    }

    /// "syntax error, unexpected X, expecting Y or Z".
    func unexpected(expecting: [String] = []) -> EvaluationError {
        if current.kind == .pipeFrom || current.kind == .pipeInto {
            return fail(
                "experimental Nix feature 'pipe-operators' is disabled; add '--extra-experimental-features pipe-operators' to enable it",
                at: here)
        }
        var message = "syntax error, unexpected \(current.kind.description)"
        if !expecting.isEmpty { message += ", expecting " + expecting.joined(separator: " or ") }
        return fail(message, at: here)
    }

    mutating func expect(_ kind: Token.Kind, or others: [String] = []) throws {
        guard current.kind == kind else { throw unexpected(expecting: [kind.description] + others) }
        advance()
    }

    /// Refuses to nest deeper than the stack is.
    func checkStack() throws {
        if context.stack.isReached { throw fail("expression nests too deeply", at: here) }
    }

    // MARK: Functions, let, with, assert, if

    mutating func expression() throws -> Node {
        try checkStack()
        let start = here
        switch current.kind {
        case .identifier:
            let next = lexer.token(at: current.end)
            if next.kind == .character(":") { return try simpleLambda(start) }
            if next.kind == .character("@") { return try namedPatternLambda(start) }
        case .character("{"):
            if beginsPattern() { return try patternLambda(start) }
        case .assertKeyword:
            advance()
            let condition = try expression()
            try expect(.character(";"))
            let body = try expression()
            return Node(make(AssertionNode(header: header(.assertion, start), condition: condition, body: body)))
        case .withKeyword:
            advance()
            let scope = try expression()
            try expect(.character(";"))
            let body = try expression()
            return Node(make(WithNode(header: header(.with, start), scope: scope, body: body)))
        case .letKeyword where lexer.token(at: current.end).kind != .character("{"):
            advance()
            let attributes = make(AttributesNode(header: header(.attributes, .none)))
            try bindings(attributes, until: .inKeyword)
            guard attributes.pointee.dynamic.isEmpty else {
                throw fail("dynamic attributes not allowed in let", at: start)
            }
            advance()
            let body = try expression()
            return Node(make(LetNode(header: header(.letIn, .none), attributes: attributes, body: body)))
        case .ifKeyword:
            advance()
            let condition = try expression()
            try expect(.thenKeyword)
            let then = try expression()
            try expect(.elseKeyword)
            let otherwise = try expression()
            return Node(
                make(
                    ConditionalNode(
                        header: header(.conditional, start), condition: condition, then: then, otherwise: otherwise)))
        default: break
        }
        return try operation(0)
    }

    private mutating func simpleLambda(_ start: Position) throws -> Node {
        let argument = symbols.intern(bytes(current))
        advance()
        advance()
        let body = try expression()
        return Node(make(LambdaNode(header: header(.lambda, start), argument: argument, body: body)))
    }

    /// Whether the `{` here opens a function's pattern and not a set.
    private func beginsPattern() -> Bool {
        let first = lexer.token(at: current.end)
        switch first.kind {
        case .ellipsis: return true
        case .character("}"):
            let after = lexer.token(at: first.end).kind
            return after == .character(":") || after == .character("@")
        case .identifier:
            let second = lexer.token(at: first.end)
            switch second.kind {
            case .character(","), .character("?"): return true
            case .character("}"): return true
            // A colon is wrong in either; as a pattern it is said where it stands.
            default: return false
            }
        default: return false
        }
    }

    private mutating func namedPatternLambda(_ start: Position) throws -> Node {
        let argument = symbols.intern(bytes(current))
        advance()
        advance()
        guard current.kind == .character("{") else { throw unexpected(expecting: ["'{'"]) }
        return try lambda(start, argument: argument)
    }

    private mutating func patternLambda(_ start: Position) throws -> Node { try lambda(start, argument: .none) }

    private mutating func lambda(_ start: Position, argument: Symbol) throws -> Node {
        let pattern = try formals()
        var argument = argument
        if argument.isNone, current.kind == .character("@") {
            advance()
            guard current.kind == .identifier else { throw unexpected(expecting: ["identifier"]) }
            argument = symbols.intern(bytes(current))
            advance()
        }
        guard current.kind == .character(":") else {
            throw unexpected(expecting: argument.isNone ? ["':'", "'@'"] : ["':'"])
        }
        advance()
        let checked = try sorted(pattern.formals, argument: argument, at: start)
        let body = try expression()
        return Node(
            make(
                LambdaNode(
                    header: header(.lambda, start), argument: argument, hasFormals: true,
                    hasEllipsis: pattern.hasEllipsis, formals: checked, body: body)))
    }

    private mutating func formals() throws -> (formals: [Formal], hasEllipsis: Bool) {
        advance()
        var formals: [Formal] = []
        while true {
            switch current.kind {
            case .character("}"):
                advance()
                return (formals, false)
            case .ellipsis:
                advance()
                try expect(.character("}"))
                return (formals, true)
            case .identifier:
                var formal = Formal(name: symbols.intern(bytes(current)), position: here)
                advance()
                if current.kind == .character("?") {
                    advance()
                    formal.fallback = try expression()
                }
                formals.append(formal)
                if current.kind == .character(",") {
                    advance()
                } else if current.kind != .character("}") {
                    throw unexpected(expecting: ["'}'", "','"])
                }
            default: throw unexpected(expecting: ["identifier", "'...'", "'}'"])
            }
        }
    }

    private func sorted(_ formals: [Formal], argument: Symbol, at start: Position) throws -> ArenaList<Formal> {
        let ordered = formals.sorted { ($0.name.id, $0.position.raw) < ($1.name.id, $1.position.raw) }
        for (formal, next) in zip(ordered, ordered.dropFirst()) where formal.name == next.name {
            throw fail("duplicate formal function argument '\(symbols.string(formal.name))'", at: next.position)
        }
        if !argument.isNone, ordered.contains(where: { $0.name == argument }) {
            throw fail("duplicate formal function argument '\(symbols.string(argument))'", at: start)
        }
        var list = ArenaList<Formal>()
        for formal in ordered { list.append(formal, arena) }
        return list
    }
}
