import Kernel
import NixBuild
import NixLanguage
import NixLocalStore
import NixStore

/// `nix-build`: files' derivations built, with that tool's flags and outputs.
struct NixBuildCommand {
    static let help = """
        Usage: nix-build [OPTIONS] [FILE...]

        Build the derivations that files evaluate to (./default.nix), print their outputs, and make 'result' links.

          -A, --attr PATH         what to choose from the value
          -E, --expr              the files are expressions
          -o, --out-link LINK     the links' name (result)
          --no-out-link, --no-link
                                  no links
          --dry-run               only say what would be built
          --check                 build once more, and compare
          --repair                build again what is damaged
          -K, --keep-failed       keep temporary directories of failed builds (with --check: the other output)
          -k, --keep-going        go on after a failure
          -j, --max-jobs N        builds at once
          --cores N               processors for each build
          --timeout, --max-silent-time SECONDS
          -Q, --no-build-output   without what builders write
          --arg NAME EXPR, --argstr NAME TEXT, -I PATH, --option NAME VALUE, --store STORE

        """

    private var settings = Settings()
    private var words: [String] = []
    private var attributes: [String] = []
    private var isExpression = false
    private var link: String? = "result"
    private var isDryRun = false
    private var mode = BuildSettings.Mode.normal
    private var showsLogs = true

    static func run(_ arguments: Arguments) throws {
        var command = NixBuildCommand()
        var rest = arguments
        try rest.takeAll(help: help, word: { command.words.append($0) }, option: { try command.take($0, &$1) })
        try command.perform()
    }

    private mutating func take(_ option: String, _ rest: inout Arguments) throws {
        switch option {
        case "-A", "--attr": attributes.append(try rest.value(of: option))
        case "-E", "--expr": isExpression = true
        case "-o", "--out-link", "--add-root": link = try rest.value(of: option)
        case "--no-out-link", "--no-link": link = nil
        case "--indirect": break
        case "--dry-run": isDryRun = true
        case "--check": mode = .check
        case "--repair": mode = .repair
        case "-Q", "--no-build-output": showsLogs = false
        default:
            guard try settings.take(option, &rest) else { throw UsageError("unrecognised flag '\(option)'") }
        }
    }

    private mutating func perform() throws {
        let host = LocalHost()
        settings.finish(host)
        if words.isEmpty, !isExpression { words = ["./default.nix"] }
        let session = try BuildSession(settings, mode: mode, showsLogs: showsLogs)
        let evaluator = try session.host(settings)
        var targets: [BuildTargets.Target] = []
        for word in words {
            for attribute in attributes.isEmpty ? [""] : attributes {
                if !isExpression, let path = Self.derivation(word, session.directory, host) {
                    targets.append(.init(derivation: path.0, outputs: path.1))
                    continue
                }
                targets += try BuildTargets.evaluate(
                    InstantiateCommand.source(word, isExpression: isExpression, host), attribute: attribute, settings,
                    on: evaluator)
            }
        }
        let asked = targets.map { BuildTarget.outputs($0.derivation, Set($0.outputs)) }
        if isDryRun { return try session.showPlan(asked) }
        try session.realise(asked)
        try finish(targets, session, host)
    }

    /// A word that is a derivation rather than a file with an expression.
    private static func derivation(
        _ word: String, _ directory: StoreDirectory, _ host: LocalHost
    ) -> (StorePath, [String])? {
        let (path, outputs) = BuildTargets.split(word)
        guard directory.contains(path), let object = try? directory.parse(path), object.isDerivation else { return nil }
        return (object, outputs ?? [])
    }

    /// Makes the links, and prints what is there now.
    private func finish(_ targets: [BuildTargets.Target], _ session: BuildSession, _ host: LocalHost) throws {
        // The first derivation's links have no number, the others count on.
        var numbers: [StorePath: Int] = [:]
        var lines: [String] = []
        for target in targets {
            let number = numbers[target.derivation] ?? numbers.count
            numbers[target.derivation] = number
            let paths = try session.outputs(of: target.derivation)
            for name in target.outputs.isEmpty ? paths.keys.sorted() : target.outputs {
                guard let path = paths[name] else { continue }
                if let link {
                    var file = link + (number == 0 ? "" : "-\(number + 1)")
                    if name != "out" { file += "-" + name }
                    try session.addRoot(Settings.absolute(file, host), to: path)
                }
                lines.append(session.directory.print(path) + "\n")
            }
        }
        Output.standard.write(lines.joined())
    }
}
