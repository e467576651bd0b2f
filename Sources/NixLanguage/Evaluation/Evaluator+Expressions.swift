extension Evaluator {
    /// The value of an expression, evaluated as far as its outermost shape.
    func evaluate(_ node: Node, _ environment: Environment) throws -> Value {
        switch node.kind {
        case .constant: return node.of(ConstantNode.self).pointee.value
        case .variable:
            return try force(lookUp(node.of(VariableNode.self), environment), node.position)
        case .withVariable: return try force(lookUpInWith(node.of(VariableNode.self), environment), node.position)
        case .inheritFrom: return try force(environment[node.of(InheritFromNode.self).pointee.slot], node.position)
        case .select: return try select(node.of(SelectNode.self), environment)
        case .hasAttribute: return try hasAttribute(node.of(HasAttributeNode.self), environment)
        case .attributes: return try attributes(node.of(AttributesNode.self), environment)
        case .list: return list(node.of(ListNode.self), environment)
        case .lambda: return .lambda(node.of(LambdaNode.self), environment)
        case .call: return try call(node.of(CallNode.self), environment)
        case .letIn: return try letIn(node.of(LetNode.self), environment)
        case .with: return try with(node.of(WithNode.self), environment)
        case .conditional:
            let conditional = node.of(ConditionalNode.self)
            let condition = try boolean(
                conditional.pointee.condition, environment, "while evaluating a branch condition")
            return try evaluate(condition ? conditional.pointee.then : conditional.pointee.otherwise, environment)
        case .assertion: return try assertion(node.of(AssertionNode.self), environment)
        case .not:
            return .boolean(
                !(try boolean(node.of(UnaryNode.self).pointee.operand, environment, "in the argument of '!'")))
        case .equal:
            let binary = node.of(BinaryNode.self)
            let left = try evaluate(binary.pointee.left, environment, "in the left operand of '=='")
            let right = try evaluate(binary.pointee.right, environment, "in the right operand of '=='")
            return .boolean(try areEqual(left, right, node.position))
        case .notEqual:
            let binary = node.of(BinaryNode.self)
            let left = try evaluate(binary.pointee.left, environment, "in the left operand of '!='")
            let right = try evaluate(binary.pointee.right, environment, "in the right operand of '!='")
            return .boolean(!(try areEqual(left, right, node.position)))
        case .and:
            let binary = node.of(BinaryNode.self)
            guard try boolean(binary.pointee.left, environment, "in the left operand of '&&'") else {
                return .boolean(false)
            }
            return .boolean(try boolean(binary.pointee.right, environment, "in the right operand of '&&'"))
        case .or:
            let binary = node.of(BinaryNode.self)
            if try boolean(binary.pointee.left, environment, "in the left operand of '||'") { return .boolean(true) }
            return .boolean(try boolean(binary.pointee.right, environment, "in the right operand of '||'"))
        case .implies:
            let binary = node.of(BinaryNode.self)
            guard try boolean(binary.pointee.left, environment, "in the left operand of '->'") else {
                return .boolean(true)
            }
            return .boolean(try boolean(binary.pointee.right, environment, "in the right operand of '->'"))
        case .update: return try update(node.of(BinaryNode.self), environment)
        case .concatLists: return try concatLists(node.of(BinaryNode.self), environment)
        case .concatStrings: return try concatStrings(node.of(ConcatStringsNode.self), environment)
        case .currentPosition: return positionValue(node.position)
        case .subtract, .multiply, .divide, .lessThan: return try arithmetic(node, environment)
        case .file: return try evaluateFileNow(node.of(FileNode.self).pointee.path.string)
        }
    }

    /// As `evaluate`, with a frame in the trace of what fails.
    @inline(__always)
    func evaluate(_ node: Node, _ environment: Environment, _ context: String) throws -> Value {
        do { return try evaluate(node, environment) } catch {
            throw traced(error, tracePosition(node), context)
        }
    }

    @inline(__always)
    func boolean(_ node: Node, _ environment: Environment, _ context: String) throws -> Bool {
        do {
            let value = try evaluate(node, environment)
            guard value.tag == .boolean else { throw typeError("a Boolean", value, at: tracePosition(node)) }
            return value.boolean
        } catch { throw traced(error, tracePosition(node), context) }
    }

    /// The position that Nix gives a node in traces.
    func tracePosition(_ node: Node) -> Position {
        switch node.kind {
        case .not: tracePosition(node.of(UnaryNode.self).pointee.operand)
        case .hasAttribute: tracePosition(node.of(HasAttributeNode.self).pointee.subject)
        default: node.position
        }
    }

    /// A value for later: what is known already as it is, everything else as a promise.
    @inline(__always)
    func promise(_ node: Node, _ environment: Environment) -> ValueRef {
        switch node.kind {
        case .constant: return (node.pointer + MemoryLayout<NodeHeader>.size).assumingMemoryBound(to: Value.self)
        case .variable:
            let variable = node.of(VariableNode.self)
            if let global = variable.pointee.global { return global }
            var scope = environment
            var depth = variable.pointee.depth
            while depth > 0 {
                scope = scope.up
                depth &-= 1
            }
            // A variable of this very scope may not have its value yet.
            if let value = scope.value(at: Int(variable.pointee.slot)) { return value }
        case .lambda: return arena.value(.lambda(node.of(LambdaNode.self), environment))
        case .list: if node.of(ListNode.self).pointee.elements.isEmpty { return emptyListValue }
        default: break
        }
        return arena.value(.thunk(node, environment))
    }

    // MARK: Variables

    @inline(__always)
    func lookUp(_ variable: UnsafeMutablePointer<VariableNode>, _ environment: Environment) -> ValueRef {
        if let global = variable.pointee.global { return global }
        var scope = environment
        var depth = variable.pointee.depth
        while depth > 0 {
            scope = scope.up
            depth &-= 1
        }
        return scope[Int(variable.pointee.slot)]
    }

    @inline(never)
    private func lookUpInWith(_ variable: UnsafeMutablePointer<VariableNode>, _ environment: Environment) throws
        -> ValueRef
    {
        var scope = environment
        var depth = variable.pointee.depth
        while depth > 0 {
            scope = scope.up
            depth &-= 1
        }
        var with = variable.pointee.with
        while let current = with {
            let attributes = try forceAttributes(
                scope[0], at: current.pointee.header.position,
                "while evaluating the first subexpression of a with expression")
            if let value = attributes[variable.pointee.name] { return value }
            guard current.pointee.outer != nil else { break }
            depth = current.pointee.outerDepth
            while depth > 0 {
                scope = scope.up
                depth &-= 1
            }
            with = current.pointee.outer
        }
        throw EvaluationError(
            .undefinedVariable, "undefined variable '\(symbols.string(variable.pointee.name))'",
            at: variable.pointee.header.position)
    }

    // MARK: Scopes

    @inline(never)
    private func letIn(_ node: UnsafeMutablePointer<LetNode>, _ environment: Environment) throws -> Value {
        let attributes = node.pointee.attributes
        let definitions = attributes.pointee.definitions
        let inner = Environment(arena, slots: definitions.count, up: environment)
        let sources = attributes.pointee.inheritFrom.isEmpty ? inner : inheritEnvironment(attributes, inner)
        for (slot, definition) in definitions.elements.enumerated() {
            inner[slot] = promise(
                definition.node,
                definition.kind == .plain ? inner : definition.kind == .inherited ? environment : sources)
        }
        return try evaluate(node.pointee.body, inner)
    }

    /// The environment in which `inherit (e)` finds each `e`.
    private func inheritEnvironment(_ node: UnsafeMutablePointer<AttributesNode>, _ inner: Environment) -> Environment {
        let sources = node.pointee.inheritFrom
        let result = Environment(arena, slots: sources.count, up: inner)
        for (slot, source) in sources.elements.enumerated() { result[slot] = promise(source, inner) }
        return result
    }

    @inline(never)
    private func with(_ node: UnsafeMutablePointer<WithNode>, _ environment: Environment) throws -> Value {
        let inner = Environment(arena, slots: 1, up: environment)
        inner[0] = promise(node.pointee.scope, environment)
        return try evaluate(node.pointee.body, inner)
    }

    @inline(never)
    private func list(_ node: UnsafeMutablePointer<ListNode>, _ environment: Environment) -> Value {
        let nodes = node.pointee.elements
        guard nodes.count > 0 else { return .emptyList }
        let elements = arena.allocate(ValueRef.self, count: nodes.count)
        for index in 0..<nodes.count { (elements + index).initialize(to: promise(nodes[index], environment)) }
        return .list(elements, count: nodes.count)
    }

    // MARK: Operators

    @inline(never)
    private func update(_ node: UnsafeMutablePointer<BinaryNode>, _ environment: Environment) throws -> Value {
        // The right operand first, as Nix does.
        let right = try operand(node.pointee.right, environment, "in the right operand of '//'")
        let left = try operand(node.pointee.left, environment, "in the left operand of '//'")
        if left.isEmpty { return .attributes(right) }
        if right.isEmpty { return .attributes(left) }
        return .attributes(left.updated(with: right, in: arena))
    }

    private func operand(_ node: Node, _ environment: Environment, _ context: String) throws -> Attributes {
        if node.kind == .update { return try update(node.of(BinaryNode.self), environment).attributes }
        do {
            let value = try evaluate(node, environment)
            guard value.tag == .attributes else { throw typeError("a set", value) }
            return value.attributes
        } catch { throw traced(error, tracePosition(node), context) }
    }

    @inline(never)
    private func concatLists(_ node: UnsafeMutablePointer<BinaryNode>, _ environment: Environment) throws -> Value {
        let position = node.pointee.header.position
        let left = try evaluate(node.pointee.left, environment, "in the left operand of '++'")
        let right = try evaluate(node.pointee.right, environment, "in the right operand of '++'")
        for value in [left, right] where value.tag != .list {
            throw traced(
                typeError("a list", value), position, "while evaluating one of the elements to concatenate")
        }
        if left.listCount == 0 { return right }
        if right.listCount == 0 { return left }
        let elements = arena.allocate(ValueRef.self, count: left.listCount + right.listCount)
        elements.initialize(from: left.list.baseAddress!, count: left.listCount)
        (elements + left.listCount).initialize(from: right.list.baseAddress!, count: right.listCount)
        return .list(elements, count: left.listCount + right.listCount)
    }

    @inline(never)
    private func arithmetic(_ node: Node, _ environment: Environment) throws -> Value {
        let arithmetic = node.of(ArithmeticNode.self)
        guard arithmetic.pointee.isBuiltin else {
            return try call(
                try evaluate(Node(arithmetic.pointee.function), environment),
                [promise(arithmetic.pointee.left, environment), promise(arithmetic.pointee.right, environment)],
                node.position)
        }
        try checkStack(node.position)
        do {
            let left = try evaluate(arithmetic.pointee.left, environment)
            let right = try evaluate(arithmetic.pointee.right, environment)
            if left.tag == .integer, right.tag == .integer {
                switch node.kind {
                case .subtract:
                    let (result, overflows) = left.integer.subtractingReportingOverflow(right.integer)
                    if !overflows { return .integer(result) }
                case .multiply:
                    let (result, overflows) = left.integer.multipliedReportingOverflow(by: right.integer)
                    if !overflows { return .integer(result) }
                case .lessThan: return .boolean(left.integer < right.integer)
                default: break
                }
            }
            switch node.kind {
            case .subtract: return try Arithmetic.subtract(self, left, right)
            case .multiply: return try Arithmetic.multiply(self, left, right)
            case .divide: return try Arithmetic.divide(self, left, right)
            default: return .boolean(try isLess(left, right, ""))
            }
        } catch {
            let name =
                switch node.kind {
                case .subtract: "sub"
                case .multiply: "mul"
                case .divide: "div"
                default: "lessThan"
                }
            throw traced(error, node.position, "while calling the '\(name)' builtin")
        }
    }

    @inline(never)
    private func assertion(_ node: UnsafeMutablePointer<AssertionNode>, _ environment: Environment) throws -> Value {
        let condition = node.pointee.condition
        if !(try boolean(condition, environment, "in the condition of the assert statement")) {
            let position = node.pointee.header.position
            let text = SyntaxPrinter(symbols: symbols, stack: stack).print(condition)
            if condition.kind == .equal {
                let equality = condition.of(BinaryNode.self)
                do {
                    let left = try evaluate(equality.pointee.left, environment)
                    let right = try evaluate(equality.pointee.right, environment)
                    try assertEqual(left, right, condition.position)
                } catch {
                    let error = evaluationError(error)
                    guard error.kind == .assertion || error.kind == .thrown else { throw error }
                    throw error.tracing(position, "while evaluating the condition of the assertion '\(text)'")
                }
            }
            throw EvaluationError(.assertion, "assertion '\(text)' failed", at: position)
        }
        return try evaluate(node.pointee.body, environment)
    }

    /// `{ file, line, column }` of a position in a file, else null. Lines are counted when someone looks.
    func positionValue(_ position: Position) -> Value {
        guard case .file(let path)? = positions.origin(of: position) else { return .null }
        let attributes = Attributes(arena, capacity: 3)
        let raw = arena.value(.integer(Int64(position.raw)))
        attributes.append(names.file, arena.value(.string(Text(arena, path))))
        attributes.append(names.line, arena.value(.application(lineOfPosition, raw)))
        attributes.append(names.column, arena.value(.application(columnOfPosition, raw)))
        attributes.sort()
        return .attributes(attributes)
    }
}
