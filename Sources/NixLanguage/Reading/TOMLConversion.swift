import TOML

/// What `fromTOML` makes of a TOML text.
struct TOMLConversion {
    let evaluator: Evaluator

    func document(_ bytes: UnsafeBufferPointer<UInt8>) throws -> Value {
        var reader = TOMLReader(bytes) { _ in try evaluator.checkStack(.none) }
        let table: TOMLTable
        do { table = try reader.document() } catch let error as TOMLError {
            throw EvaluationError(.parse, Self.text(of: error))
        }
        return try value(.table(table))
    }

    /// As Nix's reader of TOML says it, where it does so with a picture.
    private static func text(of error: TOMLError) -> String {
        guard let range = error.range, range.radix == 10, let line = error.line else { return error.description }
        let margin = String(repeating: " ", count: "\(line)".count)
        return """
            [error] toml::parse_dec_integer: too large integer: current max digits = 2^63
            \(margin)--> fromTOML
             \(margin) |
             \(line) | \(range.lineText)
             \(margin) |\(String(repeating: " ", count: range.column + 1))^-- must be < 2^63

            """
    }

    private func value(_ toml: TOMLValue) throws -> Value {
        try evaluator.checkStack(.none)
        switch toml {
        case .string(let bytes):
            try evaluator.refuseNull(bytes)
            return evaluator.newString(bytes)
        case .integer(let number): return .integer(number)
        case .float(let number): return .float(number)
        case .boolean(let isTrue): return .boolean(isTrue)
        case .timestamp(let text):
            guard evaluator.settings.parsesTOMLTimestamps else {
                throw EvaluationError(.parse, "Dates and times are not supported")
            }
            let type = evaluator.symbols.intern("_type")
            return evaluator.set([
                (type, evaluator.arena.value(evaluator.string("timestamp"))),
                (evaluator.names.value, evaluator.arena.value(evaluator.string(text))),
            ])
        case .array(let elements):
            return evaluator.list(try elements.map { evaluator.arena.value(try value($0)) })
        case .table(let table):
            return evaluator.set(
                try table.entries.map { entry in
                    try evaluator.refuseNull(entry.name)
                    let symbol = entry.name.withUnsafeBufferPointer { evaluator.symbols.intern($0) }
                    return (symbol, evaluator.arena.value(try value(entry.value)))
                })
        }
    }
}
