extension Evaluator {
    /// The value at `reference`, evaluated as far as its outermost shape.
    @inline(__always)
    func force(_ reference: ValueRef, _ position: Position = .none) throws -> Value {
        let value = reference.pointee
        if value.isEvaluated { return value }
        return try forceSlowly(reference, position)
    }

    @inline(never)
    private func forceSlowly(_ reference: ValueRef, _ position: Position) throws -> Value {
        let promise = reference.pointee
        switch promise.tag {
        case .thunk:
            try checkStack(position)
            reference.pointee = .blackHole
            do {
                let value = try evaluate(promise.node, promise.environment)
                reference.pointee = value
                return value
            } catch { throw failed(reference, promise, error) }
        case .application:
            try checkStack(position)
            reference.pointee = .blackHole
            do {
                let value = try call(promise.function, promise.argument, position)
                reference.pointee = value
                return value
            } catch { throw failed(reference, promise, error) }
        case .blackHole:
            let error = EvaluationError(.infiniteRecursion, "infinite recursion encountered", at: position)
            error.recursiveValue = reference
            throw error
        default: throw failures[promise.failureIndex].copy()
        }
    }

    /// Remembers that a promise failed, so that asking again gives the same error, with the trace of the first time; unless
    /// another time might succeed.
    @inline(never)
    private func failed(_ reference: ValueRef, _ promise: Value, _ error: any Error) -> EvaluationError {
        let error = evaluationError(error)
        if error.kind == .infiniteRecursion, error.recursiveValue == reference {
            error.addTrace(.none, "entering the infinite recursion", isAlwaysShown: true)
            error.recursiveValue = nil
        }
        if error.isRecoverable {
            reference.pointee = promise
        } else {
            reference.pointee = .failed(failures.count)
            failures.append(error)
        }
        return error
    }

    // MARK: One kind expected

    @inline(__always)
    func forceInteger(_ reference: ValueRef, at position: Position = .none, _ context: String) throws -> Int64 {
        let value = reference.pointee
        if value.tag == .integer { return value.integer }
        do {
            let value = try force(reference, position)
            guard value.tag == .integer else { throw typeError("an integer", value, at: position) }
            return value.integer
        } catch { throw traced(error, position, context) }
    }

    func forceFloat(_ reference: ValueRef, at position: Position = .none, _ context: String) throws -> Double {
        do {
            let value = try force(reference, position)
            if value.tag == .integer { return Double(value.integer) }
            guard value.tag == .float else { throw typeError("a float", value, at: position) }
            return value.float
        } catch { throw traced(error, position, context) }
    }

    @inline(__always)
    func forceBoolean(_ reference: ValueRef, at position: Position = .none, _ context: String) throws -> Bool {
        do {
            let value = try force(reference, position)
            guard value.tag == .boolean else { throw typeError("a Boolean", value, at: position) }
            return value.boolean
        } catch { throw traced(error, position, context) }
    }

    @inline(__always)
    func boolean(_ value: Value, _ context: String) throws -> Bool {
        guard value.tag == .boolean else { throw traced(typeError("a Boolean", value), .none, context) }
        return value.boolean
    }

    @inline(__always)
    func forceAttributes(_ reference: ValueRef, at position: Position = .none, _ context: String) throws -> Attributes {
        do {
            let value = try force(reference, position)
            guard value.tag == .attributes else { throw typeError("a set", value, at: position) }
            return value.attributes
        } catch { throw traced(error, position, context) }
    }

    /// A list, as the value that holds it.
    @inline(__always)
    func forceList(_ reference: ValueRef, at position: Position = .none, _ context: String) throws -> Value {
        do {
            let value = try force(reference, position)
            guard value.tag == .list else { throw typeError("a list", value) }
            return value
        } catch { throw traced(error, position, context) }
    }

    @inline(__always)
    func forceFunction(_ reference: ValueRef, at position: Position = .none, _ context: String) throws {
        do {
            let value = try force(reference, position)
            guard value.isFunction || isFunctor(value) else { throw typeError("a function", value, at: position) }
        } catch { throw traced(error, position, context) }
    }

    func isFunctor(_ value: Value) -> Bool {
        value.tag == .attributes && value.attributes.find(names.functor) != nil
    }

    /// A string, as the value that holds it.
    @inline(__always)
    func forceString(_ reference: ValueRef, at position: Position = .none, _ context: String) throws -> Value {
        do {
            let value = try force(reference, position)
            guard value.tag == .string else { throw typeError("a string", value, at: position) }
            return value
        } catch { throw traced(error, position, context) }
    }

    /// A string that owes nothing to the store.
    @inline(__always)
    func forcePlainString(_ reference: ValueRef, at position: Position = .none, _ context: String) throws -> Text {
        let value = try forceString(reference, at: position, context)
        guard value.context.isEmpty else { throw traced(contextError(value), position, context) }
        return value.text
    }

    @inline(never)
    private func contextError(_ value: Value) -> EvaluationError {
        let element = contexts.elements(of: value.context).map(display).min() ?? ""
        return EvaluationError(
            .evaluation,
            "the string '\(value.text.string)' is not allowed to refer to a store path (such as '\(element)')")
    }

    /// A context element in the form in which Nix writes it.
    func display(_ element: ContextElement) -> String {
        switch element {
        case .path(let path): host.store.print(path)
        case .output(let derivation, let output): "!\(output)!\(host.store.print(derivation))"
        case .derivation(let path): "=\(host.store.print(path))"
        }
    }

    /// The attribute called `name`, which must be there.
    func attribute(_ name: Symbol, of attributes: Attributes, _ context: String) throws
        -> UnsafeMutablePointer<Attribute>
    {
        guard let attribute = attributes.find(name) else {
            throw traced(
                EvaluationError(.type, "attribute '\(symbols.string(name))' missing"), .none, context)
        }
        return attribute
    }

    /// Where a value was written, as far as it knows.
    func position(of value: Value, else position: Position = .none) -> Position {
        switch value.tag {
        case .attributes: value.attributes.position
        case .lambda: value.lambda.pointee.header.position
        case .application: self.position(of: value.function.pointee, else: position)
        default: position
        }
    }

    /// Evaluates a value and everything in it.
    func forceDeeply(_ reference: ValueRef) throws {
        var seen: Set<ValueRef> = []
        try forceDeeply(reference, &seen)
    }

    private func forceDeeply(_ reference: ValueRef, _ seen: inout Set<ValueRef>) throws {
        let position = position(of: reference.pointee)
        if callDepth > callDepthLimit { throw callDepthExceeded(position) }
        try checkStack(position)
        callDepth += 1
        defer { callDepth -= 1 }
        guard seen.insert(reference).inserted else { return }
        let value = try force(reference, position)
        switch value.tag {
        case .attributes:
            for attribute in value.attributes.entries {
                do { try forceDeeply(attribute.value, &seen) } catch {
                    throw traced(
                        error, attribute.position,
                        "while evaluating the attribute '\(Literal.identifier(symbols.text(attribute.name)))'")
                }
            }
        case .list:
            for (index, element) in value.list.enumerated() {
                do { try forceDeeply(element, &seen) } catch {
                    throw traced(error, .none, "while evaluating list element at index \(index)")
                }
            }
        default: break
        }
    }
}
