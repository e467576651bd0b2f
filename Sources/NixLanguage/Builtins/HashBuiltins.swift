import NixStore

/// Hashes.
enum HashBuiltins {
    static var all: [Builtin] {
        [
            Builtin("hashString", 2) { evaluator, arguments in
                let algorithm = try algorithm(
                    try evaluator.forcePlainString(
                        arguments[0], "while evaluating the first argument passed to builtins.hashString"))
                let text = try evaluator.forceString(
                    arguments[1], "while evaluating the second argument passed to builtins.hashString")
                return evaluator.string(Hash(algorithm, of: UnsafeRawBufferPointer(text.text.bytes)).text(.base16))
            },
            Builtin("hashFile", 2) { evaluator, arguments in
                let algorithm = try algorithm(
                    try evaluator.forcePlainString(
                        arguments[0], "while evaluating the first argument passed to builtins.hashFile"))
                let path = try evaluator.resolveSymlinks(try evaluator.realisePath(arguments[1]))
                return evaluator.string(Hash(algorithm, of: try evaluator.host.readFile(path)).text(.base16))
            },
            Builtin("convertHash", 1) { evaluator, arguments in try convert(evaluator, arguments[0]) },
        ]
    }

    static func algorithm(_ name: Text) throws -> HashAlgorithm {
        guard let algorithm = HashAlgorithm(rawValue: name.string) else {
            throw EvaluationError(.usage, HashAlgorithm.unknown(name.string))
        }
        return algorithm
    }

    /// A hash given by an attribute; an empty one stands for zeros, with a warning.
    static func hash(_ evaluator: Evaluator, _ text: String, algorithm: HashAlgorithm?) throws -> Hash {
        guard text.isEmpty else { return try Hash(parsing: text, algorithm: algorithm) }
        guard let algorithm else {
            throw EvaluationError(.evaluation, "empty hash requires explicit hash algorithm")
        }
        let zero = Hash.zero(algorithm)
        evaluator.warn(EvaluationError(.evaluation, "found empty hash, assuming '\(zero.text(.sri))'"))
        return zero
    }

    private static func convert(_ evaluator: Evaluator, _ argument: ValueRef) throws -> Value {
        let attributes = try evaluator.forceAttributes(
            argument, "while evaluating the first argument passed to builtins.convertHash")
        let hash = try evaluator.attribute(
            evaluator.names.hash, of: attributes, "while locating the attribute 'hash'")
        let text = try evaluator.forcePlainString(
            hash.pointee.value, "while evaluating the attribute 'hash'"
        ).string
        var algorithm: HashAlgorithm?
        if let named = attributes[evaluator.symbols.intern("hashAlgo")] {
            let name = try evaluator.forcePlainString(named, "while evaluating the attribute 'hashAlgo'").string
            algorithm = HashAlgorithm(rawValue: name)
            if algorithm == nil {
                throw EvaluationError(.usage, HashAlgorithm.unknown(name))
            }
        }
        let format = try evaluator.attribute(
            evaluator.symbols.intern("toHashFormat"), of: attributes, "while locating the attribute 'toHashFormat'")
        let formatName = try evaluator.forcePlainString(
            format.pointee.value, "while evaluating the attribute 'toHashFormat'"
        ).string
        let parsed: Hash.Format
        if formatName == "base32" {
            evaluator.warn(EvaluationError(.evaluation, "\"base32\" is a deprecated alias for hash format \"nix32\"."))
            parsed = .nix32
        } else if let named = Hash.Format(rawValue: formatName) {
            parsed = named
        } else {
            throw EvaluationError(
                .usage, "unknown hash format '\(formatName)', expect 'base16', 'base32', 'base64', or 'sri'")
        }
        return evaluator.string(try Hash(parsing: text, algorithm: algorithm).text(parsed))
    }
}
