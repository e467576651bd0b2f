/// The names of one scope, at resolution.
struct Scope {
    enum Names {
        /// The evaluator's own: name to slot, and each slot's value.
        case base([Symbol: Int], Environment)
        /// The names of a set, `rec` or `let`.
        case attributes(UnsafeMutablePointer<AttributesNode>)
        case lambda(UnsafeMutablePointer<LambdaNode>)
        case with(UnsafeMutablePointer<WithNode>)
        /// The environment that holds the expressions of `inherit (e)`; it has no names.
        case inheritFrom
        /// Names given from outside, in order of their slots.
        case custom([Symbol: Int])
    }

    let names: Names
    let up: UnsafePointer<Scope>?

    func slot(of name: Symbol) -> Int? {
        switch names {
        case .base(let slots, _), .custom(let slots): return slots[name]
        case .attributes(let node):
            let definitions = node.pointee.definitions
            var (low, high) = (0, definitions.count)
            while low < high {
                let middle = (low &+ high) / 2
                if definitions[middle].name.id < name.id { low = middle + 1 } else { high = middle }
            }
            return low < definitions.count && definitions[low].name == name ? low : nil
        case .lambda(let node):
            if !node.pointee.argument.isNone, node.pointee.argument == name { return 0 }
            let formals = node.pointee.formals
            let first = node.pointee.argument.isNone ? 0 : 1
            var (low, high) = (0, formals.count)
            while low < high {
                let middle = (low &+ high) / 2
                if formals[middle].name.id < name.id { low = middle + 1 } else { high = middle }
            }
            return low < formals.count && formals[low].name == name ? low + first : nil
        case .with, .inheritFrom: return nil
        }
    }
}

/// Finds the place of every variable in a fresh tree: how many scopes up, at which slot.
struct Resolver {
    let symbols: SymbolTable
    let stack: StackLimit
    let overrides: Symbol

    func resolve(_ node: Node, _ scope: UnsafePointer<Scope>) throws {
        if stack.isReached { throw EvaluationError(.parse, "expression nests too deeply", at: node.position) }
        switch node.kind {
        case .constant, .currentPosition, .inheritFrom, .file: break
        case .variable, .withVariable: try variable(node.of(VariableNode.self), scope)
        case .select:
            let select = node.of(SelectNode.self)
            try resolve(select.pointee.subject, scope)
            if let alternative = select.pointee.alternative { try resolve(alternative, scope) }
            try path(select.pointee.path, scope)
        case .hasAttribute:
            let has = node.of(HasAttributeNode.self)
            try resolve(has.pointee.subject, scope)
            try path(has.pointee.path, scope)
        case .attributes: try attributes(node.of(AttributesNode.self), scope)
        case .list:
            for element in node.of(ListNode.self).pointee.elements.elements { try resolve(element, scope) }
        case .lambda: try lambda(node.of(LambdaNode.self), scope)
        case .call:
            let call = node.of(CallNode.self)
            try resolve(call.pointee.function, scope)
            for argument in call.pointee.arguments.elements { try resolve(argument, scope) }
        case .letIn: try letIn(node.of(LetNode.self), scope)
        case .with: try with(node.of(WithNode.self), scope)
        case .conditional:
            let conditional = node.of(ConditionalNode.self)
            try resolve(conditional.pointee.condition, scope)
            try resolve(conditional.pointee.then, scope)
            try resolve(conditional.pointee.otherwise, scope)
        case .assertion:
            let assertion = node.of(AssertionNode.self)
            try resolve(assertion.pointee.condition, scope)
            try resolve(assertion.pointee.body, scope)
        case .not: try resolve(node.of(UnaryNode.self).pointee.operand, scope)
        case .equal, .notEqual, .and, .or, .implies, .update, .concatLists:
            let binary = node.of(BinaryNode.self)
            try resolve(binary.pointee.left, scope)
            try resolve(binary.pointee.right, scope)
        case .concatStrings:
            for part in node.of(ConcatStringsNode.self).pointee.parts.elements { try resolve(part.node, scope) }
        case .subtract, .multiply, .divide, .lessThan:
            let arithmetic = node.of(ArithmeticNode.self)
            try variable(arithmetic.pointee.function, scope)
            arithmetic.pointee.isBuiltin = arithmetic.pointee.function.pointee.global != nil
            try resolve(arithmetic.pointee.left, scope)
            try resolve(arithmetic.pointee.right, scope)
        }
    }

