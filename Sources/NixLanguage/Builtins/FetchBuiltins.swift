import NixStore

/// Things from the network, by way of the host.
enum FetchBuiltins {
    static var all: [Builtin] {
        [
            Builtin("fetchurl", 1) { evaluator, arguments in
                try fetch(evaluator, arguments[0], .file, "fetchurl", defaultName: "")
            },
            Builtin("fetchTarball", 1, isGlobal: true) { evaluator, arguments in
                try fetch(evaluator, arguments[0], .tarball, "fetchTarball", defaultName: "source")
            },
            Builtin("fetchGit", 1, isGlobal: true) { evaluator, arguments in try fetchGit(evaluator, arguments[0]) },
        ]
    }

    private static func fetch(
        _ evaluator: Evaluator, _ argument: ValueRef, _ kind: FetchRequest.Kind, _ who: String, defaultName: String
    ) throws -> Value {
        var url: String?
        var expected: Hash?
        var name = defaultName
        var isNamed = false
        let value = try evaluator.force(argument)
        if value.tag == .attributes {
            for attribute in value.attributes.entries {
                let text = { () throws -> String in
                    try evaluator.forcePlainString(
                        attribute.value, at: attribute.position,
                        "while evaluating the \(evaluator.symbols.string(attribute.name)) we should fetch"
                    ).string
                }
                switch attribute.name {
                case evaluator.names.url: url = try text()
                case evaluator.names.sha256:
                    expected = try HashBuiltins.hash(evaluator, try text(), algorithm: .sha256)
                case evaluator.names.name:
                    isNamed = true
                    name = try evaluator.forcePlainString(
                        attribute.value, at: attribute.position,
                        "while evaluating the name of the content we should fetch"
                    ).string
                default:
                    throw EvaluationError(
                        .evaluation, "unsupported argument '\(evaluator.symbols.string(attribute.name))' to '\(who)'")
                }
            }
            if url == nil { throw EvaluationError(.evaluation, "'url' argument required") }
        } else {
            url = try evaluator.forcePlainString(argument, "while evaluating the url we should fetch").string
        }
        guard let url else { throw EvaluationError(.evaluation, "'url' argument required") }
        if name.isEmpty { name = String(url.split(separator: "/").last ?? "") }
        do { try StorePath.check(name: name) } catch {
            let advice =
                if isNamed {
                    "Please change the value for the 'name' attribute passed to '\(who)', so that it can create a valid store path."
                } else if value.tag == .attributes {
                    "Please add a valid 'name' attribute to the argument for '\(who)', so that it can create a valid store path."
                } else {
                    "Please pass an attribute set with 'url' and 'name' attributes to '\(who)',  so that it can create a valid store path."
                }
            throw EvaluationError(
                .evaluation, "invalid store path name when fetching URL '\(url)': \(error.reason). \(advice)")
        }
        if evaluator.settings.isPure, expected == nil {
            throw EvaluationError(.restricted, "in pure evaluation mode, '\(who)' requires a 'sha256' argument")
        }
        try checkAddress(evaluator, url)
        if let expected {
            let method: IngestionMethod = kind == .file ? .flat : .recursive
            let path = try evaluator.host.store.makeFixedOutputPath(
                name: name, address: ContentAddress(method: method, hash: expected))
            if evaluator.host.isValid(path) { return evaluator.storePathString(path) }
        }
        let result = try evaluator.host.fetch(FetchRequest(kind: kind, url: url, name: name, expected: expected))
        return evaluator.storePathString(result.path)
    }

    /// Restricted evaluation fetches from where it was told it may.
    private static func checkAddress(_ evaluator: Evaluator, _ url: String) throws {
        guard evaluator.settings.isRestricted else { return }
        for prefix in evaluator.settings.allowedAddresses
        where url == prefix || !prefix.isEmpty && url.hasPrefix(prefix.hasSuffix("/") ? prefix : prefix + "/") {
            return
        }
        // What may be read may be fetched.
        let path = url.hasPrefix("file://") ? String(url.dropFirst(7)) : url
        if path.hasPrefix("/") { return try evaluator.host.checkAccess(to: CanonicalPath.make(path)) }
        throw EvaluationError(.restricted, "access to URI '\(url)' is forbidden in restricted mode")
    }

