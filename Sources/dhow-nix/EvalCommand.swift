import NixLanguage

/// `eval`: an expression's value, as `nix eval` prints it.
enum EvalCommand {
    static let help = """
        Usage: dhow-nix eval [OPTIONS] [ATTRIBUTE]

        Evaluate an expression and print its value.

          --expr, -E TEXT         the expression
          --file, -f FILE         a file to evaluate; '-' is standard input
          --apply FUNCTION        apply a function to the value
          --json                  print JSON
          --raw                   print a string without quotes
          --strict                evaluate all of the value
          --arg NAME EXPR, --argstr NAME TEXT
                                  arguments for functions on the way
          -I PATH                 where <...> looks
          --read-only             work out store paths without writing to the store
          --store DIR             a store other than the machine's
          --impure                allow the environment, the time, other files
          --show-trace            the whole trace of an error

        """

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var settings = Settings()
        let host = LocalHost()
        var source: Evaluation.Source?
        var attribute = ""
        var apply: String?
        var format = Evaluation.Format.modern
        var isStrict = false
        let directory = host.workingDirectory
        while let item = rest.next() {
            switch item {
            case .word(let word): attribute = word
            case .option("--help"): throw HelpRequest(text: help)
            case .option(let option):
                switch option {
                case "--expr", "-E": source = .expression(try rest.value(of: option), basePath: directory)
                case "--file", "-f":
                    let path = try rest.value(of: option)
                    source =
                        path == "-"
                        ? .standardInput(Output.readInput(), basePath: directory)
                        : .file(Settings.absolute(path, host))
                case "--apply": apply = try rest.value(of: option)
                case "--json": format = .json
                case "--raw": format = .raw
                case "--strict": isStrict = true
                default:
                    guard try settings.take(option, &rest) else { throw UsageError("unrecognised flag '\(option)'") }
                }
            }
        }
        guard let source else { throw UsageError("'eval' needs '--expr' or '--file'") }
        // As in Nix, an expression of the command line sees nothing that is not in it.
        var isPure = false
        if case .expression = source { isPure = !settings.isImpure }
        settings.finish(host, isPure: isPure)
        let writer = try settings.host(isReadOnly: settings.isReadOnly)
        var evaluation = Evaluation(source)
        evaluation.attributePath = attribute
        evaluation.arguments = settings.arguments
        evaluation.apply = apply
        evaluation.format = format
        evaluation.isStrict = isStrict
        evaluation.settings = settings.evaluation
        var text = try evaluation.run(on: writer).get()
        if case .raw = format {} else { text.append(0x0A) }
        Output.standard.write(text)
    }
}
