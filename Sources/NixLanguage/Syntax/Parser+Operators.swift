/// How tightly operators bind; a higher number is tighter.
private enum Precedence {
    static let implies = 1
    static let or = 2
    static let and = 3
    static let equality = 4
    static let comparison = 5
    static let update = 6
    static let not = 7
    static let sum = 8
    static let product = 9
    static let concat = 10
    static let has = 11
    static let negate = 12
}

extension Parser {
    /// An operation whose operators bind at least as tightly as `minimum`.
    mutating func operation(_ minimum: Int) throws -> Node {
        try checkStack()
        let start = here
        var left: Node
        switch current.kind {
        case .character("!"):
            advance()
            let operand = try operation(Precedence.not + 1)
            left = Node(make(UnaryNode(header: header(.not, .none), operand: operand)))
        case .character("-"):
            advance()
            let operand = try operation(Precedence.negate + 1)
            let zero = make(ConstantNode(header: header(.constant, .none), value: .integer(0)))
            left = arithmetic(.subtract, "__sub", start, Node(zero), operand)
        default: left = try application()
        }
        // Operators that do not associate may not follow each other.
        var forbidden = 0
        while let (precedence, isRightAssociative) = binary(current.kind), precedence >= minimum {
            if precedence == forbidden { throw unexpected() }
            let operatorPosition = here
            let kind = current.kind
            advance()
            if kind == .character("?") {
                let path = try attributePath()
                left = Node(
                    make(HasAttributeNode(header: header(.hasAttribute, left.position), subject: left, path: path)))
            } else {
                let rightStart = here
                let right = try operation(isRightAssociative ? precedence : precedence + 1)
                left = operation(kind, operatorPosition, (left, start), (right, rightStart))
            }
            forbidden =
                [Precedence.equality, Precedence.comparison, Precedence.has].contains(precedence) ? precedence : 0
        }
        return left
    }

    private func binary(_ kind: Token.Kind) -> (precedence: Int, isRightAssociative: Bool)? {
        switch kind {
        case .implies: (Precedence.implies, true)
        case .or: (Precedence.or, false)
        case .and: (Precedence.and, false)
        case .equal, .notEqual: (Precedence.equality, false)
        case .character("<"), .character(">"), .lessOrEqual, .greaterOrEqual: (Precedence.comparison, false)
        case .update: (Precedence.update, true)
        case .character("+"), .character("-"): (Precedence.sum, false)
        case .character("*"), .character("/"): (Precedence.product, false)
        case .concat: (Precedence.concat, true)
        case .character("?"): (Precedence.has, false)
        default: nil
        }
    }

    private func operation(
        _ kind: Token.Kind, _ position: Position, _ left: (node: Node, start: Position),
        _ right: (node: Node, start: Position)
    ) -> Node {
        func binary(_ kind: NodeKind) -> Node {
            Node(make(BinaryNode(header: header(kind, position), left: left.node, right: right.node)))
        }
        func negated(_ node: Node) -> Node { Node(make(UnaryNode(header: header(.not, position), operand: node))) }
        switch kind {
        case .implies: return binary(.implies)
        case .or: return binary(.or)
        case .and: return binary(.and)
        case .equal: return binary(.equal)
        case .notEqual: return binary(.notEqual)
        case .update: return binary(.update)
        case .concat: return binary(.concatLists)
        case .character("<"): return arithmetic(.lessThan, "__lessThan", position, left.node, right.node)
        case .character(">"): return arithmetic(.lessThan, "__lessThan", position, right.node, left.node)
        case .lessOrEqual: return negated(arithmetic(.lessThan, "__lessThan", position, right.node, left.node))
        case .greaterOrEqual: return negated(arithmetic(.lessThan, "__lessThan", position, left.node, right.node))
        case .character("-"): return arithmetic(.subtract, "__sub", position, left.node, right.node)
        case .character("*"): return arithmetic(.multiply, "__mul", position, left.node, right.node)
        case .character("/"): return arithmetic(.divide, "__div", position, left.node, right.node)
        default:
            var parts = ArenaList<StringPart>()
            parts.append(StringPart(position: left.start, node: left.node), arena)
            parts.append(StringPart(position: right.start, node: right.node), arena)
            return Node(
                make(ConcatStringsNode(header: header(.concatStrings, position), isString: false, parts: parts)))
        }
    }

