#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The four operations on numbers: whole while both sides are, with overflow an error.
enum Arithmetic {
    private static func integer(_ evaluator: Evaluator, _ value: Value, _ context: String) throws -> Int64 {
        guard value.tag == .integer else {
            throw evaluator.traced(evaluator.typeError("an integer", value), .none, context)
        }
        return value.integer
    }

    private static func float(_ evaluator: Evaluator, _ value: Value, _ context: String) throws -> Double {
        switch value.tag {
        case .float: return value.float
        case .integer: return Double(value.integer)
        default: throw evaluator.traced(evaluator.typeError("a float", value), .none, context)
        }
    }

    private static func overflow(_ what: String, _ left: Int64, _ symbol: String, _ right: Int64) -> EvaluationError {
        EvaluationError(.evaluation, "integer overflow in \(what) \(left) \(symbol) \(right)")
    }

    static func add(_ evaluator: Evaluator, _ left: Value, _ right: Value) throws -> Value {
        let contexts = (
            "while evaluating the first argument of the addition",
            "while evaluating the second argument of the addition"
        )
        if left.tag == .float || right.tag == .float {
            return .float(
                try float(evaluator, left, contexts.0) + (try float(evaluator, right, contexts.1)))
        }
        let first = try integer(evaluator, left, contexts.0)
        let second = try integer(evaluator, right, contexts.1)
        let (result, overflows) = first.addingReportingOverflow(second)
        if overflows { throw overflow("adding", first, "+", second) }
        return .integer(result)
    }

    static func subtract(_ evaluator: Evaluator, _ left: Value, _ right: Value) throws -> Value {
        let contexts = (
            "while evaluating the first argument of the subtraction",
            "while evaluating the second argument of the subtraction"
        )
        if left.tag == .float || right.tag == .float {
            return .float(
                try float(evaluator, left, contexts.0) - (try float(evaluator, right, contexts.1)))
        }
        let first = try integer(evaluator, left, contexts.0)
        let second = try integer(evaluator, right, contexts.1)
        let (result, overflows) = first.subtractingReportingOverflow(second)
        if overflows { throw overflow("subtracting", first, "-", second) }
        return .integer(result)
    }

    static func multiply(_ evaluator: Evaluator, _ left: Value, _ right: Value) throws -> Value {
        if left.tag == .float || right.tag == .float {
            return .float(
                try float(evaluator, left, "while evaluating the first of the multiplication")
                    * (try float(evaluator, right, "while evaluating the second argument of the multiplication")))
        }
        let first = try integer(evaluator, left, "while evaluating the first argument of the multiplication")
        let second = try integer(evaluator, right, "while evaluating the second argument of the multiplication")
        let (result, overflows) = first.multipliedReportingOverflow(by: second)
        if overflows { throw overflow("multiplying", first, "*", second) }
        return .integer(result)
    }

    static func divide(_ evaluator: Evaluator, _ left: Value, _ right: Value) throws -> Value {
        let divisor = try float(evaluator, right, "while evaluating the second operand of the division")
        if divisor == 0 { throw EvaluationError(.evaluation, "division by zero") }
        if left.tag == .float || right.tag == .float {
            return .float(
                try float(evaluator, left, "while evaluating the first operand of the division") / divisor)
        }
        let first = try integer(evaluator, left, "while evaluating the first operand of the division")
        let second = try integer(evaluator, right, "while evaluating the second operand of the division")
        let (result, overflows) = first.dividedReportingOverflow(by: second)
        if overflows { throw overflow("dividing", first, "/", second) }
        return .integer(result)
    }
}

enum ArithmeticBuiltins {
    static var all: [Builtin] {
        [
            Builtin("add", 2) { evaluator, arguments in
                try Arithmetic.add(evaluator, try evaluator.force(arguments[0]), try evaluator.force(arguments[1]))
            },
            Builtin("sub", 2) { evaluator, arguments in
                try Arithmetic.subtract(evaluator, try evaluator.force(arguments[0]), try evaluator.force(arguments[1]))
            },
            Builtin("mul", 2) { evaluator, arguments in
                try Arithmetic.multiply(evaluator, try evaluator.force(arguments[0]), try evaluator.force(arguments[1]))
            },
            Builtin("div", 2) { evaluator, arguments in
                try Arithmetic.divide(evaluator, try evaluator.force(arguments[0]), try evaluator.force(arguments[1]))
            },
            Builtin("lessThan", 2) { evaluator, arguments in
                .boolean(try evaluator.isLess(try evaluator.force(arguments[0]), try evaluator.force(arguments[1]), ""))
            },
            bits("bitAnd") { $0 & $1 },
            bits("bitOr") { $0 | $1 },
            bits("bitXor") { $0 ^ $1 },
            rounding("ceil") { $0.rounded(.up) },
            rounding("floor") { $0.rounded(.down) },
        ]
    }

    private static func bits(_ name: String, _ operation: @escaping (Int64, Int64) -> Int64) -> Builtin {
        Builtin(name, 2) { evaluator, arguments in
            let left = try evaluator.forceInteger(
                arguments[0], "while evaluating the first argument passed to builtins.\(name)")
            let right = try evaluator.forceInteger(
                arguments[1], "while evaluating the second argument passed to builtins.\(name)")
            return .integer(operation(left, right))
        }
    }

    private static func rounding(_ name: String, _ operation: @escaping (Double) -> Double) -> Builtin {
        Builtin(name, 1) { evaluator, arguments in
            let number = try evaluator.forceFloat(
                arguments[0], at: evaluator.position(of: arguments[0].pointee),
                "while evaluating the first argument passed to builtins.\(name)")
            let value = arguments[0].pointee
            // Nix goes through a float, and refuses where that would have lost something.
            let prefix = "Due to a bug (see https://github.com/NixOS/nix/issues/12899) "
            let suffix = "\n\tFuture Nix versions might implement the correct behavior."
            guard let result = Int64(exactly: operation(number)) else {
                throw EvaluationError(
                    .evaluation,
                    value.tag == .integer
                        ? prefix
                            + "the NixInt argument \(value.integer) caused undefined behavior in previous Nix versions."
                            + suffix
                        : "NixFloat argument \(Literal.float(number)) is not in the range of NixInt")
            }
            if value.tag == .integer, value.integer != result {
                throw EvaluationError(
                    .evaluation,
                    prefix
                        + "a loss of precision occurred in previous Nix versions because the NixInt argument \(value.integer) was rounded to \(result)."
                        + suffix)
            }
            return .integer(result)
        }
    }
}
