extension Evaluator {
    /// `f a b c`.
    @inline(never)
    func call(_ node: UnsafeMutablePointer<CallNode>, _ environment: Environment) throws -> Value {
        let position = node.pointee.header.position
        var function = try evaluate(node.pointee.function, environment)
        let nodes = node.pointee.arguments
        if callDepth > callDepthLimit { throw callDepthExceeded(position) }
        try checkStack(position)
        callsLeft &-= 1
        if callsLeft < 0 { throw callLimitExceeded(position) }
        callDepth &+= 1
        defer { callDepth &-= 1 }
        var done = 0
        let count = nodes.count
        while done < count {
            if function.tag == .lambda {
                function = try apply(
                    function.lambda, function.environment, promise(nodes[done], environment), position)
                done &+= 1
                continue
            }
            let base = argumentCount
            guard base &+ count < Self.argumentLimit else { throw stackOverflow(position) }
            let left = count &- done
            for index in 0..<left { arguments[base &+ index] = promise(nodes[done &+ index], environment) }
            argumentCount = base &+ left
            defer { argumentCount = base }
            return try call(function, arguments + base, left, position)
        }
        return function
    }

    /// Calls a function with one argument, one level deeper.
    @inline(__always)
    func call(_ function: ValueRef, _ argument: ValueRef, _ position: Position = .none) throws -> Value {
        let value = try force(function, position)
        if value.tag == .lambda {
            return try deeper(position) { try apply(value.lambda, value.environment, argument, position) }
        }
        return try call(value, [argument], position)
    }

    func call(_ function: ValueRef, _ first: ValueRef, _ second: ValueRef, _ position: Position = .none) throws -> Value
    {
        let value = try force(function, position)
        if value.tag == .lambda {
            return try deeper(position) {
                let next = try apply(value.lambda, value.environment, first, position)
                if next.tag == .lambda { return try apply(next.lambda, next.environment, second, position) }
                return try withArguments([second]) { try call(next, $0, 1, position) }
            }
        }
        return try call(value, [first, second], position)
    }

    @inline(never)
    func call(_ function: Value, _ list: [ValueRef], _ position: Position) throws -> Value {
        try deeper(position) { try withArguments(list) { try call(function, $0, list.count, position) } }
    }

    private func withArguments(_ list: [ValueRef], _ body: (UnsafeMutablePointer<ValueRef>) throws -> Value) throws
        -> Value
    {
        let base = argumentCount
        guard base + list.count < Self.argumentLimit else { throw stackOverflow(.none) }
        for (index, argument) in list.enumerated() { arguments[base + index] = argument }
        argumentCount = base + list.count
        defer { argumentCount = base }
        return try body(arguments + base)
    }

    /// Applies any function to arguments that are on the argument stack; the level has been counted.
    @inline(never)
    private func call(
        _ function: Value, _ list: UnsafeMutablePointer<ValueRef>, _ count: Int, _ position: Position
    ) throws -> Value {
        var function = function
        var list = list
        var count = count
        while count > 0 {
            switch function.tag {
            case .lambda:
                function = try apply(function.lambda, function.environment, list.pointee, position)
                list += 1
                count &-= 1
            case .builtin:
                let builtin = function.builtin
                let arity = builtin.pointee.arity
                guard count >= arity else { return partial(function, list, count) }
                function = try call(builtin, list, position)
                list += arity
                count &-= arity
            case .partialBuiltin:
                let builtin = function.partialRoot
                var given = 0
                var step = function
                while step.tag == .partialBuiltin {
                    given += 1
                    step = step.function.pointee
                }
                let missing = builtin.pointee.arity - given
                guard count >= missing else { return partial(function, list, count) }
                let base = argumentCount
                guard base + builtin.pointee.arity < Self.argumentLimit else { throw stackOverflow(position) }
                step = function
                var slot = given
                while step.tag == .partialBuiltin {
                    slot -= 1
                    arguments[base + slot] = step.argument
                    step = step.function.pointee
                }
                for index in 0..<missing { arguments[base + given + index] = list[index] }
                argumentCount = base + builtin.pointee.arity
                defer { argumentCount = base }
                function = try call(builtin, arguments + base, position)
                list += missing
                count -= missing
            case .attributes:
                guard let functor = function.attributes.find(names.functor) else {
                    throw notAFunction(function, position)
                }
                do {
                    let itself = arena.value(function)
                    function = try call(
                        try force(functor.pointee.value, functor.pointee.position), [itself, list.pointee],
                        functor.pointee.position)
                } catch {
                    throw traced(
                        error, position, "while calling a functor (an attribute set with a '__functor' attribute)")
                }
                list += 1
                count -= 1
            default: throw notAFunction(function, position)
            }
        }
        return function
    }

    @inline(never)
    private func notAFunction(_ value: Value, _ position: Position) -> EvaluationError {
        EvaluationError(
            .type,
            "attempt to call something which is not a function but \(value.kindDescription): \(describe(value))",
            at: position)
    }

    private func partial(_ function: Value, _ list: UnsafeMutablePointer<ValueRef>, _ count: Int) -> Value {
        var function = function
        for index in 0..<count { function = .partialBuiltin(arena.value(function), list[index]) }
        return function
    }

    @inline(__always)
    private func call(
        _ builtin: UnsafeMutablePointer<Builtin>, _ list: UnsafeMutablePointer<ValueRef>, _ position: Position
    ) throws -> Value {
        do { return try builtin.pointee.function(self, list) } catch {
            throw traced(
                error, position, builtin.pointee.isTraced ? "while calling the '\(builtin.pointee.name)' builtin" : "")
        }
    }

