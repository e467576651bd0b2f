/// Values from and to texts of other languages.
enum ConversionBuiltins {
    static var all: [Builtin] {
        [
            Builtin("toJSON", 1) { evaluator, arguments in
                var json = JSONText(evaluator)
                try json.write(arguments[0])
                return evaluator.newString(json.bytes, context: json.context)
            },
            Builtin("fromJSON", 1) { evaluator, arguments in
                let text = try evaluator.forcePlainString(
                    arguments[0], "while evaluating the first argument passed to builtins.fromJSON")
                var reader = JSONReader(evaluator, text.bytes)
                do { return try reader.document() } catch {
                    let error = evaluator.evaluationError(error)
                    throw error.kind == .parse ? error.tracing(.none, "while decoding a JSON string") : error
                }
            },
            Builtin("toXML", 1) { evaluator, arguments in
                var printer = XMLPrinter(evaluator, isStrict: true, showsLocations: false)
                try printer.print(arguments[0])
                return evaluator.newString(printer.bytes, context: printer.context)
            },
            Builtin("fromTOML", 1, isGlobal: true) { evaluator, arguments in
                let text = try evaluator.forcePlainString(
                    arguments[0], "while evaluating the argument passed to builtins.fromTOML")
                do { return try TOMLConversion(evaluator: evaluator).document(text.bytes) } catch {
                    let error = evaluator.evaluationError(error)
                    guard error.kind != .stackOverflow else { throw error }
                    let prefix = error.kind == .parse ? "" : "error: "
                    throw EvaluationError(.evaluation, "while parsing TOML: \(prefix)\(error.message)")
                }
            },
        ]
    }
}

extension Evaluator {
    /// Strings of the language hold no zero byte.
    func refuseNull(_ bytes: [UInt8]) throws {
        guard bytes.contains(0) else { return }
        let shown = String(decoding: bytes.flatMap { $0 == 0 ? Array("␀".utf8) : [$0] }, as: UTF8.self)
        throw EvaluationError(
            .evaluation, "input string '\(shown)' cannot be represented as Nix string because it contains null bytes")
    }
}
