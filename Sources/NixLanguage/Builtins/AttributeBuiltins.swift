/// Attribute sets.
enum AttributeBuiltins {
    static var all: [Builtin] {
        [
            Builtin("attrNames", 1) { evaluator, arguments in
                let attributes = try evaluator.forceAttributes(
                    arguments[0], "while evaluating the argument passed to builtins.attrNames")
                return evaluator.list(attributes.sorted(by: evaluator.symbols).map { evaluator.symbols.value($0.name) })
            },
            Builtin("attrValues", 1) { evaluator, arguments in
                let attributes = try evaluator.forceAttributes(
                    arguments[0], "while evaluating the argument passed to builtins.attrValues")
                return evaluator.list(attributes.sorted(by: evaluator.symbols).map(\.value))
            },
            Builtin("getAttr", 2) { evaluator, arguments in
                let name = try evaluator.forcePlainString(
                    arguments[0], "while evaluating the first argument passed to builtins.getAttr")
                let attributes = try evaluator.forceAttributes(
                    arguments[1], "while evaluating the second argument passed to builtins.getAttr")
                let attribute = try evaluator.attribute(
                    evaluator.symbols.intern(name), of: attributes, "in the attribute set under consideration")
                return try evaluator.force(attribute.pointee.value)
            },
            Builtin("unsafeGetAttrPos", 2) { evaluator, arguments in
                let name = try evaluator.forcePlainString(
                    arguments[0], "while evaluating the first argument passed to builtins.unsafeGetAttrPos")
                let attributes = try evaluator.forceAttributes(
                    arguments[1], "while evaluating the second argument passed to builtins.unsafeGetAttrPos")
                guard let attribute = attributes.find(evaluator.symbols.intern(name)) else { return .null }
                return evaluator.positionValue(attribute.pointee.position)
            },
            Builtin("hasAttr", 2) { evaluator, arguments in
                let name = try evaluator.forcePlainString(
                    arguments[0], "while evaluating the first argument passed to builtins.hasAttr")
                let attributes = try evaluator.forceAttributes(
                    arguments[1], "while evaluating the second argument passed to builtins.hasAttr")
                guard let symbol = evaluator.symbols.find(name.bytes) else { return .boolean(false) }
                return .boolean(attributes.find(symbol) != nil)
            },
            Builtin("removeAttrs", 2, isGlobal: true) { evaluator, arguments in
                let attributes = try evaluator.forceAttributes(
                    arguments[0], "while evaluating the first argument passed to builtins.removeAttrs")
                let list = try evaluator.forceList(
                    arguments[1], "while evaluating the second argument passed to builtins.removeAttrs")
                var removed: [UInt32] = []
                for element in list.list {
                    let name = try evaluator.forcePlainString(
                        element, "while evaluating the values of the second argument passed to builtins.removeAttrs")
                    if let symbol = evaluator.symbols.find(name.bytes), attributes.find(symbol) != nil {
                        removed.append(symbol.id)
                    }
                }
                guard !removed.isEmpty else { return .attributes(attributes) }
                removed.sort()
                let result = Attributes(evaluator.arena, capacity: attributes.count)
                var next = 0
                var out = result.start
                for attribute in attributes.entries {
                    while next < removed.count, removed[next] < attribute.name.id { next += 1 }
                    if next < removed.count, removed[next] == attribute.name.id { continue }
                    out.initialize(to: attribute)
                    out += 1
                }
                result.count = out - result.start
                return .attributes(result)
            },
            Builtin("listToAttrs", 1) { evaluator, arguments in try listToAttributes(evaluator, arguments[0]) },
            Builtin("intersectAttrs", 2) { evaluator, arguments in
                let left = try evaluator.forceAttributes(
                    arguments[0], "while evaluating the first argument passed to builtins.intersectAttrs")
                let right = try evaluator.forceAttributes(
                    arguments[1], "while evaluating the second argument passed to builtins.intersectAttrs")
                let result = Attributes(evaluator.arena, capacity: min(left.count, right.count))
                if left.count < right.count {
                    for attribute in left.entries {
                        if let found = right.find(attribute.name) { result.append(found.pointee) }
                    }
                } else {
                    for attribute in right.entries where left.find(attribute.name) != nil { result.append(attribute) }
                }
                return .attributes(result)
            },
            Builtin("catAttrs", 2) { evaluator, arguments in
                let name = evaluator.symbols.intern(
                    try evaluator.forcePlainString(
                        arguments[0], "while evaluating the first argument passed to builtins.catAttrs"))
                let list = try evaluator.forceList(
                    arguments[1], "while evaluating the second argument passed to builtins.catAttrs")
                var found: [ValueRef] = []
                for element in list.list {
                    let attributes = try evaluator.forceAttributes(
                        element,
                        "while evaluating an element in the list passed as second argument to builtins.catAttrs")
                    if let value = attributes[name] { found.append(value) }
                }
                return evaluator.list(found)
            },
            Builtin("functionArgs", 1) { evaluator, arguments in
                let function = try evaluator.force(arguments[0])
                switch function.tag {
                case .builtin, .partialBuiltin: return .attributes(evaluator.emptyAttributes)
                case .lambda: break
                default: throw EvaluationError(.type, "'functionArgs' requires a function")
                }
                let formals = function.lambda.pointee.formals
                let result = Attributes(evaluator.arena, capacity: formals.count)
                for formal in formals.elements {
                    result.append(
                        formal.name, formal.fallback == nil ? evaluator.falseValue : evaluator.trueValue,
                        formal.position)
                }
                return .attributes(result)
            },
            Builtin("mapAttrs", 2) { evaluator, arguments in
                let attributes = try evaluator.forceAttributes(
                    arguments[1], "while evaluating the second argument passed to builtins.mapAttrs")
                let arena = evaluator.arena
                let result = Attributes(arena, capacity: attributes.count)
                for attribute in attributes.entries {
                    let function = arena.value(
                        .application(arguments[0], evaluator.symbols.value(attribute.name)))
                    result.append(attribute.name, arena.value(.application(function, attribute.value)))
                }
                return .attributes(result)
            },
            Builtin("zipAttrsWith", 2) { evaluator, arguments in try zip(evaluator, arguments) },
        ]
    }

