/// Writes a tree back as an expression, in the form that `nix-instantiate --parse` and failed assertions show.
struct SyntaxPrinter {
    let symbols: SymbolTable
    /// Below it, an expression is too deep to be shown.
    let stack: StackLimit

    func print(_ node: Node) -> String {
        var text = ""
        show(node, &text)
        return text
    }

    func name(_ name: AttributeName) -> String {
        guard let expression = name.expression else { return symbol(name.symbol) }
        return "\"${\(print(expression))}\""
    }

    private func symbol(_ symbol: Symbol) -> String { Literal.identifier(symbols.text(symbol)) }

    private func path(_ path: ArenaList<AttributeName>) -> String { path.elements.map(name).joined(separator: ".") }

    private func show(_ node: Node, _ text: inout String) {
        guard !stack.isReached else {
            text += "«nested too deeply»"
            return
        }
        switch node.kind {
        case .constant: constant(node.of(ConstantNode.self).pointee.value, &text)
        case .variable, .withVariable: text += symbol(node.of(VariableNode.self).pointee.name)
        case .inheritFrom: text += "(/* expanded inherit (expr) */)"
        case .currentPosition: text += "__curPos"
        case .file: text += node.of(FileNode.self).pointee.path.string
        case .select:
            let select = node.of(SelectNode.self).pointee
            text += "("
            show(select.subject, &text)
            text += ")." + path(select.path)
            if let alternative = select.alternative {
                text += " or ("
                show(alternative, &text)
                text += ")"
            }
        case .hasAttribute:
            let has = node.of(HasAttributeNode.self).pointee
            text += "(("
            show(has.subject, &text)
            text += ") ? " + path(has.path) + ")"
        case .attributes:
            let attributes = node.of(AttributesNode.self)
            text += attributes.pointee.isRecursive ? "rec { " : "{ "
            bindings(attributes, &text)
            text += "}"
        case .list:
            text += "[ "
            for element in node.of(ListNode.self).pointee.elements.elements {
                text += "("
                show(element, &text)
                text += ") "
            }
            text += "]"
        case .lambda: lambda(node.of(LambdaNode.self).pointee, &text)
        case .call:
            let call = node.of(CallNode.self).pointee
            text += "("
            show(call.function, &text)
            for argument in call.arguments.elements {
                text += " "
                show(argument, &text)
            }
            text += ")"
        case .subtract, .multiply, .divide, .lessThan:
            let arithmetic = node.of(ArithmeticNode.self).pointee
            text += "(" + symbol(arithmetic.function.pointee.name) + " "
            show(arithmetic.left, &text)
            text += " "
            show(arithmetic.right, &text)
            text += ")"
        case .letIn:
            let letIn = node.of(LetNode.self).pointee
            text += "(let "
            bindings(letIn.attributes, &text)
            text += "in "
            show(letIn.body, &text)
            text += ")"
        case .with:
            let with = node.of(WithNode.self).pointee
            text += "(with "
            show(with.scope, &text)
            text += "; "
            show(with.body, &text)
            text += ")"
        case .conditional:
            let conditional = node.of(ConditionalNode.self).pointee
            text += "(if "
            show(conditional.condition, &text)
            text += " then "
            show(conditional.then, &text)
            text += " else "
            show(conditional.otherwise, &text)
            text += ")"
        case .assertion:
            let assertion = node.of(AssertionNode.self).pointee
            text += "assert "
            show(assertion.condition, &text)
            text += "; "
            show(assertion.body, &text)
        case .not:
            text += "(! "
            show(node.of(UnaryNode.self).pointee.operand, &text)
            text += ")"
        case .equal: binary(node, "==", &text)
        case .notEqual: binary(node, "!=", &text)
        case .and: binary(node, "&&", &text)
        case .or: binary(node, "||", &text)
        case .implies: binary(node, "->", &text)
        case .update: binary(node, "//", &text)
        case .concatLists: binary(node, "++", &text)
        case .concatStrings:
            text += "("
            for (index, part) in node.of(ConcatStringsNode.self).pointee.parts.elements.enumerated() {
                if index > 0 { text += " + " }
                show(part.node, &text)
            }
            text += ")"
        }
    }

    private func binary(_ node: Node, _ symbol: String, _ text: inout String) {
        let binary = node.of(BinaryNode.self).pointee
        text += "("
        show(binary.left, &text)
        text += " \(symbol) "
        show(binary.right, &text)
        text += ")"
    }

    private func constant(_ value: Value, _ text: inout String) {
        switch value.tag {
        case .integer: text += String(value.integer)
        case .float: text += Literal.float(value.float)
        case .string: text += Literal.string(value.text.bytes)
        default: text += value.text.string
        }
    }

    private func lambda(_ lambda: LambdaNode, _ text: inout String) {
        text += "("
        if lambda.hasFormals {
            var parts: [String] = lambda.formals.elements
                .sorted { symbols.text($0.name) < symbols.text($1.name) }
                .map { formal in
                    guard let fallback = formal.fallback else { return symbol(formal.name) }
                    return symbol(formal.name) + " ? " + print(fallback)
                }
            if lambda.hasEllipsis { parts.append("...") }
            text += "{ " + parts.joined(separator: ", ") + " }"
            if !lambda.argument.isNone { text += " @ " }
        }
        if !lambda.argument.isNone { text += symbol(lambda.argument) }
        text += ": "
        show(lambda.body, &text)
        text += ")"
    }

    private func bindings(_ node: UnsafeMutablePointer<AttributesNode>, _ text: inout String) {
        let sorted = node.pointee.definitions.elements.sorted { symbols.text($0.name) < symbols.text($1.name) }
        let inherited = sorted.filter { $0.kind == .inherited }
        if !inherited.isEmpty {
            text += "inherit" + inherited.map { " " + symbol($0.name) }.joined() + "; "
        }
        for (slot, source) in node.pointee.inheritFrom.elements.enumerated() {
            let names = sorted.filter {
                $0.kind == .inheritedFrom
                    && $0.node.of(SelectNode.self).pointee.subject.of(InheritFromNode.self).pointee.slot == slot
            }
            guard !names.isEmpty else { continue }
            text += "inherit (" + print(source) + ")" + names.map { " " + symbol($0.name) }.joined() + "; "
        }
        for definition in sorted where definition.kind == .plain {
            text += symbol(definition.name) + " = "
            show(definition.node, &text)
            text += "; "
        }
        for definition in node.pointee.dynamic.elements {
            text += "\"${" + print(definition.name) + "}\" = "
            show(definition.node, &text)
            text += "; "
        }
    }
}
