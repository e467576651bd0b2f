extension Parser {
    /// Definitions up to `end`, which stays the current token.
    mutating func bindings(_ attributes: UnsafeMutablePointer<AttributesNode>, until end: Token.Kind) throws {
        while current.kind != end {
            try checkStack()
            switch current.kind {
            case .inheritKeyword: try inherit(attributes)
            case .identifier, .orKeyword, .quote, .dollarCurly: try definition(attributes)
            case .end: throw unexpected()
            default: throw unexpected(expecting: ["'inherit'"])
            }
        }
        definitionIndexes[UnsafeMutableRawPointer(attributes)] = nil
    }

    private mutating func definition(_ attributes: UnsafeMutablePointer<AttributesNode>) throws {
        let start = here
        let path = try attributePath()
        guard current.kind == .character("=") else { throw unexpected(expecting: ["'.'", "'='"]) }
        advance()
        let node = try expression()
        guard current.kind == .character(";") else {
            throw current.kind == .end ? unexpected() : unexpected(expecting: ["';'"])
        }
        advance()
        try add(path, node, start, to: attributes)
    }

    private mutating func inherit(_ attributes: UnsafeMutablePointer<AttributesNode>) throws {
        advance()
        var source: UnsafeMutablePointer<InheritFromNode>?
        if current.kind == .character("(") {
            advance()
            let sourceStart = here
            let node = try expression()
            try expect(.character(")"))
            source = make(
                InheritFromNode(
                    header: header(.inheritFrom, sourceStart), slot: attributes.pointee.inheritFrom.count))
            attributes.pointee.inheritFrom.append(node, arena)
        }
        while current.kind != .character(";") {
            let start = here
            let name: Symbol
            switch current.kind {
            case .identifier, .orKeyword:
                name = symbols.intern(bytes(current))
                advance()
            case .quote, .dollarCurly:
                let part = try attributeName()
                guard part.expression == nil else {
                    throw fail("dynamic attributes not allowed in inherit", at: start)
                }
                name = part.symbol
            default: throw unexpected()
            }
            if let existing = index(of: name, in: attributes) {
                throw duplicate(symbols.string(name), start, attributes.pointee.definitions[existing].position)
            }
            let node: Node
            if let source {
                var path = ArenaList<AttributeName>()
                path.append(AttributeName(symbol: name), arena)
                node = Node(make(SelectNode(header: header(.select, start), subject: Node(source), path: path)))
            } else {
                node = Node(make(VariableNode(header: header(.variable, start), name: name)))
            }
            append(
                AttributeDefinition(
                    name: name, position: start, node: node, kind: source == nil ? .inherited : .inheritedFrom),
                to: attributes)
        }
        advance()
    }

    // MARK: Attribute paths

    /// `a.b."c".${d}`.
    mutating func attributePath() throws -> ArenaList<AttributeName> {
        var path = ArenaList<AttributeName>()
        path.append(try attributeName(), arena)
        while current.kind == .character(".") {
            advance()
            path.append(try attributeName(), arena)
        }
        return path
    }

    private mutating func attributeName() throws -> AttributeName {
        switch current.kind {
        case .identifier, .orKeyword:
            let symbol = symbols.intern(bytes(current))
            advance()
            return AttributeName(symbol: symbol)
        case .quote:
            switch try string() {
            case .constant(let text): return AttributeName(symbol: symbols.intern(text))
            case let parts: return AttributeName(symbol: .none, expression: parts.node(self))
            }
        case .dollarCurly:
            let (node, end) = try interpolation(current.start)
            current = lexer.token(at: end)
            if node.kind == .constant {
                let value = node.of(ConstantNode.self).pointee.value
                if value.tag == .string { return AttributeName(symbol: symbols.intern(value.text)) }
            }
            return AttributeName(symbol: .none, expression: node)
        default:
            throw unexpected(expecting: ["identifier", "'or'", "'${'", "'\"'"])
        }
    }

    // MARK: Merging

    private mutating func index(of name: Symbol, in attributes: UnsafeMutablePointer<AttributesNode>) -> Int? {
        let definitions = attributes.pointee.definitions
        guard definitions.count > 16 else { return definitions.elements.firstIndex { $0.name == name } }
        let key = UnsafeMutableRawPointer(attributes)
        if definitionIndexes[key] == nil {
            var index: [Symbol: Int] = [:]
            for (position, definition) in definitions.elements.enumerated() { index[definition.name] = position }
            definitionIndexes[key] = index
        }
        return definitionIndexes[key]![name]
    }

    private mutating func append(_ definition: AttributeDefinition, to attributes: UnsafeMutablePointer<AttributesNode>)
    {
        attributes.pointee.definitions.append(definition, arena)
        definitionIndexes[UnsafeMutableRawPointer(attributes)]?[definition.name] =
            attributes.pointee.definitions.count - 1
    }

    private func duplicate(_ name: String, _ position: Position, _ previous: Position) -> EvaluationError {
        let place = context.positions.location(previous)?.description ?? "«none»"
        return fail("attribute '\(name)' already defined at \(place)", at: position)
    }

    /// `a.b.c = e;`: sets are made on the way, or entered when they are there already.
    private mutating func add(
        _ path: ArenaList<AttributeName>, _ node: Node, _ position: Position,
        to attributes: UnsafeMutablePointer<AttributesNode>
    ) throws {
        var attributes = attributes
        for step in 0..<path.count - 1 {
            let name = path[step]
            let nested: UnsafeMutablePointer<AttributesNode>
            if let expression = name.expression {
                nested = make(AttributesNode(header: header(.attributes, .none)))
                attributes.pointee.dynamic.append(
                    DynamicDefinition(name: expression, node: Node(nested), position: position), arena)
            } else if let existing = index(of: name.symbol, in: attributes) {
                let definition = attributes.pointee.definitions[existing]
                guard definition.node.kind == .attributes, definition.kind == .plain else {
                    throw duplicate(describe(path, step + 1), position, definition.position)
                }
                nested = definition.node.of(AttributesNode.self)
            } else {
                nested = make(AttributesNode(header: header(.attributes, .none)))
                append(
                    AttributeDefinition(name: name.symbol, position: position, node: Node(nested), kind: .plain),
                    to: attributes)
            }
            attributes = nested
        }
        let last = path[path.count - 1]
        if let expression = last.expression {
            attributes.pointee.dynamic.append(
                DynamicDefinition(name: expression, node: node, position: position), arena)
        } else {
            try add(
                AttributeDefinition(name: last.symbol, position: position, node: node, kind: .plain),
                described: describe(path, path.count), to: attributes)
        }
    }

    /// Adds a definition, or merges a set into one that has the name already. A `rec` on the later set is dropped, as Nix
    /// does.
    private mutating func add(
        _ definition: AttributeDefinition, described name: String, to attributes: UnsafeMutablePointer<AttributesNode>
    ) throws {
        guard let existing = index(of: definition.name, in: attributes) else {
            append(definition, to: attributes)
            if definition.node.kind == .lambda { call(definition.node, definition.name) }
            return
        }
        let previous = attributes.pointee.definitions[existing]
        guard previous.node.kind == .attributes, definition.node.kind == .attributes else {
            throw duplicate(name, definition.position, previous.position)
        }
        let target = previous.node.of(AttributesNode.self)
        let added = definition.node.of(AttributesNode.self)
        let offset = target.pointee.inheritFrom.count
        for inner in added.pointee.definitions.elements {
            if inner.kind == .inheritedFrom {
                let source = inner.node.of(SelectNode.self).pointee.subject.of(InheritFromNode.self)
                // One node serves all names of an `inherit`, so that it moves once: names know it by its slot.
                if source.pointee.header.flags == 0 {
                    source.pointee.slot += offset
                    source.pointee.header.flags = 1
                }
            }
            try add(inner, described: name + "." + symbols.string(inner.name), to: target)
        }
        for inner in added.pointee.definitions.elements where inner.kind == .inheritedFrom {
            inner.node.of(SelectNode.self).pointee.subject.of(InheritFromNode.self).pointee.header.flags = 0
        }
        for inner in added.pointee.dynamic.elements { target.pointee.dynamic.append(inner, arena) }
        for inner in added.pointee.inheritFrom.elements { target.pointee.inheritFrom.append(inner, arena) }
    }

    /// Functions are called after what they are defined as; through an outer function, both are.
    private func call(_ node: Node, _ symbol: Symbol) {
        var node = node
        while node.kind == .lambda {
            let lambda = node.of(LambdaNode.self)
            lambda.pointee.name = symbol
            node = lambda.pointee.body
        }
    }

    private func describe(_ path: ArenaList<AttributeName>, _ count: Int) -> String {
        let printer = SyntaxPrinter(symbols: symbols, stack: context.stack)
        return path.elements.prefix(count).map { printer.name($0) }.joined(separator: ".")
    }
}
