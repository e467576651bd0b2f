import NixStore

/// A derivation that a walk has found, and what can be asked of it. What is not asked is not evaluated.
struct Package {
    let evaluator: Evaluator
    /// `a.b.c`: where it was found.
    let attributePath: String
    let attributes: Attributes
    /// As in its attribute `name`.
    let name: Text

    init(_ evaluator: Evaluator, at path: String, _ attributes: Attributes) throws {
        self.evaluator = evaluator
        attributePath = path
        self.attributes = attributes
        guard let name = attributes.find(evaluator.names.name)?.pointee else {
            throw EvaluationError(.type, "derivation name missing")
        }
        self.name = try evaluator.forcePlainString(
            name.value, at: name.position, "while evaluating the 'name' attribute of a derivation")
    }

    /// The name without its version, and the version.
    var nameParts: (name: Text, version: Text) {
        let (name, version) = VersionBuiltins.split(name.bytes)
        return (
            Text(evaluator.arena, Array(name)), Text(evaluator.arena, Array(version))
        )
    }

    private func string(_ attribute: String) throws -> Text? {
        guard let found = attributes.find(evaluator.symbols.intern(attribute))?.pointee else { return nil }
        return try evaluator.forcePlainString(
            found.value, at: found.position, "while evaluating the '\(attribute)' attribute of a derivation")
    }

    func system() throws -> String { try string("system")?.string ?? "unknown" }
    func outputName() throws -> String { try string("outputName")?.string ?? "" }

    private func storePath(_ attribute: Attribute, _ what: String) throws -> String {
        var context = Context.none
        return try evaluator.coerce(
            attribute.value, .plain, attribute.position, context: &context,
            "while evaluating the '\(what)' attribute of a derivation"
        ).string
    }

    func derivationPath() throws -> String? {
        try attributes.find(evaluator.names.drvPath).map { try storePath($0.pointee, "drvPath") }
    }

    /// Outputs in order of names, with their paths if they are wanted.
    func outputs(withPaths: Bool) throws -> [(name: String, path: String?)] {
        guard let list = attributes.find(evaluator.names.outputs)?.pointee else {
            let path =
                try withPaths
                ? attributes.find(evaluator.names.outPath).map { try storePath($0.pointee, "outPath") } : nil
            return [("out", path)]
        }
        let names = try evaluator.forceList(
            list.value, at: list.position, "while evaluating the 'outputs' attribute of a derivation")
        var outputs: [String: String?] = [:]
        for element in names.list {
            let name = try evaluator.forcePlainString(
                element, at: list.position, "while evaluating the name of an output of a derivation"
            ).string
            guard withPaths else {
                outputs[name] = .some(nil)
                continue
            }
            guard let output = attributes.find(evaluator.symbols.intern(name))?.pointee else { continue }
            let set = try evaluator.forceAttributes(
                output.value, at: output.position, "while evaluating an output of a derivation")
            guard let path = set.find(evaluator.names.outPath)?.pointee else { continue }
            outputs[name] = try storePath(path, "outPath")
        }
        return outputs.map { ($0.key, $0.value) }.sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
    }

    // MARK: What is said of it

    private func meta() throws -> Attributes? {
        guard let meta = attributes.find(evaluator.symbols.intern("meta"))?.pointee else { return nil }
        return try evaluator.forceAttributes(
            meta.value, at: meta.position, "while evaluating the 'meta' attribute of a derivation")
    }

    /// The attributes of `meta` in order; `nil` for what is no plain data.
    func metaEntries() throws -> [(name: Text, value: ValueRef?)] {
        guard let meta = try meta() else { return [] }
        return try meta.sorted(by: evaluator.symbols).map { attribute in
            (evaluator.symbols.text(attribute.name), try isPlain(attribute.value) ? attribute.value : nil)
        }
    }

    func description() throws -> String {
        guard let found = try meta()?.find(evaluator.symbols.intern("description"))?.pointee,
            try isPlain(found.value), case let value = found.value.pointee, value.tag == .string
        else { return "" }
        return value.text.string
    }

    private func isPlain(_ reference: ValueRef) throws -> Bool {
        try evaluator.checkStack(.none)
        let value = try evaluator.force(reference)
        switch value.tag {
        case .list: return try value.list.allSatisfy(isPlain)
        case .attributes:
            if value.attributes.find(evaluator.names.outPath) != nil { return false }
            return try value.attributes.entries.allSatisfy { try isPlain($0.value) }
        case .integer, .boolean, .string, .float: return true
        default: return false
        }
    }
}
