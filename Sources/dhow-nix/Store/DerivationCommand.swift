import JSON
import NixLanguage
import NixLocalStore
import NixStore

/// `derivation show` and `show-derivation`: derivations as JSON.
enum DerivationCommand {
    static let help = """
        Usage: dhow-nix derivation show [-r] [--store DIR] PATH...
               dhow-nix derivation show [-r] --file FILE | --expr TEXT [ATTRIBUTE...]

        Print derivations as JSON; of an output, its deriver. '-r' adds all that they are made from.

        """

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        guard case .word("show")? = rest.next() else { throw HelpRequest(text: help) }
        try show(rest)
    }

    static func show(_ arguments: Arguments) throws {
        var rest = arguments
        var settings = Settings()
        var words: [String] = []
        var isRecursive = false
        var installables = Installables()
        defer { withExtendedLifetime(installables) {} }
        while let item = rest.next() {
            switch item {
            case .word(let word): words.append(word)
            case .option("--help"): throw HelpRequest(text: help)
            case .option("-r"), .option("--recursive"): isRecursive = true
            case .option(let option):
                guard try installables.take(option, &rest) || settings.take(option, &rest) else {
                    throw UsageError("unrecognised flag '\(option)'")
                }
            }
        }
        words = try installables.paths(of: words, as: .derivations, settings)
        var options = LocalStore.Options()
        options.isWritable = false
        let session = try StoreSession(settings, options: options)
        var chosen: Set<StorePath> = []
        for word in words {
            let path = try session.object(word)
            if path.isDerivation {
                chosen.insert(path)
                continue
            }
            guard let deriver = try session.store.info(of: path)?.deriver else {
                throw StoreError(.badDerivation, "'\(word)' does not have a known deriver")
            }
            chosen.insert(deriver)
        }
        if isRecursive { chosen = Set(try session.store.closure(of: chosen).filter(\.isDerivation)) }
        var members: [(String, JSONValue)] = []
        for path in chosen.sorted() {
            let derivation = try session.store.derivation(at: path)
            members.append((session.directory.print(path), try json(derivation, in: session.directory)))
        }
        Output.standard.write(JSONValue.object(JSONObject(members)).serialized(JSONFormat(indent: "  ")) + "\n")
    }

    private static func json(_ derivation: Derivation, in store: StoreDirectory) throws -> JSONValue {
        func text(_ string: ByteString) -> JSONValue { .string(string.description) }
        func inOrder(_ left: String, _ right: String) -> Bool { left.utf8.lexicographicallyPrecedes(right.utf8) }
        var outputs: [(String, JSONValue)] = []
        for name in derivation.outputs.keys.sorted(by: inOrder) {
            var members: [(String, JSONValue)] = []
            if let path = try derivation.path(of: name, in: store) {
                members.append(("path", .string(store.print(path))))
            }
            if case .fixed(let address)? = derivation.outputs[name] {
                members.append(("hashAlgo", .string(address.methodAlgorithm)))
                members.append(("hash", .string(address.hash.text(.base16))))
            }
            outputs.append((name, .object(JSONObject(members))))
        }
        let inputs = derivation.inputDerivations.sorted { $0.key < $1.key }.map { path, names in
            (store.print(path), JSONValue.array(names.sorted(by: inOrder).map { .string($0) }))
        }
        let environment = derivation.environment.sorted { $0.key < $1.key }.map { ($0.key.description, text($0.value)) }
        return [
            "outputs": .object(JSONObject(outputs)),
            "inputSrcs": .array(derivation.inputSources.sorted().map { .string(store.print($0)) }),
            "inputDrvs": .object(JSONObject(inputs)),
            "system": text(derivation.system), "builder": text(derivation.builder),
            "args": .array(derivation.arguments.map(text)),
            "env": .object(JSONObject(environment)),
        ]
    }
}