    /// The first of several with one name counts.
    private static func listToAttributes(_ evaluator: Evaluator, _ argument: ValueRef) throws -> Value {
        let list = try evaluator.forceList(
            argument, "while evaluating the argument passed to builtins.listToAttrs")
        var pairs: [(name: UInt32, index: Int)] = []
        pairs.reserveCapacity(list.listCount)
        var isSorted = true
        for (index, element) in list.list.enumerated() {
            let pair = try evaluator.forceAttributes(
                element, "while evaluating an element of the list passed to builtins.listToAttrs")
            let name = try evaluator.attribute(evaluator.names.name, of: pair, "in a {name=...; value=...;} pair")
            let text = try evaluator.forcePlainString(
                name.pointee.value, at: name.pointee.position,
                "while evaluating the `name` attribute of an element of the list passed to builtins.listToAttrs")
            let symbol = evaluator.symbols.intern(text).id
            if let last = pairs.last, last.name >= symbol { isSorted = false }
            pairs.append((symbol, index))
        }
        if !isSorted { pairs.sort { ($0.name, $0.index) < ($1.name, $1.index) } }
        let result = Attributes(evaluator.arena, capacity: pairs.count)
        var previous: UInt32 = 0
        for pair in pairs where pair.name != previous {
            previous = pair.name
            let value = try evaluator.attribute(
                evaluator.names.value, of: list.list[pair.index].pointee.attributes,
                "in a {name=...; value=...;} pair")
            result.append(Symbol(id: pair.name), value.pointee.value, value.pointee.position)
        }
        return .attributes(result)
    }

    private static func zip(_ evaluator: Evaluator, _ arguments: Builtin.Arguments) throws -> Value {
        let function = arguments[0]
        try evaluator.forceFunction(function, "while evaluating the first argument passed to builtins.zipAttrsWith")
        let list = try evaluator.forceList(
            arguments[1], "while evaluating the second argument passed to builtins.zipAttrsWith")
        var entries: [(name: UInt32, order: Int, value: ValueRef)] = []
        for element in list.list {
            let attributes = try evaluator.forceAttributes(
                element,
                "while evaluating a value of the list passed as second argument to builtins.zipAttrsWith")
            for attribute in attributes.entries { entries.append((attribute.name.id, entries.count, attribute.value)) }
        }
        entries.sort { ($0.name, $0.order) < ($1.name, $1.order) }
        let arena = evaluator.arena
        let result = Attributes(arena, capacity: entries.count)
        var start = 0
        while start < entries.count {
            var end = start + 1
            while end < entries.count, entries[end].name == entries[start].name { end += 1 }
            let name = Symbol(id: entries[start].name)
            let first = arena.value(.application(function, evaluator.symbols.value(name)))
            let values = arena.value(evaluator.list(entries[start..<end].map(\.value)))
            result.append(name, arena.value(.application(first, values)))
            start = end
        }
        return .attributes(result)
    }
}
