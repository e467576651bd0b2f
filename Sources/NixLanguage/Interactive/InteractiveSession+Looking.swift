import NixStore

// Looking things up: names, derivations, places.
extension InteractiveSession {
    /// What `text` may go on to be: names in scope, or, behind a dot, attributes of what is before it. Each as a whole.
    public func completions(of text: String) -> [String] {
        guard let dot = text.lastIndex(of: ".") else {
            let own = names.keys.map(evaluator.symbols.string)
            let all = own + evaluator.baseSlots.keys.map(evaluator.symbols.string).filter { !$0.hasPrefix("__") }
            return Set(all + ["if", "inherit", "let", "rec", "then", "with", "assert", "else", "in"])
                .filter { $0.hasPrefix(text) }.sorted()
        }
        let subject = String(text[..<dot])
        let prefix = text[text.index(after: dot)...]
        // What cannot be evaluated has no attributes to offer.
        let value = try? failing { try evaluator.force(try thunk(subject)) }
        guard let value, value.tag == .attributes else { return [] }
        return value.attributes.entries.map { evaluator.symbols.text($0.name) }
            .map { String(decoding: Literal.attributeName($0), as: UTF8.self) }
            .filter { $0.hasPrefix(prefix) }.map { subject + "." + $0 }.sorted()
    }

    /// The derivation that an expression's value is, and its outputs' names and paths.
    public struct FoundDerivation {
        public let path: StorePath
        public let outputs: [(name: String, path: StorePath?)]
    }

    /// - Throws: also when the value is no derivation.
    public func derivation(of text: String) throws(Failure) -> FoundDerivation {
        try failing { try find(text) }
    }

    /// Builds all outputs of a derivation.
    public func build(_ text: String) throws(Failure) -> FoundDerivation {
        try failing {
            let found = try find(text)
            try evaluator.host.realise(found.outputs.map { (found.path, $0.name) })
            return found
        }
    }

    private func find(_ text: String) throws -> FoundDerivation {
        let value = try evaluator.force(try thunk(text))
        guard value.tag == .attributes, try evaluator.isDerivation(value.attributes) else {
            throw EvaluationError(.type, "expression does not evaluate to a derivation, so I can't build it")
        }
        let attribute = try evaluator.attribute(evaluator.names.drvPath, of: value.attributes, "in a derivation")
            .pointee
        let path = try evaluator.host.store.parse(
            try evaluator.forceString(attribute.value, "while evaluating the 'drvPath' of a derivation").text.string)
        let derivation = try evaluator.host.derivation(at: path)
        return FoundDerivation(
            path: path,
            outputs: try derivation.outputs.keys.sorted().map {
                ($0, try derivation.path(of: $0, in: evaluator.host.store))
            })
    }

    /// Where a value was written: a path or string is a file itself, a function or set knows its place, a package says
    /// it in `meta.position`.
    public func place(of text: String) throws(Failure) -> (file: String, line: Int) {
        try failing {
            let value = try evaluator.force(try thunk(text))
            if value.tag == .path || value.tag == .string {
                var context = Context.none
                let path = try evaluator.coerceToPath(
                    evaluator.arena.value(value), context: &context, "while evaluating the file to edit")
                return (try evaluator.resolveExpressionPath(path), 1)
            }
            if value.tag == .attributes, let meta = value.attributes[evaluator.symbols.intern("meta")],
                case let meta = try evaluator.force(meta), meta.tag == .attributes,
                let position = meta.attributes[evaluator.symbols.intern("position")]
            {
                let words = try evaluator.forceString(position, "while evaluating 'meta.position'").text.string
                if let colon = words.lastIndex(of: ":"), let line = Int(words[words.index(after: colon)...]) {
                    return (String(words[..<colon]), line)
                }
            }
            let position = evaluator.position(of: value)
            guard let location = evaluator.positions.location(position), case .file(let file) = location.origin else {
                throw EvaluationError(.evaluation, "cannot tell in which file '\(text)' was written")
            }
            return (file, location.line)
        }
    }

    /// What a built-in function is called, and how many arguments it takes.
    public func builtin(_ text: String) throws(Failure) -> (name: String, arity: Int) {
        try failing {
            let value = try evaluator.force(try thunk(text))
            switch value.tag {
            case .builtin: return (value.builtin.pointee.name, value.builtin.pointee.arity)
            case .partialBuiltin: return (value.partialRoot.pointee.name, value.partialRoot.pointee.arity)
            default: throw EvaluationError(.evaluation, "value does not have documentation")
            }
        }
    }
}
