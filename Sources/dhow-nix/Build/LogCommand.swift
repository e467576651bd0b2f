import NixLocalStore
import NixStore

/// `log`: what was written while something was built.
enum LogCommand {
    static let help = """
        Usage: dhow-nix log [--store DIR] PATH...
               dhow-nix log --file FILE | --expr TEXT [ATTRIBUTE...]

        Print the log of the build of a derivation, or of what made an object.

        """

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var settings = Settings()
        var words: [String] = []
        var installables = Installables()
        defer { withExtendedLifetime(installables) {} }
        while let item = rest.next() {
            switch item {
            case .word(let word): words.append(word)
            case .option("--help"): throw HelpRequest(text: help)
            case .option(let option):
                guard try installables.take(option, &rest) || settings.take(option, &rest) else {
                    throw UsageError("unrecognised flag '\(option)'")
                }
            }
        }
        words = try installables.paths(of: words, as: .derivations, settings)
        guard !words.isEmpty else { throw UsageError("'log' needs a derivation or what one has made") }
        var options = LocalStore.Options()
        options.isWritable = false
        try print(words.map { BuildTargets.split($0).path }, StoreSession(settings, options: options))
    }

    /// Prints the logs of objects' builds.
    static func print(_ words: [String], _ session: StoreSession) throws {
        for word in words {
            let path = try session.object(word)
            guard let log = try session.store.expandedBuildLog(of: path) else {
                throw StoreError(
                    .notValid, "build log of '\(session.directory.print(path))' is not available")
            }
            Output.standard.write(log)
        }
    }
}
