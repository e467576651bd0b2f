extension Evaluator {
    // MARK: Making sets

    @inline(never)
    func attributes(_ node: UnsafeMutablePointer<AttributesNode>, _ environment: Environment) throws -> Value {
        let definitions = node.pointee.definitions
        let result = Attributes(arena, capacity: definitions.count + node.pointee.dynamic.count)
        var inner = environment
        if node.pointee.isRecursive {
            inner = Environment(arena, slots: definitions.count, up: environment)
        }
        let sources = node.pointee.inheritFrom.isEmpty ? inner : sourcesEnvironment(node, inner)
        var out = result.start
        for slot in 0..<definitions.count {
            let definition = definitions.start.unsafelyUnwrapped + slot
            let kind = definition.pointee.kind
            let scope = kind == .plain ? inner : kind == .inherited ? environment : sources
            let value: ValueRef
            if node.pointee.hasOverrides, kind != .inherited {
                value = arena.value(.thunk(definition.pointee.node, scope))
            } else {
                value = promise(definition.pointee.node, scope)
            }
            if node.pointee.isRecursive { inner[slot] = value }
            out.initialize(
                to: Attribute(name: definition.pointee.name, position: definition.pointee.position, value: value))
            out += 1
        }
        result.count = definitions.count
        result.position = node.pointee.header.position
        var final = result
        if node.pointee.hasOverrides { final = try override(result, node, inner) }
        if !node.pointee.dynamic.isEmpty { final = try addDynamic(final, node, inner) }
        return .attributes(final)
    }

    private func sourcesEnvironment(_ node: UnsafeMutablePointer<AttributesNode>, _ inner: Environment) -> Environment {
        let sources = node.pointee.inheritFrom
        let result = Environment(arena, slots: sources.count, up: inner)
        for (slot, source) in sources.elements.enumerated() { result[slot] = promise(source, inner) }
        return result
    }

    /// `rec { __overrides = { … }; … }`: the overrides replace definitions, for the other definitions too.
    private func override(
        _ result: Attributes, _ node: UnsafeMutablePointer<AttributesNode>, _ inner: Environment
    ) throws -> Attributes {
        guard let overrides = result[names.overrides] else { return result }
        let replaced = try forceAttributes(
            overrides, at: position(of: overrides.pointee), "while evaluating the `__overrides` attribute")
        let grown = Attributes(arena, capacity: result.count + replaced.count + node.pointee.dynamic.count)
        for attribute in result.entries { grown.append(attribute) }
        grown.position = result.position
        for attribute in replaced.entries {
            if let slot = result.entries.firstIndex(where: { $0.name == attribute.name }) {
                grown.start[slot] = attribute
                inner[slot] = attribute.value
            } else {
                grown.append(attribute)
            }
        }
        grown.sort()
        return grown
    }

    private func addDynamic(
        _ result: Attributes, _ node: UnsafeMutablePointer<AttributesNode>, _ inner: Environment
    ) throws -> Attributes {
        for definition in node.pointee.dynamic.elements {
            let nameValue = arena.value(try evaluate(definition.name, inner))
            if nameValue.pointee.tag == .null { continue }
            let text = try forcePlainString(
                nameValue, at: definition.position, "while evaluating the name of a dynamic attribute")
            let name = symbols.intern(text)
            if let existing = result.find(name) {
                let place = positions.location(existing.pointee.position)?.description ?? "«none»"
                throw EvaluationError(
                    .evaluation,
                    "dynamic attribute '\(Literal.identifier(text))' already defined at \(place)",
                    at: definition.position)
            }
            if definition.node.kind == .lambda { definition.node.of(LambdaNode.self).pointee.name = name }
            result.append(name, promise(definition.node, inner), definition.position)
            result.sort()
        }
        return result
    }

    // MARK: Selecting

    @inline(__always)
    private func symbol(_ name: AttributeName, _ environment: Environment) throws -> Symbol {
        if name.expression == nil { return name.symbol }
        return try dynamicSymbol(name, environment)
    }

    @inline(never)
    private func dynamicSymbol(_ name: AttributeName, _ environment: Environment) throws -> Symbol {
        guard let expression = name.expression else { return name.symbol }
        let value = arena.value(try evaluate(expression, environment))
        return symbols.intern(
            try forcePlainString(value, at: tracePosition(expression), "while evaluating an attribute name"))
    }

    @inline(never)
    func select(_ node: UnsafeMutablePointer<SelectNode>, _ environment: Environment) throws -> Value {
        let path = node.pointee.path
        var value: Value
        do { value = try evaluate(node.pointee.subject, environment) } catch {
            throw traced(error, tracePosition(node.pointee.subject), "while selecting an attribute")
        }
        var attributePosition = Position.none
        var resolved = 0
        do {
            var reference: ValueRef?
            for step in 0..<path.count {
                let name = try symbol(path[step], environment)
                if let alternative = node.pointee.alternative {
                    if let reference { value = try force(reference, node.pointee.header.position) }
                    guard value.tag == .attributes, let found = value.attributes.find(name) else {
                        return try evaluate(alternative, environment)
                    }
                    reference = found.pointee.value
                    attributePosition = found.pointee.position
                } else {
                    if let previous = reference {
                        value = try forced(previous, node.pointee.header.position)
                    } else if value.tag != .attributes {
                        throw traced(
                            typeError("a set", value, at: node.pointee.header.position), node.pointee.header.position,
                            "while selecting an attribute")
                    }
                    guard let found = value.attributes.find(name) else { throw missing(name, value.attributes) }
                    reference = found.pointee.value
                    attributePosition = found.pointee.position
                }
                resolved = step + 1
            }
            return try force(
                reference.unsafelyUnwrapped,
                attributePosition.isKnown ? attributePosition : node.pointee.header.position)
        } catch {
            throw tracedSelection(error, node, environment, attributePosition, resolved)
        }
    }

    @inline(__always)
    private func forced(_ reference: ValueRef, _ position: Position) throws -> Value {
        .attributes(try forceAttributes(reference, at: position, "while selecting an attribute"))
    }

    @inline(never)
    func missing(_ name: Symbol, _ attributes: Attributes) -> EvaluationError {
        let error = EvaluationError(.evaluation, "attribute '\(Literal.identifier(symbols.text(name)))' missing")
        error.suggestions = Suggestions.best(
            for: symbols.string(name), among: attributes.entries.map { symbols.string($0.name) })
        return error
    }

    @inline(never)
    private func tracedSelection(
        _ error: any Error, _ node: UnsafeMutablePointer<SelectNode>, _ environment: Environment,
        _ attributePosition: Position, _ resolved: Int
    ) -> EvaluationError {
        let error = evaluationError(error)
        let path = node.pointee.path
        if attributePosition.isKnown {
            if case .builtin? = positions.origin(of: attributePosition) {
            } else {
                error.addTrace(
                    attributePosition,
                    "from the definition of '\(describe(path.elements.prefix(resolved), environment))'")
            }
        }
        error.addTrace(
            node.pointee.header.position,
            "while evaluating the attribute '\(describe(path.elements[...], environment))'")
        return error
    }

    private func describe(_ path: Slice<UnsafeMutableBufferPointer<AttributeName>>, _ environment: Environment)
        -> String
    {
        path.map { name in
            if let symbol = try? symbol(name, environment) { return Literal.identifier(symbols.text(symbol)) }
            return SyntaxPrinter(symbols: symbols, stack: stack).name(name)
        }.joined(separator: ".")
    }

    @inline(never)
    func hasAttribute(_ node: UnsafeMutablePointer<HasAttributeNode>, _ environment: Environment) throws -> Value {
        var value = try evaluate(node.pointee.subject, environment, "in the argument of '?'")
        let path = node.pointee.path
        var reference: ValueRef?
        for step in 0..<path.count {
            if let reference { value = try force(reference, node.pointee.header.position) }
            let name = try symbol(path[step], environment)
            guard value.tag == .attributes, let found = value.attributes.find(name) else { return .boolean(false) }
            reference = found.pointee.value
        }
        return .boolean(true)
    }
}
