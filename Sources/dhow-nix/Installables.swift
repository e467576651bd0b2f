import NixBuild
import NixLanguage
import NixLocalStore
import NixStore

/// What the words of a command name beside paths: with `--file` or `--expr`, attributes of an expression.
struct Installables {
    private var file: String?
    private var expression: String?
    /// Those that hold temporary roots.
    private var sessions: [BuildSession] = []

    /// What becomes of derivations that attributes are.
    enum Form {
        /// The derivations themselves.
        case derivations
        /// Their outputs, valid or not.
        case outputs
        /// Their outputs, made valid.
        case builtOutputs
    }

    /// Takes an option if it is one of these.
    mutating func take(_ option: String, _ rest: inout Arguments) throws -> Bool {
        switch option {
        case "--file", "-f": file = try rest.value(of: option)
        case "--expr", "-E": expression = try rest.value(of: option)
        default: return false
        }
        return true
    }

    /// Whether words may be attributes.
    var haveExpression: Bool { file != nil || expression != nil }
    /// As in Nix, an expression of the command line sees nothing that is not in it.
    var arePure: Bool { expression != nil }

    /// What attributes belong to: the file or expression named, else `default.nix`.
    func source(_ host: LocalHost) -> Evaluation.Source {
        if let expression { return .expression(expression, basePath: host.workingDirectory) }
        return .file(Settings.absolute(file ?? "./default.nix", host))
    }

    /// Whether a word is a path rather than an attribute.
    static func isPath(_ word: String) -> Bool { BuildTargets.split(word).path.contains("/") }

    /// The words with paths in place of attributes; without an expression, the words.
    ///
    /// What was made for them is safe from the collector of garbage for as long as this value is there: commands keep it
    /// to their ends.
    mutating func paths(of words: [String], as form: Form, _ settings: Settings) throws -> [String] {
        guard haveExpression else { return words }
        var settings = settings
        settings.finish(LocalHost(), isPure: arePure && !settings.isImpure)
        let session = try BuildSession(settings, showsLogs: false)
        sessions.append(session)
        let evaluator = try session.host(settings)
        return try (words.isEmpty ? [""] : words).flatMap { word in
            if Self.isPath(word) { return [word] }
            let (attribute, names) = BuildTargets.split(word)
            var targets = try BuildTargets.evaluate(source(LocalHost()), attribute: attribute, settings, on: evaluator)
            if let names { for index in targets.indices { targets[index].outputs = names } }
            if case .derivations = form { return targets.map { session.directory.print($0.derivation) } }
            if case .builtOutputs = form {
                try session.realise(targets.map { .outputs($0.derivation, Set($0.outputs)) }, quiet: true)
            }
            return try targets.flatMap { target in
                let outputs = try session.outputs(of: target.derivation)
                let names = target.outputs.isEmpty ? outputs.keys.sorted() : target.outputs
                return try names.map { name in
                    guard let path = outputs[name] else {
                        throw StoreError(
                            .notValid,
                            "derivation '\(session.directory.print(target.derivation))' has no output '\(name)'")
                    }
                    return session.directory.print(path)
                }
            }
        }
    }
}
