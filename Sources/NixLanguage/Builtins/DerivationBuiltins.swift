import NixStore

/// Derivations.
enum DerivationBuiltins {
    static var all: [Builtin] {
        [
            Builtin("derivationStrict", 1, isGlobal: true) { evaluator, arguments in
                let attributes = try evaluator.forceAttributes(
                    arguments[0], "while evaluating the argument passed to builtins.derivationStrict")
                let nameAttribute = try evaluator.attribute(
                    evaluator.names.name, of: attributes,
                    "in the attrset passed as argument to builtins.derivationStrict"
                ).pointee
                let name: String
                do {
                    name = try evaluator.forcePlainString(
                        nameAttribute.value,
                        "while evaluating the `name` attribute passed to builtins.derivationStrict"
                    ).string
                } catch {
                    throw evaluator.traced(
                        error, nameAttribute.position, "while evaluating the derivation attribute 'name'")
                }
                do {
                    var builder = try DerivationBuilder(evaluator, name: name, attributes: attributes)
                    return try builder.build()
                } catch {
                    let place = evaluator.positions.location(nameAttribute.position)?.description ?? "«none»"
                    throw evaluator.traced(
                        error, .none,
                        "while evaluating derivation '\(name)'\n  whose name attribute is located at \(place)",
                        isAlwaysShown: true)
                }
            },
            Builtin("placeholder", 1, isGlobal: true) { evaluator, arguments in
                let output = try evaluator.forcePlainString(
                    arguments[0], "while evaluating the first argument passed to builtins.placeholder")
                return evaluator.string(StoreDirectory.placeholder(output: output.string))
            },
        ]
    }
}

extension Evaluator: DerivationHashes {
    func hashModulo(of path: StorePath) throws -> Hash {
        if let known = derivationHashes[path] { return known }
        let hash = try host.derivation(at: path).hashModulo(in: host.store, inputs: self)
        derivationHashes[path] = hash
        return hash
    }
}

/// Makes a store derivation of an attribute set: the heart of `derivationStrict`.
private struct DerivationBuilder {
    private let evaluator: Evaluator
    private let name: String
    private let attributes: Attributes
    private var derivation: Derivation
    private var context = Context.none
    private var outputs: [String] = ["out"]
    private var outputHash: String?
    private var outputHashAlgorithm: HashAlgorithm?
    private var method: IngestionMethod?
    private var ignoresNulls = false
    /// The attributes as JSON, when `__structuredAttrs` asks for that.
    private var structured: [(name: Text, json: [UInt8])]?

    init(_ evaluator: Evaluator, name: String, attributes: Attributes) throws {
        self.evaluator = evaluator
        self.name = name
        self.attributes = attributes
        derivation = Derivation(name: name)
        do { try StorePath.check(name: name) } catch {
            throw EvaluationError(
                .evaluation, "invalid derivation name: \(error.reason). Please pass a different 'name'.")
        }
        if let wanted = attributes[evaluator.names.structuredAttrs],
            try evaluator.forceBoolean(
                wanted, "while evaluating the `__structuredAttrs` attribute passed to builtins.derivationStrict")
        {
            structured = []
        }
        if let wanted = attributes[evaluator.names.ignoreNulls] {
            ignoresNulls = try evaluator.forceBoolean(
                wanted, "while evaluating the `__ignoreNulls` attribute passed to builtins.derivationStrict")
        }
    }

    mutating func build() throws -> Value {
        for attribute in attributes.sorted(by: evaluator.symbols) where attribute.name != evaluator.names.ignoreNulls {
            do { try add(attribute) } catch {
                throw evaluator.traced(
                    error, attribute.position,
                    "while evaluating attribute '\(evaluator.symbols.string(attribute.name))' of derivation '\(name)'")
            }
        }
        if let structured {
            derivation.environment["__json"] = ByteString(JSONText.object(structured))
        }
        try addInputs()
        try check()
        try addOutputs()
        return try finish()
    }

    // MARK: Attributes

