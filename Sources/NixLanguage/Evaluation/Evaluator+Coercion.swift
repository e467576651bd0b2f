import NixStore

/// How a value becomes a string.
struct Coercion {
    /// Numbers, Booleans, null and lists too.
    var includesAll = false
    /// A path becomes the path of its copy in the store.
    var copiesToStore = true
    var isCanonical = true

    /// What interpolation does.
    static var interpolation: Coercion { Coercion() }
    /// What `toString` does.
    static var toString: Coercion { Coercion(includesAll: true, copiesToStore: false) }
    /// Only what is a string or a path already, which stays where it is.
    static var plain: Coercion { Coercion(copiesToStore: false) }
}

extension Evaluator {
    /// The text of a value, and what it owes to the store added to `context`.
    func coerce(
        _ value: Value, _ coercion: Coercion = .interpolation, _ position: Position = .none,
        context: inout Context, _ errorContext: String
    ) throws -> Text {
        switch value.tag {
        case .string:
            if !value.context.isEmpty { context = contexts.union(context, value.context) }
            return value.text
        case .path:
            if coercion.copiesToStore {
                let path = try copyToStore(value.text.string)
                context = contexts.union(context, contexts.context(.path(path)))
                return Text(arena, host.store.print(path))
            }
            if !coercion.isCanonical { return value.text }
            return CanonicalPath.isCanonical(value.text.bytes)
                ? value.text : Text(arena, CanonicalPath.make(value.text.string))
        case .attributes:
            var coercion = coercion
            coercion.isCanonical = true
            var context2 = context
            let text = try deeper(position) {
                try peel(value, position) { inner, _ in
                    guard inner.tag != .attributes else {
                        throw traced(notCoercible(inner), position, errorContext)
                    }
                    return try coerce(inner, coercion, position, context: &context2, errorContext)
                }
            }
            context = context2
            return text
        default: break
        }
        guard coercion.includesAll else { throw traced(notCoercible(value), position, errorContext) }
        switch value.tag {
        case .boolean: return Text(arena, value.boolean ? "1" : "")
        case .integer: return Text(arena, String(value.integer))
        case .float: return Text(arena, Literal.format("%f", value.float))
        case .null: return Text(arena, "")
        case .list:
            var bytes: [UInt8] = []
            try deeper(position) {
                for (index, element) in value.list.enumerated() {
                    let inner: Value
                    do {
                        inner = try force(element, position)
                        let text = try coerce(
                            inner, coercion, position, context: &context, "while evaluating one element of the list")
                        bytes.append(contentsOf: text.bytes)
                    } catch { throw traced(error, position, errorContext) }
                    // An empty list in a list gets no blank after it, unless it is the last.
                    if index < value.listCount - 1, inner.tag != .list || inner.listCount != 0 { bytes.append(0x20) }
                }
            }
            return Text(arena, bytes)
        default: throw traced(notCoercible(value), position, errorContext)
        }
    }

    func coerce(
        _ reference: ValueRef, _ coercion: Coercion = .interpolation, _ position: Position = .none,
        context: inout Context, _ errorContext: String
    ) throws -> Text {
        try coerce(try force(reference, position), coercion, position, context: &context, errorContext)
    }

    @inline(never)
    private func notCoercible(_ value: Value) -> EvaluationError {
        EvaluationError(.type, "cannot coerce \(value.kindDescription) to a string: \(describe(value))")
    }

    /// Follows `__toString` and `outPath` through sets until something else, or a set without either, is left.
    /// - Parameter checksResult: whether `__toString` must end in a string.
    func peel<Result>(
        _ value: Value, _ position: Position, checksResult: Bool = false,
        _ body: (_ inner: Value, _ isFromToString: Bool) throws -> Result
    ) throws -> Result {
        try peel(value, position, checksResult, false, body)
    }