    // MARK: Lambdas

    /// Applies a lambda to one argument; the level has been counted.
    @inline(never)
    func apply(
        _ lambda: UnsafeMutablePointer<LambdaNode>, _ outer: Environment, _ argument: ValueRef, _ position: Position
    ) throws -> Value {
        let inner: Environment
        if lambda.pointee.hasFormals {
            inner = try bind(lambda, outer, argument, position)
        } else {
            inner = Environment(arena, slots: 1, up: outer)
            inner[0] = argument
        }
        do { return try evaluate(lambda.pointee.body, inner) } catch {
            guard showsTrace else { throw error }
            throw tracedCall(error, lambda, position)
        }
    }

    private func name(of lambda: UnsafeMutablePointer<LambdaNode>) -> String {
        lambda.pointee.name.isNone ? "anonymous lambda" : Literal.identifier(symbols.text(lambda.pointee.name))
    }

    @inline(never)
    private func tracedCall(_ error: any Error, _ lambda: UnsafeMutablePointer<LambdaNode>, _ position: Position)
        -> EvaluationError
    {
        let error = evaluationError(error)
        let name = lambda.pointee.name.isNone ? "anonymous lambda" : "'\(symbols.string(lambda.pointee.name))'"
        error.addTrace(lambda.pointee.header.position, "while calling \(name)")
        if position.isKnown { error.addTrace(position, "from call site") }
        return error
    }

    /// Takes an argument apart after the pattern of `lambda`.
    @inline(never)
    private func bind(
        _ lambda: UnsafeMutablePointer<LambdaNode>, _ outer: Environment, _ argument: ValueRef, _ position: Position
    ) throws -> Environment {
        let inner = Environment(arena, slots: lambda.pointee.slots, up: outer)
        let attributes: Attributes
        do {
            attributes = try forceAttributes(
                argument, at: lambda.pointee.header.position,
                "while evaluating the value passed for the lambda argument")
        } catch { throw traced(error, position, position.isKnown ? "from call site" : "") }
        var slot = 0
        if !lambda.pointee.argument.isNone {
            inner[0] = argument
            slot = 1
        }
        let formals = lambda.pointee.formals
        var used = 0
        for index in 0..<formals.count {
            let formal = formals.start.unsafelyUnwrapped + index
            if let found = attributes.find(formal.pointee.name) {
                inner[slot] = found.pointee.value
                used &+= 1
            } else if let fallback = formal.pointee.fallback {
                inner[slot] = promise(fallback, inner)
            } else {
                throw EvaluationError(
                    .type,
                    "function '\(name(of: lambda))' called without required argument '\(Literal.identifier(symbols.text(formal.pointee.name)))'",
                    at: lambda.pointee.header.position
                ).tracing(position, "from call site")
            }
            slot &+= 1
        }
        if used != attributes.count, !lambda.pointee.hasEllipsis {
            throw unexpectedArgument(lambda, attributes, position)
        }
        return inner
    }

    @inline(never)
    private func unexpectedArgument(
        _ lambda: UnsafeMutablePointer<LambdaNode>, _ attributes: Attributes, _ position: Position
    ) -> EvaluationError {
        let formals = lambda.pointee.formals.elements
        let unexpected = attributes.entries.first { attribute in !formals.contains { $0.name == attribute.name } }
        let name = unexpected.map { symbols.text($0.name) }
        let error = EvaluationError(
            .type,
            "function '\(self.name(of: lambda))' called with unexpected argument '\(name.map(Literal.identifier) ?? "")'",
            at: lambda.pointee.header.position)
        error.suggestions = Suggestions.best(
            for: name?.string ?? "", among: formals.map { symbols.string($0.name) })
        return error.tracing(position, "from call site")
    }

    // MARK: From outside

    /// Calls a function whose arguments all have defaults or are in `given`, as commands do with what a file evaluates
    /// to; anything else stays as it is.
    func autoCall(_ reference: ValueRef, _ given: Attributes) throws -> Value {
        let position = position(of: reference.pointee)
        let value = try force(reference, position)
        if value.tag == .attributes, let functor = value.attributes.find(names.functor) {
            let result = arena.value(try call(functor.pointee.value, reference, position))
            return try autoCall(result, given)
        }
        guard value.tag == .lambda, value.lambda.pointee.hasFormals else { return value }
        let lambda = value.lambda
        let formals = lambda.pointee.formals.elements
        let chosen = Attributes(arena, capacity: max(formals.count, given.count))
        if lambda.pointee.hasEllipsis {
            for attribute in given.entries { chosen.append(attribute) }
        } else {
            for formal in formals {
                if let attribute = given.find(formal.name) {
                    chosen.append(attribute.pointee)
                } else if formal.fallback == nil {
                    throw EvaluationError(
                        .missingArgument,
                        """
                        cannot evaluate a function that has an argument without a value ('\(symbols.string(formal.name))')
                        Nix attempted to evaluate a function as a top level expression; in
                        this case it must have its arguments supplied either by default
                        values, or passed explicitly with '--arg' or '--argstr'. See
                        https://nix.dev/manual/nix/stable/language/syntax.html#functions.
                        """, at: formal.position)
                }
            }
        }
        return try call(reference, arena.value(.attributes(chosen)), position)
    }
}
