import NixStore

/// What strings owe to the store.
enum ContextBuiltins {
    static var all: [Builtin] {
        [
            Builtin("unsafeDiscardStringContext", 1) { evaluator, arguments in
                var context = Context.none
                return .string(
                    try evaluator.coerce(
                        arguments[0], context: &context,
                        "while evaluating the argument passed to builtins.unsafeDiscardStringContext"))
            },
            Builtin("hasContext", 1) { evaluator, arguments in
                .boolean(
                    !(try evaluator.forceString(
                        arguments[0], "while evaluating the argument passed to builtins.hasContext"
                    ).context.isEmpty))
            },
            Builtin("unsafeDiscardOutputDependency", 1) { evaluator, arguments in
                var context = Context.none
                let text = try evaluator.coerce(
                    arguments[0], context: &context,
                    "while evaluating the argument passed to builtins.unsafeDiscardOutputDependency")
                let elements = evaluator.contexts.elements(of: context).map { element -> ContextElement in
                    if case .derivation(let path) = element { return .path(path) }
                    return element
                }
                return .string(text, context: evaluator.contexts.context(elements))
            },
            Builtin("addDrvOutputDependencies", 1) { evaluator, arguments in
                var context = Context.none
                let text = try evaluator.coerce(
                    arguments[0], context: &context,
                    "while evaluating the argument passed to builtins.addDrvOutputDependencies")
                let elements = evaluator.contexts.elements(of: context)
                guard elements.count == 1 else {
                    throw EvaluationError(
                        .evaluation,
                        "context of string '\(text.string)' must have exactly one element, but has \(elements.count)")
                }
                switch elements[0] {
                case .path(let path):
                    guard path.isDerivation else {
                        throw EvaluationError(
                            .evaluation, "path '\(evaluator.host.store.print(path))' is not a derivation")
                    }
                    return .string(text, context: evaluator.contexts.context(.derivation(path)))
                case .output(_, let output):
                    throw EvaluationError(
                        .evaluation,
                        "`addDrvOutputDependencies` can only act on derivations, not on a derivation output such as '\(output)'"
                    )
                case .derivation: return .string(text, context: context)
                }
            },
            Builtin("getContext", 1) { evaluator, arguments in try getContext(evaluator, arguments) },
            Builtin("appendContext", 2) { evaluator, arguments in try appendContext(evaluator, arguments) },
        ]
    }

    private struct Facts {
        var isPath = false
        var isDerivation = false
        var outputs: [String] = []
    }

    private static func getContext(_ evaluator: Evaluator, _ arguments: Builtin.Arguments) throws -> Value {
        let value = try evaluator.forceString(
            arguments[0], "while evaluating the argument passed to builtins.getContext")
        var facts: [StorePath: Facts] = [:]
        for element in evaluator.contexts.elements(of: value.context) {
            switch element {
            case .path(let path): facts[path, default: Facts()].isPath = true
            case .derivation(let path): facts[path, default: Facts()].isDerivation = true
            case .output(let path, let output): facts[path, default: Facts()].outputs.append(output)
            }
        }
        let names = evaluator.names
        return evaluator.set(
            facts.map { path, facts in
                var attributes: [(Symbol, ValueRef)] = []
                if facts.isPath { attributes.append((names.path, evaluator.trueValue)) }
                if facts.isDerivation { attributes.append((names.allOutputs, evaluator.trueValue)) }
                if !facts.outputs.isEmpty {
                    let outputs = facts.outputs.sorted().map { evaluator.arena.value(evaluator.string($0)) }
                    attributes.append((names.outputs, evaluator.arena.value(evaluator.list(outputs))))
                }
                return (
                    evaluator.symbols.intern(evaluator.host.store.print(path)),
                    evaluator.arena.value(evaluator.set(attributes))
                )
            })
    }

    private static func appendContext(_ evaluator: Evaluator, _ arguments: Builtin.Arguments) throws -> Value {
        let original = try evaluator.forceString(
            arguments[0], "while evaluating the first argument passed to builtins.appendContext")
        let additions = try evaluator.forceAttributes(
            arguments[1], "while evaluating the second argument passed to builtins.appendContext")
        let names = evaluator.names
        var elements: [ContextElement] = evaluator.contexts.elements(of: original.context)
        for attribute in additions.entries {
            let key = evaluator.symbols.string(attribute.name)
            guard let path = try? evaluator.host.store.parse(key) else {
                throw EvaluationError(
                    .evaluation, "context key '\(key)' is not a store path", at: attribute.position)
            }
            let facts = try evaluator.forceAttributes(
                attribute.value, at: attribute.position, "while evaluating the value of a string context")
            if let isPath = facts.find(names.path)?.pointee,
                try evaluator.forceBoolean(
                    isPath.value, at: isPath.position, "while evaluating the `path` attribute of a string context")
            {
                elements.append(.path(path))
            }
            if let isAll = facts.find(names.allOutputs)?.pointee,
                try evaluator.forceBoolean(
                    isAll.value, at: isAll.position,
                    "while evaluating the `allOutputs` attribute of a string context")
            {
                guard path.isDerivation else {
                    throw EvaluationError(
                        .evaluation,
                        "tried to add all-outputs context of \(key), which is not a derivation, to a string",
                        at: attribute.position)
                }
                elements.append(.derivation(path))
            }
            if let outputs = facts.find(names.outputs)?.pointee {
                let list = try evaluator.forceList(
                    outputs.value, at: outputs.position,
                    "while evaluating the `outputs` attribute of a string context")
                if list.listCount > 0, !path.isDerivation {
                    throw EvaluationError(
                        .evaluation,
                        "tried to add derivation output context of \(key), which is not a derivation, to a string",
                        at: attribute.position)
                }
                for output in list.list {
                    elements.append(
                        .output(
                            path,
                            try evaluator.forcePlainString(
                                output, at: outputs.position,
                                "while evaluating an output name within a string context"
                            ).string))
                }
            }
        }
        return .string(original.text, context: evaluator.contexts.context(elements))
    }
}
