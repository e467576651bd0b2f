import NixBuild
import NixLanguage
import NixLocalStore
import NixStore

/// `nix-store`: the classic operations on a store, with that tool's flags and outputs.
struct NixStoreCommand {
    static let help = """
        Usage: nix-store OPERATION [OPTIONS] [PATH...]

        Operations:
          -r, --realise           make sure that paths are valid
          -q, --query             --outputs, -R --requisites, --references, --referrers, --referrers-closure,
                                  -d --deriver, --valid-derivers, --graph, --graphml, --tree, --resolve, -b --binding NAME, --hash, --size,
                                  --roots; with --include-outputs, -u --use-output
          -A, --add               add files
          --add-fixed ALGORITHM   add fixed outputs (--recursive); --print-fixed-path ALGORITHM HASH NAME
          --delete                delete paths that nothing keeps (--ignore-liveness)
          --gc                    collect garbage: --print-roots, --print-live, --print-dead, --max-freed BYTES
          --verify                check the store (--check-contents, --repair); --verify-path, --repair-path
          --dump, --restore       write or unpack archives
          --export, --import      write or read streams of objects
          --dump-db, --load-db, --register-validity (--hash-given, --reregister)
          --print-env             a derivation's environment, as a shell reads it
          -l, --read-log          a derivation's build log
          --optimise              make equal files one file
          --init                  make the store

          --store DIR             a store other than the machine's
          --add-root LINK         make the result a root, with a link

        """

    private(set) var operation: String?
    private(set) var query: String?
    private(set) var words: [String] = []
    private(set) var flags: Set<String> = []
    private(set) var values: [String: String] = [:]
    private(set) var settings = Settings()

    /// One-letter names of operations and queries.
    private static let short = [
        "-r": "--realise", "--realize": "--realise", "-q": "--query", "-A": "--add", "-l": "--read-log",
        "-R": "--requisites", "-d": "--deriver", "-b": "--binding", "-u": "--use-output",
        "--use-outputs": "--use-output", "-f": "--force-realise", "-Q": "--no-build-output", "--optimize": "--optimise",
    ]
    private static let operations: Set<String> = [
        "--realise", "--query", "--add", "--add-fixed", "--print-fixed-path", "--delete", "--gc", "--verify",
        "--verify-path", "--repair-path", "--dump", "--restore", "--export", "--import", "--dump-db", "--load-db",
        "--register-validity", "--print-env", "--read-log", "--optimise", "--init",
    ]
    private static let queries: Set<String> = [
        "--outputs", "--requisites", "--references", "--referrers", "--referrers-closure", "--deriver",
        "--valid-derivers", "--graph", "--graphml", "--resolve", "--tree", "--binding", "--hash", "--size", "--roots",
    ]
    private static let plainFlags: Set<String> = [
        "--include-outputs", "--use-output", "--force-realise", "--recursive", "--ignore-liveness", "--print-roots",
        "--print-live", "--print-dead", "--check-contents", "--repair", "--hash-given", "--reregister", "--indirect",
        "--dry-run", "--ignore-unknown", "--check", "--no-build-output",
    ]
    private static let valued: Set<String> = ["--binding", "--max-freed", "--add-root", "--flat"]

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var command = NixStoreCommand()
        try rest.takeAll(
            help: help, separates: true, word: { command.words.append($0) }, option: { try command.take($0, &$1) })
        guard let operation = command.operation else { throw UsageError("no operation specified") }
        try command.perform(operation)
    }

    private mutating func take(_ option: String, _ rest: inout Arguments) throws {
        let name = Self.short[option] ?? option
        if Self.operations.contains(name) {
            guard operation == nil || operation == name else { throw UsageError("only one operation may be specified") }
            operation = name
        } else if Self.queries.contains(name) {
            if operation == "--query" || operation == nil {
                guard query == nil || query == name else {
                    throw UsageError("query type '\(name)' conflicts with earlier flag")
                }
                query = name
            }
            if Self.valued.contains(name) { values[name] = try rest.value(of: option) }
        } else if Self.plainFlags.contains(name) {
            flags.insert(name)
        } else if Self.valued.contains(name) {
            values[name] = try rest.value(of: option)
        } else {
            guard try settings.take(option, &rest) else { throw UsageError("unknown flag '\(option)'") }
        }
    }

    private func perform(_ operation: String) throws {
        // These need no store.
        switch operation {
        case "--dump": return try dump()
        case "--restore": return try restore()
        case "--print-fixed-path": return try printFixedPath()
        case "--realise":
            let mode: BuildSettings.Mode =
                flags.contains("--check") ? .check : flags.contains("--repair") ? .repair : .normal
            return try realise(
                BuildSession(settings, mode: mode, showsLogs: !flags.contains("--no-build-output")))
        default: break
        }
        let session = try StoreSession(settings)
        switch operation {
        case "--query": try NixStoreQuery(command: self, session: session).run()
        case "--add": try add(session)
        case "--add-fixed": try addFixed(session)
        case "--delete": try delete(session)
        case "--gc": try collect(session)
        case "--verify": try verify(session)
        case "--verify-path": try verifyPaths(session)
        case "--repair-path": try repairPaths(session)
        case "--export": try export(session)
        case "--import": try importObjects(session)
        case "--dump-db": try dumpDatabase(session)
        case "--load-db": try register(session, hasHashes: true, replaces: true)
        case "--register-validity":
            try register(session, hasHashes: flags.contains("--hash-given"), replaces: flags.contains("--reregister"))
        case "--print-env": try printEnvironment(session)
        case "--read-log": try readLogs(session)
        case "--optimise": try optimise(session)
        default: break
        }
    }
}
