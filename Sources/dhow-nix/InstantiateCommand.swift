import NixLanguage

/// `instantiate`: files evaluated or parsed, with the flags and outputs of `nix-instantiate`.
enum InstantiateCommand {
    static let help = """
        Usage: dhow-nix instantiate [OPTIONS] [FILE...]

        Evaluate files; without '--eval' or '--parse', print the paths of the derivations that they are.

          --eval, --eval-only     print the value
          --parse, --parse-only   print the parsed expression
          --strict                evaluate all of the value
          --json, --xml, --raw    other ways to print a value
          --no-location           leave positions out of XML
          -E, --expr              the files are expressions
          -A, --attr PATH         what to choose from the value
          --read-write-mode       let evaluating with '--eval' write to the store
          --add-root LINK         make the derivation a root, with a link
          --store DIR             a store other than the machine's
          --find-file             print where <FILE> is
          --arg NAME EXPR, --argstr NAME TEXT, -I PATH, --show-trace, --pure-eval, --restrict-eval

        """

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var settings = Settings()
        let host = LocalHost()
        var words: [String] = []
        var paths: [String] = []
        var isExpression = false
        var (evaluates, parses, finds) = (false, false, false)
        var (isStrict, showsLocations) = (false, true)
        var format: Evaluation.Format?
        var root: String?
        while let item = rest.next() {
            switch item {
            case .word(let word): words.append(word)
            case .option("--help"): throw HelpRequest(text: help)
            case .option(let option):
                switch option {
                case "--eval", "--eval-only": evaluates = true
                case "--parse", "--parse-only": parses = true
                case "--find-file": finds = true
                case "--strict": isStrict = true
                case "--json": format = .json
                case "--xml": format = .xml(showsLocations: true)
                case "--raw": format = .raw
                case "--no-location": showsLocations = false
                case "-E", "--expr": isExpression = true
                case "-A", "--attr": paths.append(try rest.value(of: option))
                case "--add-root": root = try rest.value(of: option)
                case "--indirect": break
                default:
                    guard try settings.take(option, &rest) else { throw UsageError("unrecognised flag '\(option)'") }
                }
            }
        }
        settings.finish(host)
        if words.isEmpty, !isExpression { words = ["./default.nix"] }
        if finds { return try find(words, settings, host) }
        var chosen = Evaluation.Format.derivationPath
        if parses { chosen = .parsed }
        if evaluates { chosen = format ?? .classic }
        if case .xml = chosen { chosen = .xml(showsLocations: showsLocations) }
        let onlyReads = settings.isReadOnly || (evaluates || parses) && !settings.isReadWrite
        let writer = try settings.host(isReadOnly: onlyReads)
        var rootCount = 0
        for word in words {
            for path in paths.isEmpty ? [""] : paths {
                var evaluation = Evaluation(source(word, isExpression: isExpression, host))
                evaluation.attributePath = path
                evaluation.arguments = settings.arguments
                evaluation.format = chosen
                evaluation.isStrict = isStrict
                evaluation.settings = settings.evaluation
                var text = try evaluation.run(on: writer).get()
                if case .derivationPath = chosen, !text.isEmpty {
                    rootCount += 1
                    if let root, let writer = writer as? ReadOnlyStoreHost {
                        text = try writer.addRoots(text, root: Settings.absolute(root, host), count: rootCount)
                    } else if rootCount == 1, settings.warnsOfMissingRoots {
                        StoreSession.say(StoreSession.rootWarning)
                    }
                }
                switch chosen {
                case .raw, .xml: break
                default: text.append(0x0A)
                }
                Output.standard.write(text)
            }
        }
    }

    static func source(_ word: String, isExpression: Bool, _ host: LocalHost) -> Evaluation.Source {
        let directory = host.workingDirectory
        if word == "-" { return .standardInput(Output.readInput(), basePath: directory) }
        if isExpression { return .expression(word, basePath: directory) }
        if word.hasPrefix("<"), word.hasSuffix(">") { return .expression("import \(word)", basePath: directory) }
        return .file(Settings.absolute(word, host))
    }

    private static func find(_ words: [String], _ settings: Settings, _ host: LocalHost) throws {
        for word in words {
            let name = word.hasPrefix("<") ? String(word.dropFirst().dropLast()) : word
            Output.standard.write(try Evaluation.find(name, settings.evaluation, on: host).get() + "\n")
        }
    }
}
