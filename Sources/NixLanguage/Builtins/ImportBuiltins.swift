import NixStore

/// Other files of code.
enum ImportBuiltins {
    static var all: [Builtin] {
        [
            Builtin("import", 1, isGlobal: true) { evaluator, arguments in
                let path = try evaluator.realisePath(arguments[0])
                if let derivation = evaluator.validDerivation(path) {
                    return try evaluator.importDerivation(derivation, path)
                }
                return try evaluator.evaluateFile(path)
            },
            Builtin("scopedImport", 2, isGlobal: true) { evaluator, arguments in
                let path = try evaluator.realisePath(arguments[1])
                if let derivation = evaluator.validDerivation(path) {
                    return try evaluator.importDerivation(derivation, path)
                }
                let scope = try evaluator.forceAttributes(
                    arguments[0], "while evaluating the first argument passed to builtins.scopedImport")
                return try evaluator.scopedImport(path, scope)
            },
        ]
    }
}

extension Evaluator {
    func validDerivation(_ path: String) -> StorePath? {
        guard path.hasSuffix(".drv"), let storePath = try? host.store.parse(path), host.isValid(storePath) else {
            return nil
        }
        return storePath
    }

    /// A file evaluated with `scope`'s names around it; never kept, for the next scope may be another.
    func scopedImport(_ path: String, _ scope: Attributes) throws -> Value {
        let environment = Environment(arena, slots: scope.count, up: baseEnvironment)
        var slots: [Symbol: Int] = [:]
        for (slot, attribute) in scope.entries.enumerated() {
            environment[slot] = attribute.value
            slots[attribute.name] = slot
        }
        let resolved = try resolveExpressionPath(path)
        let node = try withBaseScope { base in
            try withUnsafePointer(to: Scope(names: .custom(slots), up: base)) { try parseFile(resolved, scope: $0) }
        }
        return try evaluate(node, environment)
    }

    /// A derivation's file as the set that `derivation` would have given.
    func importDerivation(_ path: StorePath, _ text: String) throws -> Value {
        let derivation = try host.derivation(at: path)
        let outputs = derivation.outputs.keys.sorted()
        var attributes: [(Symbol, ValueRef)] = [
            (names.drvPath, arena.value(.string(Text(arena, text), context: contexts.context(.derivation(path))))),
            (names.name, arena.value(newString(derivation.environment["name"]?.bytes ?? []))),
            (names.outputs, arena.value(list(outputs.map { arena.value(string($0)) }))),
        ]
        for output in outputs {
            attributes.append((symbols.intern(output), arena.value(try outputString(derivation, path, output))))
        }
        let function: ValueRef
        if let known = files["imported-drv-to-derivation.nix"] {
            function = known
        } else {
            function = arena.value(
                .thunk(
                    internalNode("imported-drv-to-derivation.nix", InternalCode.importedDerivation), baseEnvironment))
            files["imported-drv-to-derivation.nix"] = function
        }
        return try call(function, arena.value(set(attributes)))
    }

    /// An output's path as a string that owes its being built.
    func outputString(_ derivation: Derivation, _ path: StorePath, _ output: String) throws -> Value {
        let outputPath = try derivation.path(of: output, in: host.store)
        let text = outputPath.map(host.store.print) ?? StoreDirectory.placeholder(output: output)
        return .string(Text(arena, text), context: contexts.context(.output(path, output)))
    }

    /// The text of a file that the evaluator carries in itself, as `<nix/fetchurl.nix>` is.
    func internalFile(_ path: String) -> StaticString? {
        path == "/__corepkgs__/fetchurl.nix" ? InternalCode.fetchURL : nil
    }
}