    private mutating func add(_ attribute: Attribute) throws {
        let names = evaluator.names
        if ignoresNulls, try evaluator.force(attribute.value).tag == .null { return }
        switch attribute.name {
        case names.contentAddressed:
            if try evaluator.forceBoolean(attribute.value, "") {
                throw EvaluationError(
                    .evaluation,
                    "experimental Nix feature 'ca-derivations' is disabled; add '--extra-experimental-features ca-derivations' to enable it"
                )
            }
        case names.impure:
            if try evaluator.forceBoolean(attribute.value, "") {
                throw EvaluationError(
                    .evaluation,
                    "experimental Nix feature 'impure-derivations' is disabled; add '--extra-experimental-features impure-derivations' to enable it"
                )
            }
        case names.args:
            for element in try evaluator.forceList(attribute.value, "").list {
                let text = try evaluator.coerce(
                    element, Coercion(includesAll: true), context: &context,
                    "while evaluating an element of the argument list")
                derivation.arguments.append(text.byteString)
            }
        default:
            if structured != nil { try addStructured(attribute) } else { try addPlain(attribute) }
        }
    }

    private mutating func addPlain(_ attribute: Attribute) throws {
        let names = evaluator.names
        let text = try evaluator.coerce(attribute.value, Coercion(includesAll: true), context: &context, "")
        derivation.environment[evaluator.symbols.text(attribute.name).byteString] = text.byteString
        switch attribute.name {
        case names.json:
            evaluator.warn(
                EvaluationError(
                    .evaluation,
                    "setting structured attributes via '__json' is deprecated, and may be disallowed in future versions of Nix. Set '__structuredAttrs = true' instead.",
                    at: attribute.position
                ).tracing(.none, "while evaluating derivation '\(name)'"))
        case names.builder: derivation.builder = text.byteString
        case names.system: derivation.system = text.byteString
        case names.outputHash: outputHash = text.string
        case names.outputHashAlgo: outputHashAlgorithm = try algorithm(text.string)
        case names.outputHashMode: try setMode(text.string)
        case names.outputs:
            try setOutputs(
                text.string.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" }).map(
                    String.init))
        default: break
        }
    }

    private mutating func addStructured(_ attribute: Attribute) throws {
        let names = evaluator.names
        if attribute.name == names.structuredAttrs { return }
        var json = JSONText(evaluator)
        try json.write(attribute.value)
        context = evaluator.contexts.union(context, json.context)
        structured?.append((evaluator.symbols.text(attribute.name), json.bytes))
        switch attribute.name {
        case names.builder:
            let value = try evaluator.forceString(attribute.value, "")
            context = evaluator.contexts.union(context, value.context)
            derivation.builder = value.text.byteString
        case names.system: derivation.system = try evaluator.forcePlainString(attribute.value, "").byteString
        case names.outputHash: outputHash = try evaluator.forcePlainString(attribute.value, "").string
        case names.outputHashAlgo:
            outputHashAlgorithm = try algorithm(try evaluator.forcePlainString(attribute.value, "").string)
        case names.outputHashMode: try setMode(try evaluator.forcePlainString(attribute.value, "").string)
        case names.outputs:
            try setOutputs(
                try evaluator.forceList(attribute.value, "").list.map {
                    try evaluator.forcePlainString($0, "").string
                })
        default: break
        }
        let key = evaluator.symbols.string(attribute.name)
        let replaced: Set = [
            "allowedReferences", "allowedRequisites", "disallowedReferences", "disallowedRequisites", "maxSize",
            "maxClosureSize",
        ]
        if replaced.contains(key) {
            evaluator.warn(
                EvaluationError(
                    .evaluation,
                    "'structuredAttrs' disables the effect of the derivation attribute '\(key)'; use 'outputChecks.<output>.\(key)' instead",
                    at: attribute.position
                ).tracing(.none, "while evaluating derivation '\(name)'"))
        }
    }

    /// An unknown or empty name is none: the hash itself may tell.
    private func algorithm(_ text: String) throws -> HashAlgorithm? { HashAlgorithm(rawValue: text) }

    private mutating func setMode(_ text: String) throws {
        switch text {
        case "recursive", "nar": method = .recursive
        case "flat": method = .flat
        case "text":
            throw EvaluationError(
                .evaluation,
                "experimental Nix feature 'dynamic-derivations' is disabled; add '--extra-experimental-features dynamic-derivations' to enable it"
            )
        case "git":
            throw EvaluationError(
                .evaluation,
                "experimental Nix feature 'git-hashing' is disabled; add '--extra-experimental-features git-hashing' to enable it"
            )
        default:
            throw EvaluationError(.evaluation, "invalid value '\(text)' for 'outputHashMode' attribute")
        }
    }

    private mutating func setOutputs(_ names: [String]) throws {
        outputs = []
        for name in names {
            guard !outputs.contains(name) else {
                throw EvaluationError(.evaluation, "duplicate derivation output '\(name)'")
            }
            guard name != "drvPath" else {
                throw EvaluationError(.evaluation, "invalid derivation output name 'drvPath'")
            }
            outputs.append(name)
        }
        guard !outputs.isEmpty else {
            throw EvaluationError(.evaluation, "derivation cannot have an empty set of outputs")
        }
    }

    // MARK: Inputs and outputs

    private mutating func addInputs() throws {
        for element in evaluator.contexts.elements(of: context) {
            switch element {
            case .path(let path): derivation.inputSources.insert(path)
            case .output(let path, let output): derivation.inputDerivations[path, default: []].insert(output)
            case .derivation(let path): try addClosure(of: path)
            }
        }
    }

    /// A derivation as a thing of its own: with all that it refers to, and every output of each derivation among that.
    private mutating func addClosure(of path: StorePath) throws {
        var pending = [path]
        var seen: Set<StorePath> = [path]
        while let next = pending.popLast() {
            derivation.inputSources.insert(next)
            guard next.isDerivation else {
                for reference in (try? evaluator.host.references(of: next)) ?? [] where seen.insert(reference).inserted
                {
                    pending.append(reference)
                }
                continue
            }
            let inner = try evaluator.host.derivation(at: next)
            derivation.inputDerivations[next, default: []].formUnion(inner.outputs.keys)
            for reference in inner.references where seen.insert(reference).inserted { pending.append(reference) }
        }
    }

    private func check() throws {
        if derivation.builder.isEmpty { throw EvaluationError(.evaluation, "required attribute 'builder' missing") }
        if derivation.system.isEmpty { throw EvaluationError(.evaluation, "required attribute 'system' missing") }
        if name.hasSuffix(".drv") {
            throw EvaluationError(
                .evaluation,
                "derivation names are allowed to end in '.drv' only if they produce a single derivation file")
        }
    }

    private mutating func addOutputs() throws {
        let store = evaluator.host.store
        guard let outputHash else {
            for output in outputs {
                derivation.environment[ByteString(output)] = ""
                derivation.outputs[output] = .deferred
            }
            return try derivation.fillOutputPaths(in: store, inputs: evaluator)
        }
        guard outputs == ["out"] else {
            throw EvaluationError(
                .evaluation, "multiple outputs are not supported in fixed-output derivations")
        }
        let address = ContentAddress(
            method: method ?? .flat,
            hash: try HashBuiltins.hash(evaluator, outputHash, algorithm: outputHashAlgorithm))
        derivation.outputs["out"] = .fixed(address)
        derivation.environment["out"] = ByteString(
            store.print(try store.makeFixedOutputPath(name: name, address: address)))
    }

    private func finish() throws -> Value {
        let path = try evaluator.host.addDerivation(derivation)
        evaluator.derivationHashes[path] = try derivation.hashModulo(in: evaluator.host.store, inputs: evaluator)
        var result: [(Symbol, ValueRef)] = [
            (
                evaluator.names.drvPath,
                evaluator.arena.value(
                    .string(
                        Text(evaluator.arena, evaluator.host.store.print(path)),
                        context: evaluator.contexts.context(.derivation(path))))
            )
        ]
        for output in derivation.outputs.keys {
            result.append(
                (
                    evaluator.symbols.intern(output),
                    evaluator.arena.value(try evaluator.outputString(derivation, path, output))
                ))
        }
        return evaluator.set(result)
    }
}
