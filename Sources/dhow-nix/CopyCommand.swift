import NixBinaryCache
import NixLanguage
import NixStore

/// `copy`: closures from one store to another.
enum CopyCommand {
    static let help = """
        Usage: dhow-nix copy [--from STORE] [--to STORE] [OPTIONS] PATH...

        Copy objects with all that they refer to. A store is 'daemon', 'unix://SOCKET', or a binary cache:
        'https://HOST/PATH', 'file:///PATH[?compression=zstd&secret-key=FILE&write-nar-listing=1]'.

          --from STORE, --to STORE
                                  where from and where to (the daemon)
          --file, -f FILE, --expr TEXT
                                  PATH is an attribute of an expression, which is built first
          --no-check-sigs         accept what no trusted key has signed
          --no-recursive          without what the objects refer to
          --substitute-on-destination, -s
                                  let the destination fetch what it can itself
          --option NAME VALUE     trusted-public-keys, netrc-file, ssl-cert-file, download-attempts, connect-timeout,
                                  stalled-download-timeout

        """

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var settings = StoreSettings(LocalHost())
        var (from, to): (String?, String?) = (nil, nil)
        var words: [String] = []
        // For attributes of expressions, which are built first.
        var evaluation = Settings()
        var installables = Installables()
        defer { withExtendedLifetime(installables) {} }
        var (checks, recurses, substitutes) = (true, true, false)
        while let item = rest.next() {
            switch item {
            case .word(let word): words.append(word)
            case .option("--help"): throw HelpRequest(text: help)
            case .option(let option):
                switch option {
                case "--from": from = try rest.value(of: option)
                case "--to": to = try rest.value(of: option)
                case "--no-check-sigs": checks = false
                case "--no-recursive": recurses = false
                case "-r", "--recursive": recurses = true
                case "--substitute-on-destination", "-s": substitutes = true
                default:
                    let isKnown =
                        try installables.take(option, &rest) || settings.take(option, &rest)
                        || evaluation.take(option, &rest)
                    guard isKnown else { throw UsageError("unrecognised flag '\(option)'") }
                }
            }
        }
        guard from != nil || to != nil else { throw UsageError("you must pass '--from' and/or '--to'") }
        evaluation.configuration = settings.configuration
        words = try installables.paths(of: words, as: from == nil ? .builtOutputs : .outputs, evaluation)
        guard !words.isEmpty else { throw UsageError("'copy' needs the paths to copy") }
        let source = try settings.open(from ?? settings.store)
        let destination = try settings.open(to ?? settings.store, creates: true)
        var copy = ClosureCopy(from: source, to: destination)
        copy.checksSignatures = checks && settings.configuration.requiresSignatures
        copy.includesReferences = recurses
        if substitutes, let daemon = destination as? DaemonStore {
            copy.substitute = { _ = try daemon.validPaths(among: $0, substituting: true) }
        }
        let report = to.map { TransferReport("to", $0) } ?? TransferReport("from", from ?? "")
        let directory = settings.directory
        copy.onEvent = { report.show($0, in: directory) }
        let paths = try words.map(settings.path)
        _ = try ProgressLine.during(settings.showsProgress) { try copy.run(paths) }
    }
}
