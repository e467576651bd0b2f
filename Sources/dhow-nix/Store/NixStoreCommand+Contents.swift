import Kernel
import NixBuild
import NixLocalStore
import NixStore

// Operations that bring objects in and out.
extension NixStoreCommand {
    func realise(_ builder: BuildSession) throws {
        var targets: [BuildTarget] = []
        var results: [(path: StorePath, names: [String])] = []
        for word in words {
            let (name, outputs) = BuildTargets.split(word)
            let path = try builder.object(name)
            targets.append(path.isDerivation ? .outputs(path, Set(outputs ?? [])) : .object(path))
            results.append((path, outputs ?? []))
        }
        if flags.contains("--dry-run") { return try builder.showPlan(targets) }
        if flags.contains("--ignore-unknown") {
            let unknown = try builder.unknown(of: targets)
            targets.removeAll { if case .object(let path) = $0 { unknown.contains(path) } else { false } }
            results.removeAll { unknown.contains($0.path) }
        }
        try builder.realise(targets)
        let base = try values["--add-root"].map(StoreSession.absolute)
        if base == nil, settings.warnsOfMissingRoots, !results.isEmpty {
            StoreSession.say(StoreSession.rootWarning)
        }
        for (index, (path, names)) in results.enumerated() {
            let outputs = path.isDerivation ? try builder.outputs(of: path) : ["out": path]
            let chosen = names.isEmpty ? outputs : outputs.filter { names.contains($0.key) }
            // One argument's outputs have one number, whatever they are called.
            let lines = try chosen.map { name, output in
                guard let base else { return builder.directory.print(output) }
                let link = (index == 0 ? base : "\(base)-\(index + 1)") + (name == "out" ? "" : "-" + name)
                try builder.addRoot(link, to: output)
                return link
            }
            Output.standard.write(lines.sorted().map { $0 + "\n" }.joined())
        }
    }

    // MARK: Adding

    func add(_ session: StoreSession) throws {
        for word in words {
            let file = try StoreSession.absolute(word)
            session.print([try session.store.add(tree: file, named: Self.name(of: file))])
        }
    }

    func addFixed(_ session: StoreSession) throws {
        guard let name = words.first else { throw UsageError("first argument must be hash algorithm") }
        let algorithm = try Self.algorithm(name)
        let method = flags.contains("--recursive") ? IngestionMethod.recursive : .flat
        for word in words.dropFirst() {
            let file = try StoreSession.absolute(word)
            session.print([
                try session.store.add(
                    tree: file, named: Self.name(of: file), method: method, algorithm: algorithm)
            ])
        }
    }

    func printFixedPath() throws {
        guard words.count == 3 else { throw UsageError("'--print-fixed-path' requires three arguments") }
        let hash = try Hash(parsing: words[1], algorithm: try Self.algorithm(words[0]))
        let method = flags.contains("--recursive") ? IngestionMethod.recursive : .flat
        let directory = try settings.layout().directory
        let path = try directory.makeFixedOutputPath(
            name: words[2], address: ContentAddress(method: method, hash: hash))
        Output.standard.write(directory.print(path) + "\n")
    }

    private static func algorithm(_ name: String) throws(UsageError) -> HashAlgorithm {
        guard let algorithm = HashAlgorithm(rawValue: name) else {
            throw UsageError(HashAlgorithm.unknown(name))
        }
        return algorithm
    }

    static func name(of file: String) -> String { file.split(separator: "/").last.map(String.init) ?? "" }

    // MARK: Streams

    func dump() throws {
        guard words.count == 1 else { throw UsageError("only one argument allowed") }
        let file = try settings.layout().file(named: StoreSession.absolute(words[0]))
        try StoreSession.stream { sink in
            try withoutActuallyEscaping(sink) { sink in
                try NARWriter(source: DirectorySource(), output: sink).write(file)
            }
        }
    }

    func restore() throws {
        guard words.count == 1 else { throw UsageError("only one argument allowed") }
        let target = try StoreSession.absolute(words[0])
        guard try FileDescriptor.currentDirectory.statusIfPresent(of: target) == nil else {
            throw StoreError(.badArchive, "path '\(target)' exists already")
        }
        var reader = NARReader(input: StoreSession.readInput)
        var unpacker = NARUnpacker(at: target, permissions: .usual)
        try reader.read(&unpacker)
    }

    func export(_ session: StoreSession) throws {
        let paths = Set(try words.map(session.object))
        try StoreSession.stream { sink in try session.store.export(paths, to: sink) }
    }

    func importObjects(_ session: StoreSession) throws {
        session.print(
            try session.store.importObjects(
                checkSignatures: false, temporaryDirectory: session.temporaryDirectory, input: StoreSession.readInput))
    }

    // MARK: The database

    func dumpDatabase(_ session: StoreSession) throws {
        let paths =
            words.isEmpty ? Array(try session.store.allValidPaths()).sorted() : try words.map(session.object)
        let infos = try paths.map(session.store.requireInfo)
        Output.standard.write(ValidityText.write(infos, in: session.directory))
    }

    func register(_ session: StoreSession, hasHashes: Bool, replaces: Bool) throws {
        let store = try session.ownStore(for: "registering objects")
        let text = String(decoding: Output.readInput(), as: UTF8.self)
        let infos = try ValidityText.read(text, hasHashes: hasHashes, in: session.directory) { path in
            var metadata = CanonicalMetadata()
            try metadata.apply(to: store.layout.file(path))
            return try Hash.andSize(archiveOf: store.layout.file(path))
        }
        let known = try store.validPaths(among: infos.map(\.path))
        try store.register(infos.filter { replaces || !known.contains($0.path) })
    }

    // MARK: Derivations

    func printEnvironment(_ session: StoreSession) throws {
        guard words.count == 1 else { throw UsageError("'--print-env' requires one derivation store path") }
        let derivation = try session.store.derivation(at: try session.object(words[0]))
        for (name, value) in derivation.environment.sorted(by: { $0.key < $1.key }) {
            Output.standard.write("export \(name); \(name)=\(Self.quoted(value.description))\n")
        }
        Output.standard.write(
            "export _args; _args='\(derivation.arguments.map { Self.quoted($0.description) }.joined(separator: " "))'\n"
        )
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    func readLogs(_ session: StoreSession) throws { try LogCommand.print(words, session) }
}
