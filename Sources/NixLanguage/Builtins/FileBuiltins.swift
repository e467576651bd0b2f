import NixStore

/// Files and paths.
enum FileBuiltins {
    static var all: [Builtin] {
        [
            Builtin("toPath", 1) { evaluator, arguments in
                var context = Context.none
                let path = try evaluator.coerceToPath(
                    arguments[0], context: &context, "while evaluating the first argument passed to builtins.toPath")
                return .string(Text(evaluator.arena, path), context: context)
            },
            Builtin("storePath", 1) { evaluator, arguments in
                guard !evaluator.settings.isPure else {
                    throw EvaluationError(
                        .restricted, "'builtins.storePath' is not allowed in pure evaluation mode")
                }
                var context = Context.none
                var path = try evaluator.coerceToPath(
                    arguments[0], context: &context,
                    "while evaluating the first argument passed to 'builtins.storePath'")
                let store = evaluator.host.store
                if (try? store.parse(path)) == nil { path = try evaluator.resolveSymlinks(path) }
                guard store.contains(path) else {
                    throw EvaluationError(.evaluation, "path '\(path)' is not in the Nix store")
                }
                let object = try store.split(path).0
                context = evaluator.contexts.union(context, evaluator.contexts.context(.path(object)))
                return .string(Text(evaluator.arena, path), context: context)
            },
            Builtin("pathExists", 1) { evaluator, arguments in
                do {
                    let value = try evaluator.force(arguments[0])
                    let mustBeDirectory =
                        value.tag == .string && (value.text.string.hasSuffix("/") || value.text.string.hasSuffix("/."))
                    let path = try evaluator.resolveSymlinks(
                        try evaluator.realisePath(arguments[0]), followsLast: mustBeDirectory)
                    let kind = try evaluator.host.kind(of: path)
                    return .boolean(mustBeDirectory ? kind == .directory : kind != nil)
                } catch {
                    if evaluator.evaluationError(error).kind == .restricted { return .boolean(false) }
                    throw error
                }
            },
            Builtin("readFile", 1) { evaluator, arguments in
                let path = try evaluator.resolveSymlinks(try evaluator.realisePath(arguments[0]))
                if let code = evaluator.internalFile(path) { return .string(Text(evaluator.arena, code)) }
                let bytes = try evaluator.host.readFile(path)
                guard !bytes.contains(0) else {
                    throw EvaluationError(
                        .evaluation, "the contents of the file '\(path)' cannot be represented as a Nix string")
                }
                var context = Context.none
                let store = evaluator.host.store
                if store.contains(path), let object = try? store.split(path).0,
                    let references = try? evaluator.host.references(of: object)
                {
                    // What the object refers to counts where the file says it.
                    let text = String(decoding: bytes, as: UTF8.self)
                    let found = references.filter { text.contains($0.hashPart) }
                    context = evaluator.contexts.context(found.map { .path($0) })
                }
                return evaluator.newString(bytes, context: context)
            },
            Builtin("readFileType", 1) { evaluator, arguments in
                let path = try evaluator.realisePath(arguments[0])
                let resolved = try evaluator.resolveSymlinks(path, followsLast: false)
                guard let kind = try evaluator.host.kind(of: resolved) else { throw evaluator.missing(path) }
                return evaluator.string(kind.name)
            },
            Builtin("readDir", 1) { evaluator, arguments in
                let path = try evaluator.resolveSymlinks(try evaluator.realisePath(arguments[0]))
                let entries = try evaluator.host.readDirectory(path)
                let result = Attributes(evaluator.arena, capacity: entries.count)
                for entry in entries {
                    let kind = try entry.kind ?? evaluator.host.kind(of: path + "/" + entry.name.description) ?? .other
                    let name = entry.name.bytes.withUnsafeBufferPointer { evaluator.symbols.intern($0) }
                    result.append(name, evaluator.arena.value(evaluator.string(kind.name)))
                }
                result.sort()
                return .attributes(result)
            },
            Builtin("findFile", 2) { evaluator, arguments in try findFile(evaluator, arguments) },
            Builtin("getEnv", 1) { evaluator, arguments in
                let name = try evaluator.forcePlainString(
                    arguments[0], "while evaluating the first argument passed to builtins.getEnv")
                if evaluator.settings.isPure || evaluator.settings.isRestricted { return evaluator.string("") }
                return evaluator.string(evaluator.host.environment(name.string) ?? "")
            },
            Builtin("toFile", 2) { evaluator, arguments in try toFile(evaluator, arguments) },
            Builtin("filterSource", 2) { evaluator, arguments in
                var context = Context.none
                let path = try evaluator.coerceToPath(
                    arguments[1], context: &context,
                    "while evaluating the second argument (the path to filter) passed to 'builtins.filterSource'")
                try evaluator.forceFunction(
                    arguments[0], "while evaluating the first argument passed to builtins.filterSource")
                return try addPath(
                    evaluator, name: CanonicalPath.baseName(path), path: path, filter: arguments[0], method: .recursive,
                    expected: nil, context: context)
            },
            Builtin("path", 1) { evaluator, arguments in try path(evaluator, arguments[0]) },
        ]
    }

