/// Lists.
enum ListBuiltins {
    static var all: [Builtin] {
        [
            Builtin("elemAt", 2) { evaluator, arguments in
                let index = try evaluator.forceInteger(
                    arguments[1], "while evaluating the second argument passed to 'builtins.elemAt'")
                let list = try evaluator.forceList(
                    arguments[0], "while evaluating the first argument passed to 'builtins.elemAt'")
                guard index >= 0, index < list.listCount else {
                    throw EvaluationError(
                        .evaluation,
                        "'builtins.elemAt' called with index \(index) on a list of size \(list.listCount)")
                }
                return try evaluator.force(list.list[Int(index)])
            },
            Builtin("head", 1) { evaluator, arguments in
                let list = try evaluator.forceList(
                    arguments[0], "while evaluating the first argument passed to 'builtins.head'")
                guard list.listCount > 0 else {
                    throw EvaluationError(.evaluation, "'builtins.head' called on an empty list")
                }
                return try evaluator.force(list.list[0])
            },
            Builtin("tail", 1) { evaluator, arguments in
                let list = try evaluator.forceList(
                    arguments[0], "while evaluating the first argument passed to 'builtins.tail'")
                guard list.listCount > 0 else {
                    throw EvaluationError(.evaluation, "'builtins.tail' called on an empty list")
                }
                // Lists never change, so that the rest of one needs no copy.
                return list.listCount == 1
                    ? .emptyList : .list(list.list.baseAddress! + 1, count: list.listCount - 1)
            },
            Builtin("map", 2, isGlobal: true) { evaluator, arguments in
                let list = try evaluator.forceList(
                    arguments[1], "while evaluating the second argument passed to builtins.map")
                if list.listCount == 0 { return list }
                try evaluator.forceFunction(
                    arguments[0], "while evaluating the first argument passed to builtins.map")
                let result = evaluator.arena.allocate(ValueRef.self, count: list.listCount)
                for (index, element) in list.list.enumerated() {
                    (result + index).initialize(to: evaluator.arena.value(.application(arguments[0], element)))
                }
                return .list(result, count: list.listCount)
            },
            Builtin("filter", 2) { evaluator, arguments in
                let list = try evaluator.forceList(
                    arguments[1], "while evaluating the second argument passed to builtins.filter")
                if list.listCount == 0 { return list }
                let function = arguments[0]
                try evaluator.forceFunction(function, "while evaluating the first argument passed to builtins.filter")
                var kept: [ValueRef] = []
                for element in list.list
                where try evaluator.boolean(
                    try evaluator.call(function, element),
                    "while evaluating the return value of the filtering function passed to builtins.filter")
                {
                    kept.append(element)
                }
                return kept.count == list.listCount ? list : evaluator.list(kept)
            },
            Builtin("elem", 2) { evaluator, arguments in
                let list = try evaluator.forceList(
                    arguments[1], "while evaluating the second argument passed to builtins.elem")
                let wanted = arguments[0]
                for element in list.list where try evaluator.areEqual(wanted, element, .none) { return .boolean(true) }
                return .boolean(false)
            },
            Builtin("concatLists", 1) { evaluator, arguments in
                let lists = try evaluator.forceList(
                    arguments[0], "while evaluating the first argument passed to builtins.concatLists")
                return try concat(
                    evaluator,
                    try lists.list.map {
                        try evaluator.forceList(
                            $0, "while evaluating a value of the list passed to builtins.concatLists")
                    })
            },
            Builtin("length", 1) { evaluator, arguments in
                .integer(
                    Int64(
                        try evaluator.forceList(
                            arguments[0], "while evaluating the first argument passed to builtins.length"
                        ).listCount))
            },
            Builtin("foldl'", 3) { evaluator, arguments in
                let function = arguments[0]
                try evaluator.forceFunction(
                    function, "while evaluating the first argument passed to builtins.foldlStrict")
                let list = try evaluator.forceList(
                    arguments[2], "while evaluating the third argument passed to builtins.foldlStrict")
                guard list.listCount > 0 else { return try evaluator.force(arguments[1]) }
                var current = arguments[1]
                for element in list.list {
                    current = evaluator.arena.value(try evaluator.call(function, current, element))
                }
                return current.pointee
            },
            anyOrAll("any", true),
            anyOrAll("all", false),
            Builtin("genList", 2) { evaluator, arguments in
                let count = try evaluator.forceInteger(
                    arguments[1], "while evaluating the second argument passed to builtins.genList")
                guard count >= 0, count < 1 << 40 else {
                    throw EvaluationError(.evaluation, "cannot create list of size \(count)")
                }
                try evaluator.forceFunction(
                    arguments[0], "while evaluating the first argument passed to builtins.genList")
                if count == 0 { return .emptyList }
                let result = evaluator.arena.allocate(ValueRef.self, count: Int(count))
                for index in 0..<Int(count) {
                    let number = evaluator.arena.value(.integer(Int64(index)))
                    (result + index).initialize(to: evaluator.arena.value(.application(arguments[0], number)))
                }
                return .list(result, count: Int(count))
            },
            Builtin("sort", 2) { evaluator, arguments in try sort(evaluator, arguments) },
            Builtin("partition", 2) { evaluator, arguments in
                let function = arguments[0]
                try evaluator.forceFunction(
                    function, "while evaluating the first argument passed to builtins.partition")
                let list = try evaluator.forceList(
                    arguments[1], "while evaluating the second argument passed to builtins.partition")
                var (right, wrong): ([ValueRef], [ValueRef]) = ([], [])
                for element in list.list {
                    _ = try evaluator.force(element)
                    if try evaluator.boolean(
                        try evaluator.call(function, element),
                        "while evaluating the return value of the partition function passed to builtins.partition")
                    {
                        right.append(element)
                    } else {
                        wrong.append(element)
                    }
                }
                return evaluator.set([
                    (evaluator.names.right, evaluator.arena.value(evaluator.list(right))),
                    (evaluator.names.wrong, evaluator.arena.value(evaluator.list(wrong))),
                ])
            },
            Builtin("groupBy", 2) { evaluator, arguments in
                let function = arguments[0]
                try evaluator.forceFunction(function, "while evaluating the first argument passed to builtins.groupBy")
                let list = try evaluator.forceList(
                    arguments[1], "while evaluating the second argument passed to builtins.groupBy")
                var groups: [Symbol: [ValueRef]] = [:]
                for element in list.list {
                    let key = evaluator.arena.value(try evaluator.call(function, element))
                    let name = try evaluator.forcePlainString(
                        key,
                        "while evaluating the return value of the grouping function passed to builtins.groupBy")
                    groups[evaluator.symbols.intern(name), default: []].append(element)
                }
                return evaluator.set(groups.map { ($0.key, evaluator.arena.value(evaluator.list($0.value))) })
            },
            Builtin("concatMap", 2) { evaluator, arguments in
                let function = arguments[0]
                try evaluator.forceFunction(
                    function, "while evaluating the first argument passed to builtins.concatMap")
                let list = try evaluator.forceList(
                    arguments[1], "while evaluating the second argument passed to builtins.concatMap")
                var parts: [Value] = []
                parts.reserveCapacity(list.listCount)
                for element in list.list {
                    let part = evaluator.arena.value(try evaluator.call(function, element))
                    parts.append(
                        try evaluator.forceList(
                            part,
                            at: evaluator.position(of: part.pointee, else: evaluator.position(of: function.pointee)),
                            "while evaluating the return value of the function passed to builtins.concatMap"))
                }
                return try concat(evaluator, parts)
            },
        ]
    }

