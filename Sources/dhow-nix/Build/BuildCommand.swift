import JSON
import NixBuild
import NixLanguage
import NixLocalStore
import NixStore

/// `build`: derivations built, as `nix build` does.
struct BuildCommand {
    static let help = """
        Usage: dhow-nix build [OPTIONS] [ATTRIBUTE|DERIVATION[^OUTPUT,OUTPUT]|PATH...]

        Build what attributes of an expression are, or derivations, and make 'result' links.

          --file, -f FILE         the expression is in a file (./default.nix)
          --expr, -E TEXT         the expression
          --out-link, -o LINK     the links' name (result)
          --no-link               no links
          --profile LINK          make the output a profile's new generation
          --print-out-paths       print the outputs
          --json                  print what was built as JSON
          --print-build-logs, -L  show what builders write
          --dry-run               only say what would be built
          --rebuild               build once more, and compare
          --repair                build again what is damaged
          --keep-failed, -K; --keep-going, -k; --max-jobs, -j N; --cores N; --timeout, --max-silent-time SECONDS
          --arg NAME EXPR, --argstr NAME TEXT, -I PATH, --impure, --option NAME VALUE, --store STORE

        """

    private var settings = Settings()
    private var words: [String] = []
    private var installables = Installables()
    private var link: String? = "result"
    private var profile: String?
    private var (printsPaths, printsJSON, showsLogs, isDryRun) = (false, false, false, false)
    private var mode = BuildSettings.Mode.normal

    static func run(_ arguments: Arguments) throws {
        var command = BuildCommand()
        var rest = arguments
        try rest.takeAll(help: help, word: { command.words.append($0) }, option: { try command.take($0, &$1) })
        try command.perform()
    }

    private mutating func take(_ option: String, _ rest: inout Arguments) throws {
        switch option {
        case "--out-link", "-o": link = try rest.value(of: option)
        case "--no-link": link = nil
        case "--profile": profile = try rest.value(of: option)
        case "--print-out-paths": printsPaths = true
        case "--json": printsJSON = true
        case "--print-build-logs", "-L": (showsLogs, settings.showsProgress) = (true, false)
        case "--dry-run": isDryRun = true
        case "--rebuild": mode = .check
        case "--repair": mode = .repair
        default:
            guard try installables.take(option, &rest) || settings.take(option, &rest) else {
                throw UsageError("unrecognised flag '\(option)'")
            }
        }
    }

    private mutating func perform() throws {
        let host = LocalHost()
        settings.finish(host, isPure: installables.arePure && !settings.isImpure)
        let session = try BuildSession(settings, mode: mode, showsLogs: showsLogs, namesLines: true)
        var targets: [BuildTargets.Target] = []
        var objects: [StorePath] = []
        var attributes: [String] = []
        for word in words {
            let (name, outputs) = BuildTargets.split(word)
            guard name.contains("/") else {
                attributes.append(word)
                continue
            }
            let path = try StoreSettings(host, settings.configuration).path(name)
            if path.isDerivation {
                targets.append(.init(derivation: path, outputs: outputs ?? []))
            } else {
                objects.append(path)
            }
        }
        if !attributes.isEmpty || targets.isEmpty && objects.isEmpty {
            let evaluator = try session.host(settings)
            for attribute in attributes.isEmpty ? [""] : attributes {
                let (name, outputs) = BuildTargets.split(attribute)
                for var target in try BuildTargets.evaluate(
                    installables.source(host), attribute: name, settings, on: evaluator)
                {
                    if let outputs { target.outputs = outputs }
                    targets.append(target)
                }
            }
        }
        let asked = targets.map { BuildTarget.outputs($0.derivation, Set($0.outputs)) } + objects.map { .object($0) }
        if isDryRun { return try session.showPlan(asked) }
        try session.realise(asked, quiet: true)
        try finish(targets, objects, session, host)
    }

    private func finish(
        _ targets: [BuildTargets.Target], _ objects: [StorePath], _ session: BuildSession, _ host: LocalHost
    ) throws {
        var (members, lines): ([JSONValue], [String]) = ([], [])
        var made: Set<StorePath> = []
        var number = 0
        func place(_ path: StorePath, _ output: String) throws {
            made.insert(path)
            lines.append(session.directory.print(path) + "\n")
            guard let link else { return }
            let file = link + (number == 0 ? "" : "-\(number)") + (output == "out" ? "" : "-" + output)
            try session.addRoot(Settings.absolute(file, host), to: path)
        }
        for target in targets {
            let paths = try session.outputs(of: target.derivation)
            let names = target.outputs.isEmpty ? paths.keys.sorted() : target.outputs
            var outputs = JSONObject()
            for name in names {
                guard let path = paths[name] else { continue }
                outputs[name] = .string(session.directory.print(path))
                try place(path, name)
            }
            members.append([
                "drvPath": .string(session.directory.print(target.derivation)), "outputs": .object(outputs),
            ])
            number += 1
        }
        for path in objects {
            members.append(["path": .string(session.directory.print(path))])
            try place(path, "out")
            number += 1
        }
        if let profile {
            guard let path = made.first, made.count == 1 else {
                throw UsageError(
                    "'--profile' requires that the arguments produce a single store path, but there are \(made.count)")
            }
            _ = try Profile(StoreSession.absolute(profile), in: session.machineStore).add(path)
        }
        if printsPaths { Output.standard.write(lines.joined()) }
        if printsJSON { Output.standard.write(JSONValue.array(members).serialized() + "\n") }
    }
}
