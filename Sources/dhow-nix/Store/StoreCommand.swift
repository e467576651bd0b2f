import NixLanguage
import NixLocalStore
import NixStore

/// `store`: the operations of `nix store`, and those of `nix-store` by their names without dashes.
struct StoreCommand {
    static let help = """
        Usage: dhow-nix store COMMAND [OPTIONS] [PATH...]

        Commands:
          ls [-lR] [--json] PATH    list a file or directory of an object
          cat PATH                  print a file of an object
          add-file, add-path [--name NAME] PATH
                                    add a file, or a tree
          add [--name NAME] [--mode nar|flat] PATH
                                    the same: a tree, or with flat a file
          prefetch-file [--name NAME] [--hash-type ALGORITHM] [--expected-hash HASH] [--executable] [--unpack]
                        [--json] ADDRESS
                                    add a file from elsewhere
          diff-closures PATH PATH   print which packages two objects need are others
          repair PATH...            make damaged objects again
          dump-path PATH            write an object's archive
          delete [--ignore-liveness] PATH...
                                    delete objects that nothing keeps
          gc                        collect garbage; see 'dhow-nix gc --help'
          optimise                  make equal files one file
          verify [--check-contents] [--repair] [PATH...]
                                    check the store, or some objects
          roots                     print what keeps objects from being collected

          --store DIR               a store other than the machine's

        'dhow-nix store --query …' and the other operations of 'nix-store' work, too.

        """

    private(set) var settings = Settings()
    private(set) var words: [String] = []
    private(set) var flags: Set<String> = []
    private(set) var values: [String: String] = [:]

    private static let flagNames: [String: String] = [
        "-l": "--long", "--long": "--long", "-R": "--recursive", "--recursive": "--recursive",
        "-d": "--directory", "--directory": "--directory", "--json": "--json",
        "--ignore-liveness": "--ignore-liveness", "--check-contents": "--check-contents", "--repair": "--repair",
        "--all": "--all", "--executable": "--executable", "--unpack": "--unpack", "--no-contents": "--no-contents",
        "--no-trust": "--no-trust",
    ]

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        guard let first = rest.next() else { throw HelpRequest(text: help) }
        guard case .word(let verb) = first else {
            if case .option("--help") = first { throw HelpRequest(text: help) }
            return try NixStoreCommand.run(arguments)
        }
        if verb == "gc" { return try GarbageCommand.run(rest) }
        var command = StoreCommand()
        try rest.takeAll(
            help: help, separates: true, word: { command.words.append($0) }, option: { try command.take($0, &$1) })
        try command.perform(verb)
    }

    private mutating func take(_ option: String, _ rest: inout Arguments) throws {
        if let flag = Self.flagNames[option] {
            flags.insert(flag)
        } else if option == "--name" || option == "-n" {
            values["--name"] = try rest.value(of: option)
        } else if ["--mode", "--expected-hash", "--hash-type"].contains(option) {
            values[option] = try rest.value(of: option)
        } else {
            guard try settings.take(option, &rest) else { throw UsageError("unrecognised flag '\(option)'") }
        }
    }

    private func perform(_ verb: String) throws {
        switch verb {
        case "ls", "cat", "dump-path":
            var options = LocalStore.Options()
            options.isWritable = false
            let session = try StoreSession(settings, options: options)
            switch verb {
            case "ls":
                try StoreListing(
                    session: session, isLong: flags.contains("--long"), isRecursive: flags.contains("--recursive"),
                    showsDirectory: flags.contains("--directory")
                ).run(try one(), json: flags.contains("--json"))
            case "cat": try cat(session)
            default:
                let path = try session.object(try one())
                try StoreSession.stream { sink in try session.store.archive(of: path, to: sink) }
            }
        case "add": try add(mode())
        case "prefetch-file": try prefetch()
        case "diff-closures":
            guard words.count == 2 else { throw UsageError("'diff-closures' takes two paths") }
            let session = try StoreSession(settings)
            let paths = try words.map(session.object)
            let difference = try ClosureDifference(from: paths[0], to: paths[1], in: session.store)
            Output.standard.write(difference.lines(colours: Output.standard.isTerminal).joined())
        case "repair": try NixStoreCommand.repair(words, try StoreSession(settings))
        case "add-file", "add-path": try add(verb == "add-file" ? .flat : .recursive)
        case "delete":
            let session = try StoreSession(settings)
            let paths = Set(try words.map(session.object))
            try NixStoreCommand.collect(
                GarbageCollection(.delete(paths, ignoringLiveness: flags.contains("--ignore-liveness"))), session)
        case "optimise", "optimize":
            try NixStoreCommand.optimise(try StoreSession(settings))
        case "verify": try verify()
        case "roots":
            let session = try StoreSession(settings)
            let lines = try session.store.roots(note: StoreSession.say).flatMap { path, links in
                links.map { "\($0) -> \(session.directory.print(path))\n" }
            }
            Output.standard.write(lines.sorted().joined())
        default:
            throw UsageError("'\(verb)' is not a command of 'store'")
        }
    }

    /// How `add` takes a file.
    private func mode() throws(UsageError) -> IngestionMethod {
        switch values["--mode"] ?? "nar" {
        case "nar": return .recursive
        case "flat": return .flat
        case let other: throw UsageError("'\(other)' is not a mode of 'add'; write 'nar' or 'flat'")
        }
    }

    func one() throws(UsageError) -> String {
        guard words.count == 1 else { throw UsageError("this command takes one path") }
        return words[0]
    }

    private func cat(_ session: StoreSession) throws {
        let (path, rest) = try session.location(try one())
        guard try session.store.isValid(path) else {
            throw StoreError(.notValid, "path '\(session.directory.print(path))' is not valid")
        }
        let file = session.store.layout.file(path) + rest
        let source = DirectorySource()
        guard try source.kind(of: file) == .regular else {
            throw StoreError(.badStorePath, "path '\(session.directory.print(path))\(rest)' is not a regular file")
        }
        try source.read(file, size: { _ in }, body: { Output.standard.write(Array($0)) })
    }

    private func add(_ method: IngestionMethod) throws {
        let session = try StoreSession(settings)
        let file = try StoreSession.absolute(try one())
        let name = values["--name"] ?? NixStoreCommand.name(of: file)
        session.print([try session.store.add(tree: file, named: name, method: method)])
    }

    private func verify() throws {
        if flags.contains("--repair"), try settings.ownedStore() == nil, try DatabaseRescue.isNeeded(settings.layout())
        {
            let result = try DatabaseRescue.run(try settings.layout())
            StoreSession.say(
                "made a new database with \(result.registered) objects; \(result.lost) more are on the disk and no "
                    + "longer known, and 'dhow nix gc' removes them; the damaged database is '\(result.kept)'")
        }
        let session = try StoreSession(settings)
        guard words.isEmpty else {
            var isSound = true
            for path in try words.map(session.object) {
                StoreSession.say("checking '\(session.directory.print(path))'...")
                guard try !session.store.hasSoundContents(path) else { continue }
                StoreSession.say("path '\(session.directory.print(path))' was modified!")
                isSound = false
            }
            if !isSound { throw Quiet() }
            return
        }
        try NixStoreCommand.verify(
            session, checksContents: flags.contains("--check-contents"), repairs: flags.contains("--repair"))
    }
}
