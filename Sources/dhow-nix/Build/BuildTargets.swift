import NixBuild
import NixLanguage
import NixLocalStore
import NixStore

/// What a command line asks to be built: expressions' derivations, derivations, paths.
struct BuildTargets {
    /// A derivation and those of its outputs that are wanted; no names are all.
    struct Target {
        var derivation: StorePath
        var outputs: [String]
    }

    /// Reads `PATH`, `PATH!OUTPUT,OUTPUT` or `PATH^OUTPUT,OUTPUT`.
    static func split(_ word: String) -> (path: String, outputs: [String]?) {
        guard let at = word.lastIndex(where: { $0 == "!" || $0 == "^" }) else { return (word, nil) }
        let names = word[word.index(after: at)...]
        if names == "*" { return (String(word[..<at]), []) }
        return (String(word[..<at]), names.split(separator: ",").map(String.init))
    }

    /// Evaluates, and gives what the value's derivations are.
    static func evaluate(
        _ source: Evaluation.Source, attribute: String, _ settings: Settings, on host: any EvaluationHost
    ) throws -> [Target] {
        var evaluation = Evaluation(source)
        evaluation.attributePath = attribute
        evaluation.arguments = settings.arguments
        evaluation.format = .derivationPath
        evaluation.settings = settings.evaluation
        let text = try evaluation.run(on: host).get()
        return try text.split(separator: 0x0A).map { line in
            let (path, outputs) = split(String(decoding: line, as: UTF8.self))
            return Target(derivation: try host.store.parse(path), outputs: outputs ?? ["out"])
        }
    }
}
