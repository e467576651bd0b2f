/// What steers an evaluation: errors, order, traces.
enum ControlBuiltins {
    static var all: [Builtin] {
        [
            Builtin("abort", 1, isGlobal: true) { evaluator, arguments in
                var context = Context.none
                let text = try evaluator.coerce(
                    arguments[0], context: &context, "while evaluating the error message passed to builtins.abort")
                throw EvaluationError(
                    .abort, "evaluation aborted with the following error message: '\(text.string)'")
            },
            Builtin("throw", 1, isGlobal: true) { evaluator, arguments in
                var context = Context.none
                let text = try evaluator.coerce(
                    arguments[0], context: &context, "while evaluating the error message passed to builtin.throw")
                throw EvaluationError(.thrown, text.string)
            },
            Builtin("addErrorContext", 2, isTraced: false) { evaluator, arguments in
                do { return try evaluator.force(arguments[1]) } catch {
                    var context = Context.none
                    let text = try evaluator.coerce(
                        arguments[0], .plain, context: &context,
                        "while evaluating the error message passed to builtins.addErrorContext")
                    throw evaluator.traced(error, .none, text.string, isAlwaysShown: true)
                }
            },
            Builtin("tryEval", 1) { evaluator, arguments in
                let depth = evaluator.callDepth
                do {
                    _ = try evaluator.force(arguments[0])
                    return evaluator.set([
                        (evaluator.names.value, arguments[0]), (evaluator.names.success, evaluator.trueValue),
                    ])
                } catch let error as EvaluationError where error.isCatchable {
                    evaluator.callDepth = depth
                    return evaluator.set([
                        (evaluator.names.value, evaluator.falseValue), (evaluator.names.success, evaluator.falseValue),
                    ])
                }
            },
            Builtin("seq", 2) { evaluator, arguments in
                _ = try evaluator.force(arguments[0])
                return try evaluator.force(arguments[1])
            },
            Builtin("deepSeq", 2) { evaluator, arguments in
                try evaluator.forceDeeply(arguments[0])
                return try evaluator.force(arguments[1])
            },
            Builtin("trace", 2) { evaluator, arguments in try trace(evaluator, arguments) },
            Builtin("traceVerbose", 2) { evaluator, arguments in
                if evaluator.settings.tracesVerbosely { return try trace(evaluator, arguments) }
                return try evaluator.force(arguments[1])
            },
            Builtin("warn", 2) { evaluator, arguments in
                let message = try evaluator.forceString(
                    arguments[0], "while evaluating the first argument; the message passed to builtins.warn")
                let text = message.text.string
                let warning = ErrorPrinter(positions: evaluator.positions, showsTrace: false)
                    .print(
                        EvaluationError(.evaluation, text), prefix: "evaluation warning:",
                        isIndented: !text.hasPrefix("\n"))
                evaluator.host.log(Array(warning.utf8))
                if evaluator.settings.abortsOnWarning {
                    throw EvaluationError(
                        .abort, "aborting to reveal stack trace of warning, as abort-on-warn is set")
                }
                return try evaluator.force(arguments[1])
            },
            Builtin("break", 1, isGlobal: true) { evaluator, arguments in try evaluator.force(arguments[0]) },
            Builtin("genericClosure", 1) { evaluator, arguments in
                try GenericClosure(evaluator).run(arguments[0])
            },
        ]
    }

    private static func trace(_ evaluator: Evaluator, _ arguments: Builtin.Arguments) throws -> Value {
        let value = try evaluator.force(arguments[0])
        var line = Array("trace: ".utf8)
        if value.tag == .string {
            line.append(contentsOf: value.text.bytes)
        } else {
            line.append(contentsOf: try ValuePrinter(evaluator, .trace).tryPrint(value))
        }
        evaluator.host.log(line)
        return try evaluator.force(arguments[1])
    }
}

/// `builtins.genericClosure`: everything that an operator reaches from a start set, each key once, breadth first.
private struct GenericClosure {
    let evaluator: Evaluator

    init(_ evaluator: Evaluator) { self.evaluator = evaluator }

    /// Keys in order, so that one is found by bisection; they may be of any kind that can be compared.
    private struct Keys {
        var entries: [(key: Value, element: ValueRef)] = []
        var strings: Set<Text> = []
        var integers: Set<Int64> = []
    }

    func run(_ argument: ValueRef) throws -> Value {
        let attributes = try evaluator.forceAttributes(
            argument, "while evaluating the first argument passed to builtins.genericClosure")
        let startSet = try evaluator.attribute(
            evaluator.names.startSet, of: attributes, "in the attrset passed as argument to builtins.genericClosure")
        let start = try evaluator.forceList(
            startSet.pointee.value,
            "while evaluating the 'startSet' attribute passed as argument to builtins.genericClosure")
        if start.listCount == 0 { return start }
        let operation = try evaluator.attribute(
            evaluator.names.operation, of: attributes, "in the attrset passed as argument to builtins.genericClosure")
        try evaluator.forceFunction(
            operation.pointee.value,
            "while evaluating the 'operator' attribute passed as argument to builtins.genericClosure")
        var work = Array(start.list)
        var next = 0
        var result: [ValueRef] = []
        var keys = Keys()
        while next < work.count {
            let element = work[next]
            next += 1
            let key: Value
            do {
                let attributes = try evaluator.forceAttributes(element, "")
                let attribute = try evaluator.attribute(evaluator.names.key, of: attributes, "")
                key = try evaluator.force(attribute.pointee.value)
            } catch {
                throw evaluator.traced(error, .none, "in genericClosure element \(describe(element))")
            }
            guard try insert(key, element, &keys) else { continue }
            result.append(element)
            do {
                let produced = evaluator.arena.value(try evaluator.call(operation.pointee.value, element))
                let list = try evaluator.forceList(
                    produced, "while evaluating the return value of the `operator` passed to builtins.genericClosure")
                for new in list.list {
                    _ = try evaluator.force(new)
                    work.append(new)
                }
            } catch {
                throw evaluator.traced(
                    error, .none, "while calling operator on genericClosure element \(describe(element))")
            }
        }
        return evaluator.list(result)
    }

    private func describe(_ element: ValueRef) -> String { evaluator.describe(element.pointee) }

    private func insert(_ key: Value, _ element: ValueRef, _ keys: inout Keys) throws -> Bool {
        // Keys of one simple kind need no order.
        if keys.entries.isEmpty || keys.entries[0].key.tag == key.tag {
            switch key.tag {
            case .string:
                if keys.entries.isEmpty { keys.entries.append((key, element)) }
                return keys.strings.insert(key.text).inserted
            case .integer:
                if keys.entries.isEmpty { keys.entries.append((key, element)) }
                return keys.integers.insert(key.integer).inserted
            default: break
            }
        }
        var (low, high) = (0, keys.entries.count)
        do {
            while low < high {
                let middle = (low + high) / 2
                if try evaluator.isLess(key, keys.entries[middle].key, "") { high = middle } else { low = middle + 1 }
            }
            if low > 0, !(try evaluator.isLess(keys.entries[low - 1].key, key, "")) { return false }
        } catch {
            let other = keys.entries[min((low + high) / 2, keys.entries.count - 1)].element
            let error = evaluator.evaluationError(error)
            error.addTrace(.none, "with element \(describe(other))")
            throw error.tracing(.none, "while comparing element \(describe(element))")
        }
        keys.entries.insert((key, element), at: low)
        return true
    }
}