    private static func concat(_ evaluator: Evaluator, _ lists: [Value]) throws -> Value {
        let count = lists.reduce(0) { $0 + $1.listCount }
        guard count > 0 else { return .emptyList }
        if let only = lists.first(where: { $0.listCount == count }) { return only }
        let result = evaluator.arena.allocate(ValueRef.self, count: count)
        var out = result
        for list in lists where list.listCount > 0 {
            out.initialize(from: list.list.baseAddress!, count: list.listCount)
            out += list.listCount
        }
        return .list(result, count: count)
    }

    private static func anyOrAll(_ name: String, _ isAny: Bool) -> Builtin {
        Builtin(name, 2) { evaluator, arguments in
            let function = arguments[0]
            try evaluator.forceFunction(function, "while evaluating the first argument passed to builtins.\(name)")
            let list = try evaluator.forceList(
                arguments[1], "while evaluating the second argument passed to builtins.\(name)")
            for element in list.list
            where try evaluator.boolean(
                try evaluator.call(function, element),
                "while evaluating the return value of the function passed to builtins.\(name)") == isAny
            {
                return .boolean(isAny)
            }
            return .boolean(!isAny)
        }
    }

    /// A stable merge sort. Whatever the comparison says, the result is an order of the same elements.
    private static func sort(_ evaluator: Evaluator, _ arguments: Builtin.Arguments) throws -> Value {
        let list = try evaluator.forceList(
            arguments[1], "while evaluating the second argument passed to builtins.sort")
        if list.listCount == 0 { return list }
        let function = arguments[0]
        try evaluator.forceFunction(function, "while evaluating the first argument passed to builtins.sort")
        for element in list.list { _ = try evaluator.force(element) }
        let isLessThan =
            function.pointee.tag == .builtin && function.pointee.builtin.pointee.name == "lessThan"
        func precedes(_ left: ValueRef, _ right: ValueRef) throws -> Bool {
            if isLessThan {
                return try evaluator.isLess(
                    left.pointee, right.pointee, "while evaluating the ordering function passed to builtins.sort")
            }
            return try evaluator.boolean(
                try evaluator.call(function, left, right),
                "while evaluating the return value of the sorting function passed to builtins.sort")
        }
        var source = Array(list.list)
        var target = source
        var width = 1
        while width < source.count {
            var start = 0
            while start < source.count {
                let middle = min(start + width, source.count)
                let end = min(start + 2 * width, source.count)
                var (left, right, out) = (start, middle, start)
                // Two runs that are in order already need one comparison.
                if middle < end, !(try precedes(source[middle], source[middle - 1])) {
                    target.replaceSubrange(start..<end, with: source[start..<end])
                    start = end
                    continue
                }
                while left < middle, right < end {
                    if try precedes(source[right], source[left]) {
                        target[out] = source[right]
                        right += 1
                    } else {
                        target[out] = source[left]
                        left += 1
                    }
                    out += 1
                }
                while left < middle {
                    target[out] = source[left]
                    left += 1
                    out += 1
                }
                while right < end {
                    target[out] = source[right]
                    right += 1
                    out += 1
                }
                start = end
            }
            swap(&source, &target)
            width *= 2
        }
        return evaluator.list(source)
    }
}