    private func variable(_ variable: UnsafeMutablePointer<VariableNode>, _ scope: UnsafePointer<Scope>) throws {
        let name = variable.pointee.name
        var current: UnsafePointer<Scope>? = scope
        var depth: UInt32 = 0
        var with: (depth: UInt32, node: UnsafeMutablePointer<WithNode>)?
        while let scope = current {
            if case .with(let node) = scope.pointee.names {
                if with == nil { with = (depth, node) }
            } else if let slot = scope.pointee.slot(of: name) {
                variable.pointee.depth = depth
                variable.pointee.slot = UInt32(slot)
                if case .base(_, let environment) = scope.pointee.names { variable.pointee.global = environment[slot] }
                return
            }
            depth += 1
            current = scope.pointee.up
        }
        guard let with else {
            throw EvaluationError(
                .undefinedVariable, "undefined variable '\(symbols.string(name))'",
                at: variable.pointee.header.position)
        }
        variable.pointee.header = NodeHeader(kind: .withVariable, position: variable.pointee.header.position)
        variable.pointee.depth = with.depth
        variable.pointee.with = with.node
    }

    private func path(_ path: ArenaList<AttributeName>, _ scope: UnsafePointer<Scope>) throws {
        for name in path.elements {
            if let expression = name.expression { try resolve(expression, scope) }
        }
    }

    private func inside(_ names: Scope.Names, _ up: UnsafePointer<Scope>, _ body: (UnsafePointer<Scope>) throws -> Void)
        rethrows
    {
        try withUnsafePointer(to: Scope(names: names, up: up), body)
    }

    private func attributes(_ node: UnsafeMutablePointer<AttributesNode>, _ scope: UnsafePointer<Scope>) throws {
        sort(node)
        if node.pointee.isRecursive {
            node.pointee.hasOverrides = Scope(names: .attributes(node), up: nil).slot(of: overrides) != nil
            try inside(.attributes(node), scope) { inner in
                try definitions(node, outer: scope, inner: inner)
                try dynamic(node, inner)
            }
        } else {
            try definitions(node, outer: scope, inner: scope)
            try dynamic(node, scope)
        }
    }

    private func sort(_ node: UnsafeMutablePointer<AttributesNode>) {
        var elements = node.pointee.definitions.elements
        elements.sort { $0.name.id < $1.name.id }
    }

    /// Inherited names are looked up outside of the set, everything else inside; sources of `inherit (e)` inside too.
    private func definitions(
        _ node: UnsafeMutablePointer<AttributesNode>, outer: UnsafePointer<Scope>, inner: UnsafePointer<Scope>
    ) throws {
        for source in node.pointee.inheritFrom.elements { try resolve(source, inner) }
        for definition in node.pointee.definitions.elements {
            switch definition.kind {
            case .plain: try resolve(definition.node, inner)
            case .inherited: try resolve(definition.node, outer)
            case .inheritedFrom: break
            }
        }
    }

    private func dynamic(_ node: UnsafeMutablePointer<AttributesNode>, _ scope: UnsafePointer<Scope>) throws {
        for definition in node.pointee.dynamic.elements {
            try resolve(definition.name, scope)
            try resolve(definition.node, scope)
        }
    }

    private func lambda(_ node: UnsafeMutablePointer<LambdaNode>, _ scope: UnsafePointer<Scope>) throws {
        try inside(.lambda(node), scope) { inner in
            for formal in node.pointee.formals.elements {
                if let fallback = formal.fallback { try resolve(fallback, inner) }
            }
            try resolve(node.pointee.body, inner)
        }
    }

    private func letIn(_ node: UnsafeMutablePointer<LetNode>, _ scope: UnsafePointer<Scope>) throws {
        sort(node.pointee.attributes)
        try inside(.attributes(node.pointee.attributes), scope) { inner in
            try definitions(node.pointee.attributes, outer: scope, inner: inner)
            try resolve(node.pointee.body, inner)
        }
    }

    private func with(_ node: UnsafeMutablePointer<WithNode>, _ scope: UnsafePointer<Scope>) throws {
        var current: UnsafePointer<Scope>? = scope
        var depth: UInt32 = 1
        while let scope = current {
            if case .with(let outer) = scope.pointee.names {
                node.pointee.outer = outer
                node.pointee.outerDepth = depth
                break
            }
            depth += 1
            current = scope.pointee.up
        }
        try resolve(node.pointee.scope, scope)
        try inside(.with(node), scope) { inner in try resolve(node.pointee.body, inner) }
    }
}
