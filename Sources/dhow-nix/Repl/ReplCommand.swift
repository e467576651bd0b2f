import Kernel
import NixLanguage
import NixStore

/// `repl`: an interactive prompt, as `nix repl`.
enum ReplCommand {
    static let help = """
        Usage: dhow-nix repl [OPTIONS] [FILE...]

        Evaluate expressions as they are typed. ':?' lists the commands. Lines can be edited, Tab completes names and
        attributes, Ctrl-C ends what is being evaluated, Ctrl-D the prompt.

          --expr, -E TEXT         add the attributes of an expression
          --file, -f FILE         load a file, as FILE
          --arg NAME EXPR, --argstr NAME TEXT
                                  arguments for functions that are loaded
          -I PATH, --pure-eval, --restrict-eval, --store DIR, --option NAME VALUE, --show-trace

        """

    static func run(_ arguments: Arguments) throws {
        var rest = arguments
        var settings = Settings()
        let host = LocalHost()
        var files: [String] = []
        var expressions: [String] = []
        while let item = rest.next() {
            switch item {
            case .word(let word): files.append(word)
            case .option("--help"): throw HelpRequest(text: help)
            case .option(let option):
                switch option {
                case "--expr", "-E": expressions.append(try rest.value(of: option))
                case "--file", "-f": files.append(try rest.value(of: option))
                default:
                    guard try settings.take(option, &rest) else { throw UsageError("unrecognised flag '\(option)'") }
                }
            }
        }
        settings.finish(host)
        let writer = try settings.host(isReadOnly: settings.isReadOnly)
        let interruption = Interruption()
        let isTerminal = FileDescriptor.standardInput.isTerminal && Output.standard.isTerminal
        if isTerminal { try watch(interruption) }
        let history = isTerminal ? history(host) : nil
        let given = settings.arguments
        InteractiveSession.run(
            on: writer, settings.evaluation, basePath: host.workingDirectory, interruption: interruption
        ) { session in
            var prompt = ReplPrompt(
                session: session, files: files, expressions: expressions, arguments: given, host: writer,
                historyFile: history)
            prompt.run()
        }
    }

    /// Lets Ctrl-C end an evaluation, not the program.
    private static func watch(_ interruption: Interruption) throws {
        let signals = SignalSet([.interrupt])
        // Threads begun from here on, the evaluator's too, leave the signal to the descriptor.
        _ = signals.addToBlocked()
        let source = try SignalDescriptor(signals)
        try Threads.start {
            while true {
                guard (try? poll([PollRequest(source.descriptor, .readable)], timeoutMilliseconds: -1)) != nil,
                    let event = try? source.next()
                else { continue }
                if event.signal == .interrupt { interruption.request() }
            }
        }
    }

    /// Where Nix keeps lines too.
    private static func history(_ host: LocalHost) -> String? {
        let base = host.environment("XDG_DATA_HOME") ?? host.environment("HOME").map { $0 + "/.local/share" }
        return base.map { $0 + "/nix/repl-history" }
    }
}