    private func arithmetic(
        _ kind: NodeKind, _ name: StaticString, _ position: Position, _ left: Node, _ right: Node
    ) -> Node {
        let function = make(VariableNode(header: header(.variable, .none), name: symbols.intern(name)))
        return Node(make(ArithmeticNode(header: header(kind, position), left: left, right: right, function: function)))
    }

    // MARK: Application and selection

    private var beginsOperand: Bool {
        switch current.kind {
        case .identifier, .integer, .float, .path, .homePath, .searchPath, .uri, .quote, .indentedQuote, .letKeyword,
            .recKeyword, .character("("), .character("{"), .character("["):
            true
        default: false
        }
    }

    private mutating func application() throws -> Node {
        let start = here
        var function = try selection()
        if !calledWithOr.isEmpty { calledWithOr[function.pointer] = nil }
        while beginsOperand {
            let argument = try selection()
            warnOfOr(argument)
            function = call(function, argument, start)
        }
        return function
    }

    /// Arguments one after another are one call, whatever parentheses say.
    private func call(_ function: Node, _ argument: Node, _ position: Position) -> Node {
        switch function.kind {
        case .call:
            function.of(CallNode.self).pointee.arguments.append(argument, arena)
            return function
        case .subtract, .multiply, .divide, .lessThan:
            let operation = function.of(ArithmeticNode.self).pointee
            var arguments = ArenaList<Node>()
            for node in [operation.left, operation.right, argument] { arguments.append(node, arena) }
            return Node(
                make(
                    CallNode(
                        header: header(.call, function.position), function: Node(operation.function),
                        arguments: arguments)))
        default:
            var arguments = ArenaList<Node>()
            arguments.append(argument, arena)
            return Node(make(CallNode(header: header(.call, position), function: function, arguments: arguments)))
        }
    }

    /// Warns where `or` is taken for a name and may once be taken for the keyword: `f x or` in an argument or a list.
    mutating func warnOfOr(_ node: Node) {
        guard !calledWithOr.isEmpty, let end = calledWithOr.removeValue(forKey: node.pointer) else { return }
        let start = Int(node.position.raw - base)
        let text = String(
            decoding: UnsafeBufferPointer(start: lexer.bytes + start, count: end - start), as: UTF8.self)
        let place = context.positions.location(node.position)?.description ?? "«none»"
        context.warn(
            EvaluationError(
                .evaluation,
                "at \(place): This expression uses `or` as an identifier in a way that will change in a future Nix release.\nWrap this entire expression in parentheses to preserve its current meaning:\n    (\(text))\nGive feedback at https://github.com/NixOS/nix/pull/11121"
            ))
    }

    mutating func selection() throws -> Node {
        let start = here
        let subject = try primary()
        switch current.kind {
        case .character("."):
            advance()
            let path = try attributePath()
            var alternative: Node?
            if current.kind == .orKeyword {
                advance()
                alternative = try selection()
                if let alternative { warnOfOr(alternative) }
            }
            return Node(
                make(
                    SelectNode(header: header(.select, start), subject: subject, path: path, alternative: alternative)))
        case .orKeyword:
            // `or` was once an ordinary name, and nixpkgs has a function of that name: `f or` is a call.
            let name = make(VariableNode(header: header(.variable, start), name: symbols.intern("or")))
            let end = current.end
            advance()
            let result = call(subject, Node(name), start)
            calledWithOr[result.pointer] = end
            return result
        default: return subject
        }
    }
}