    private static func fetchGit(_ evaluator: Evaluator, _ argument: ValueRef) throws -> Value {
        var request = FetchRequest(kind: .git, url: "", name: "source")
        let value = try evaluator.force(argument)
        if value.tag == .attributes {
            for attribute in value.attributes.entries {
                let key = evaluator.symbols.string(attribute.name)
                switch key {
                case "url":
                    var context = Context.none
                    request.url = try evaluator.coerce(
                        attribute.value, .plain, attribute.position, context: &context,
                        "while evaluating the url we should fetch"
                    ).string
                case "name", "ref", "rev", "narHash":
                    let text = try evaluator.forcePlainString(
                        attribute.value, at: attribute.position, "while evaluating the \(key) of a git repository"
                    ).string
                    switch key {
                    case "name": request.name = text
                    case "ref": request.reference = text
                    case "rev": request.revision = text
                    default: request.expected = try Hash(parsing: text, algorithm: .sha256)
                    }
                case "submodules", "shallow", "allRefs", "exportIgnore", "lfs":
                    let flag = try evaluator.forceBoolean(
                        attribute.value, at: attribute.position, "while evaluating the \(key) of a git repository")
                    switch key {
                    case "submodules": request.submodules = flag
                    case "shallow": request.shallow = flag
                    case "allRefs": request.allReferences = flag
                    default: break
                    }
                default:
                    throw EvaluationError(
                        .evaluation, "input attribute '\(key)' not supported by scheme 'git'",
                        at: attribute.position)
                }
            }
            if request.url.isEmpty { throw EvaluationError(.evaluation, "'url' argument required") }
        } else {
            var context = Context.none
            request.url = try evaluator.coerce(
                argument, .plain, context: &context, "while evaluating the url we should fetch"
            ).string
        }
        if evaluator.settings.isPure, request.revision == nil {
            throw EvaluationError(.restricted, "in pure evaluation mode, 'fetchGit' requires a Git revision")
        }
        try checkAddress(evaluator, request.url)
        let result = try evaluator.host.fetch(request)
        func string(_ text: String) -> ValueRef { evaluator.arena.value(evaluator.string(text)) }
        func name(_ text: StaticString) -> Symbol { evaluator.symbols.intern(text) }
        let revision = result.revision ?? String(repeating: "0", count: 40)
        var attributes: [(Symbol, ValueRef)] = [
            (evaluator.names.outPath, evaluator.arena.value(evaluator.storePathString(result.path))),
            (name("rev"), string(revision)),
            (name("shortRev"), string(String(revision.prefix(7)))),
            (name("submodules"), request.submodules ? evaluator.trueValue : evaluator.falseValue),
        ]
        // A shallow clone and a tree with changes have no count; expressions expect one.
        let count = Int64(result.revisionCount ?? 0)
        attributes.append((name("revCount"), evaluator.arena.value(.integer(count))))
        if let hash = result.narHash { attributes.append((name("narHash"), string(hash.text(.sri)))) }
        if let time = result.lastModified {
            attributes.append((name("lastModified"), evaluator.arena.value(.integer(time))))
            attributes.append((name("lastModifiedDate"), string(dateDigits(time))))
        }
        return evaluator.set(attributes)
    }

    /// `20260131235959`, in UTC.
    static func dateDigits(_ seconds: Int64) -> String {
        // Days since 1970 to a date of the Gregorian calendar (Howard Hinnant's algorithm).
        let days = (seconds >= 0 ? seconds : seconds - 86399) / 86400
        let time = seconds - days * 86400
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let calendarMonth = month < 10 ? month + 3 : month - 9
        let year = yearOfEra + era * 400 + (calendarMonth <= 2 ? 1 : 0)
        func digits(_ value: Int64, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        return digits(year, 4) + digits(calendarMonth, 2) + digits(day, 2) + digits(time / 3600, 2)
            + digits(time / 60 % 60, 2) + digits(time % 60, 2)
    }
}