    private func peel<Result>(
        _ value: Value, _ position: Position, _ checksResult: Bool, _ isFromToString: Bool,
        _ body: (Value, Bool) throws -> Result
    ) throws -> Result {
        guard value.tag == .attributes else {
            if checksResult, isFromToString, value.tag != .string, value.tag != .path {
                throw EvaluationError(
                    .type, "`__toString` should return a string, but got \(value.kindDescription): \(describe(value))",
                    at: position)
            }
            return try body(value, isFromToString)
        }
        if let attribute = value.attributes.find(names.toString)?.pointee {
            let result: Value
            do { result = try call(attribute.value, arena.value(value), attribute.position) } catch {
                throw traced(error, attribute.position, "while calling the `__toString` attribute")
            }
            do { return try deeper(position) { try peel(result, attribute.position, checksResult, true, body) } } catch
            {
                throw traced(
                    error, attribute.position, "while \(using(result)) the result of the `__toString` attribute")
            }
        }
        if let attribute = value.attributes.find(names.outPath)?.pointee {
            do {
                let inner = try force(attribute.value, attribute.position)
                return try deeper(position) { try peel(inner, attribute.position, checksResult, isFromToString, body) }
            } catch {
                throw traced(
                    error, attribute.position, "while \(using(attribute.value.pointee)) the `outPath` attribute")
            }
        }
        if checksResult, isFromToString {
            throw EvaluationError(
                .type, "`__toString` must return a string, but got \(value.kindDescription): \(describe(value))",
                at: position)
        }
        return try body(value, isFromToString)
    }

    private func using(_ value: Value) -> String { value.isEvaluated ? "using" : "evaluating" }

    // MARK: Paths

    /// A value as an absolute path.
    func coerceToPath(
        _ reference: ValueRef, _ position: Position = .none, context: inout Context, _ errorContext: String
    ) throws -> String {
        let value = try force(reference, position)
        if value.tag == .path { return CanonicalPath.make(value.text.string) }
        var inner = context
        let path = try peel(value, position) { peeled, _ in
            if peeled.tag == .path { return CanonicalPath.make(peeled.text.string) }
            let text = try coerce(peeled, .plain, position, context: &inner, errorContext)
            guard text.bytes.first == UInt8(ascii: "/") else {
                throw traced(
                    EvaluationError(.evaluation, "string '\(text.string)' doesn't represent an absolute path"),
                    position,
                    errorContext)
            }
            return CanonicalPath.make(text.string)
        }
        context = inner
        return path
    }

    /// A path that will be read: whatever it owes to the store is made first.
    func realisePath(_ reference: ValueRef) throws -> String {
        var context = Context.none
        let path = try coerceToPath(reference, context: &context, "while realising the context of a path")
        if context.isEmpty { return path }
        do {
            try realise(context)
            return path
        } catch { throw traced(error, .none, "while realising the context of path '\(path)'") }
    }

    /// Makes sure that everything in a context is in the store, building it if need be.
    func realise(_ context: Context) throws {
        var outputs: [(derivation: StorePath, output: String)] = []
        for element in contexts.elements(of: context) {
            switch element {
            case .output(let derivation, let output):
                outputs.append((derivation, output))
                try requireValid(derivation)
            case .path(let path), .derivation(let path): try requireValid(path)
            }
        }
        guard let first = outputs.first else { return }
        guard settings.allowsImportFromDerivation else {
            throw EvaluationError(
                .evaluation,
                "cannot build '\(host.store.print(first.derivation))^\(first.output)' during evaluation because the option 'allow-import-from-derivation' is disabled"
            )
        }
        try host.realise(outputs)
    }

    private func requireValid(_ path: StorePath) throws {
        guard host.isValid(path) else {
            throw EvaluationError(.store, "path '\(host.store.print(path))' is not valid")
        }
    }

    /// The store path of a copy of `path`.
    func copyToStore(_ path: String) throws -> StorePath {
        guard !path.hasSuffix(".drv") else {
            throw EvaluationError(.evaluation, "file names are not allowed to end in '.drv'")
        }
        if let known = treePaths[path] { return known }
        let resolved = try resolveSymlinks(path, followsLast: false)
        let copy = try host.addTree(
            name: CanonicalPath.baseName(path), path: resolved, method: .recursive, accepts: nil)
        treePaths[path] = copy
        return copy
    }
}