    private static func findFile(_ evaluator: Evaluator, _ arguments: Builtin.Arguments) throws -> Value {
        let list = try evaluator.forceList(
            arguments[0], "while evaluating the first argument passed to builtins.findFile")
        var entries: [EvaluationSettings.SearchPathEntry] = []
        for element in list.list {
            let attributes = try evaluator.forceAttributes(
                element, "while evaluating an element of the list passed to builtins.findFile")
            var prefix = ""
            if let given = attributes[evaluator.names.prefix] {
                prefix = try evaluator.forcePlainString(
                    given,
                    "while evaluating the `prefix` attribute of an element of the list passed to builtins.findFile"
                ).string
            }
            let path = try evaluator.attribute(
                evaluator.names.path, of: attributes, "in an element of the __nixPath")
            var context = Context.none
            let text = try evaluator.coerce(
                path.pointee.value, .plain, context: &context,
                "while evaluating the `path` attribute of an element of the list passed to builtins.findFile"
            ).string
            try evaluator.realise(context)
            entries.append(EvaluationSettings.SearchPathEntry(prefix: prefix, path: text))
        }
        let name = try evaluator.forcePlainString(
            arguments[1], "while evaluating the second argument passed to builtins.findFile"
        ).string
        return .path(Text(evaluator.arena, try evaluator.findFile(name, in: entries)))
    }

    private static func toFile(_ evaluator: Evaluator, _ arguments: Builtin.Arguments) throws -> Value {
        let name = try evaluator.forcePlainString(
            arguments[0], "while evaluating the first argument passed to builtins.toFile"
        ).string
        let contents = try evaluator.forceString(
            arguments[1], "while evaluating the second argument passed to builtins.toFile")
        var references: Set<StorePath> = []
        for element in evaluator.contexts.elements(of: contents.context) {
            guard case .path(let path) = element else {
                throw EvaluationError(
                    .evaluation,
                    "files created by builtins.toFile may not reference derivations, but \(name) references \(evaluator.display(element))"
                )
            }
            references.insert(path)
        }
        return evaluator.storePathString(
            try evaluator.host.addText(name: name, contents: contents.text.array, references: references))
    }

    private static func path(_ evaluator: Evaluator, _ argument: ValueRef) throws -> Value {
        let attributes = try evaluator.forceAttributes(
            argument, "while evaluating the argument passed to 'builtins.path'")
        var path: String?
        var name = ""
        var filter: ValueRef?
        var method = IngestionMethod.recursive
        var expected: Hash?
        var context = Context.none
        for attribute in attributes.entries {
            let (value, position) = (attribute.value, attribute.position)
            switch attribute.name {
            case evaluator.names.path:
                path = try evaluator.coerceToPath(
                    value, position, context: &context,
                    "while evaluating the 'path' attribute passed to 'builtins.path'")
            case evaluator.names.name:
                name = try evaluator.forcePlainString(
                    value, at: position, "while evaluating the `name` attribute passed to builtins.path"
                ).string
            case evaluator.names.filter:
                try evaluator.forceFunction(
                    value, at: position, "while evaluating the `filter` parameter passed to builtins.path")
                filter = value
            case evaluator.names.recursive:
                method =
                    try evaluator.forceBoolean(
                        value, at: position, "while evaluating the `recursive` attribute passed to builtins.path")
                    ? .recursive : .flat
            case evaluator.names.sha256:
                let text = try evaluator.forcePlainString(
                    value, at: position, "while evaluating the `sha256` attribute passed to builtins.path")
                expected = try HashBuiltins.hash(evaluator, text.string, algorithm: .sha256)
            default:
                throw EvaluationError(
                    .evaluation,
                    "unsupported argument '\(evaluator.symbols.string(attribute.name))' to 'builtins.path'",
                    at: position)
            }
        }
        guard let path else {
            throw EvaluationError(
                .evaluation, "missing required 'path' attribute in the first argument to 'builtins.path'")
        }
        return try addPath(
            evaluator, name: name.isEmpty ? CanonicalPath.baseName(path) : name, path: path, filter: filter,
            method: method, expected: expected, context: context)
    }

    private static func addPath(
        _ evaluator: Evaluator, name: String, path: String, filter: ValueRef?, method: IngestionMethod,
        expected: Hash?, context: Context
    ) throws -> Value {
        do {
            if !context.isEmpty { try evaluator.realise(context) }
            var wanted: StorePath?
            if let expected {
                wanted = try evaluator.host.store.makeFixedOutputPath(
                    name: name, address: ContentAddress(method: method, hash: expected))
            }
            if let wanted, evaluator.host.isValid(wanted) { return evaluator.storePathString(wanted) }
            let resolved = try evaluator.resolveSymlinks(path)
            var accepts: ((String) throws -> Bool)?
            if let filter {
                accepts = { below in
                    // The function sees the path as it was given.
                    let shown = resolved == path ? below : path + below.dropFirst(resolved.count)
                    let kind = try evaluator.host.kind(of: below) ?? .other
                    let result = try evaluator.call(
                        filter, evaluator.arena.value(evaluator.string(shown)),
                        evaluator.arena.value(evaluator.string(kind.name)))
                    return try evaluator.boolean(
                        result, "while evaluating the return value of the path filter function")
                }
            }
            let added = try evaluator.host.addTree(name: name, path: resolved, method: method, accepts: accepts)
            if let wanted, wanted != added {
                throw EvaluationError(
                    .evaluation, "store path mismatch in (possibly filtered) path added from '\(path)'")
            }
            return evaluator.storePathString(added)
        } catch { throw evaluator.traced(error, .none, "while adding path '\(path)'") }
    }
}

extension Evaluator {
    /// A store path as a string that owes it to the store.
    func storePathString(_ path: StorePath) -> Value {
        .string(Text(arena, host.store.print(path)), context: contexts.context(.path(path)))
    }
}
