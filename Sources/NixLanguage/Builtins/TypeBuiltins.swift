/// What kind a value is of.
enum TypeBuiltins {
    static var all: [Builtin] {
        [
            Builtin("typeOf", 1) { evaluator, arguments in
                .string(Text(evaluator.arena, try evaluator.force(arguments[0]).typeName))
            },
            Builtin("isFunction", 1) { evaluator, arguments in
                .boolean(try evaluator.force(arguments[0]).isFunction)
            },
            Builtin("isNull", 1, isGlobal: true) { evaluator, arguments in
                .boolean(try evaluator.force(arguments[0]).tag == .null)
            },
        ]
            + [
                ("isInt", Value.Tag.integer), ("isFloat", .float), ("isString", .string), ("isBool", .boolean),
                ("isPath", .path), ("isAttrs", .attributes), ("isList", .list),
            ].map { name, tag in
                Builtin(name, 1) { evaluator, arguments in .boolean(try evaluator.force(arguments[0]).tag == tag) }
            }
    }
}
