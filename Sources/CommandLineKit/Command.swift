/// One command of a program: its words, its flags and what it does.
///
/// `Action` is what the command turns into once its flags are known: usually a closure that takes the arguments. The
/// kit only finds and parses; the program runs the action in whatever way suits it.
public struct Command<Action> {
    /// The word on the command line.
    public var name: String
    /// Other words for it.
    public var aliases: [String] = []
    /// One line for the list of commands.
    public var summary: String
    /// What follows the command's path on its usage line, as in `[OPTIONS] CONTAINER`.
    public var usage: String
    /// More than one line about it; help texts show the summary if this is empty.
    public var details = ""
    /// All ways to call it, for help texts: `docker container ls, docker ps`, with `%` for the program's name.
    public var spellings: [String] = []
    /// The heading under which the parent lists it.
    public var group = "Commands"
    public var isHidden = false
    /// How many arguments it takes.
    public var arguments = ArgumentCount.any
    /// Whether flags may follow arguments.
    public var isInterspersed = true
    private var makeSubcommands: (() -> [Command<Action>])?
    /// Declares the flags and returns the action that reads them; `nil` for a command that only has subcommands.
    public var configure: ((FlagSet) -> Action)?

    public init(
        _ name: String, _ summary: String, usage: String = "", arguments: ArgumentCount = .any,
        isInterspersed: Bool = true, configure: ((FlagSet) -> Action)? = nil
    ) {
        self.name = name
        self.summary = summary
        self.usage = usage
        self.arguments = arguments
        self.isInterspersed = isInterspersed
        self.configure = configure
    }

    /// A command that groups others, which are made when they are asked for: most runs of a program ask for one.
    public init(_ name: String, _ summary: String, subcommands: @autoclosure @escaping () -> [Command<Action>]) {
        self.name = name
        self.summary = summary
        self.usage = "COMMAND"
        makeSubcommands = subcommands
    }

    /// The commands below, in the order of help texts.
    public var subcommands: [Command<Action>] { makeSubcommands?() ?? [] }

    func answers(to word: String) -> Bool { name == word || aliases.contains(word) }
}

/// How many arguments a command takes.
public enum ArgumentCount: Sendable, Equatable {
    case any
    case none
    case exactly(Int)
    case atLeast(Int)
    case atMost(Int)
    case between(Int, Int)

    /// `nil` when `count` is fine, else Docker's sentence and whether its hint begins with "See" or "Run".
    func complaint(about count: Int) -> (sentence: String, hint: String)? {
        func plural(_ count: Int) -> String { "\(count) argument\(count == 1 ? "" : "s")" }
        switch self {
        case .any: return nil
        case .none: return count == 0 ? nil : ("accepts no arguments", "Run")
        case .exactly(let wanted): return count == wanted ? nil : ("requires \(plural(wanted))", "Run")
        case .atLeast(let least): return count >= least ? nil : ("requires at least \(plural(least))", "See")
        case .atMost(let most): return count <= most ? nil : ("requires at most \(plural(most))", "See")
        case .between(let least, let most):
            return (least...most).contains(count)
                ? nil : ("requires at least \(least) and at most \(plural(most))", "See")
        }
    }
}

/// A command line that cannot be run: what to print on stderr, and the status to exit with.
public struct CommandLineError: Error, Sendable, Equatable, CustomStringConvertible {
    public var message: String
    public var exitStatus: Int32

    public init(_ message: String, exitStatus: Int32 = 1) {
        self.message = message
        self.exitStatus = exitStatus
    }

    public var description: String { message }
}

/// What a command line asks for.
public enum Invocation<Action> {
    /// Run `action` with `arguments`. `path` has the words of the command, without the program's name.
    case run(action: Action, arguments: [String], flags: FlagSet, path: [String])
    /// Print a help text on stdout and leave with status 0.
    case help(String)
}

/// A program: its name, the flags before the first command, and its commands.
public struct CommandTree<Action> {
    /// The program's name in messages.
    public var name: String
    public var commands: [Command<Action>]
    /// Declares the flags that stand before the command.
    public var globalFlags: (FlagSet) -> Void = { _ in }
    public var summary = ""
    /// The last lines of the program's help text.
    public var footer = ""
    /// The status for flags that were not understood.
    public var flagErrorStatus: Int32 = 125
    /// The order of the groups in the program's help text.
    public var groupOrder: [String] = ["Commands"]
    /// The width for help texts.
    public var width = 80

    public init(name: String, commands: [Command<Action>]) {
        self.name = name
        self.commands = commands
    }

    /// Parses the flags before the first command, for callers that need them before anything else.
    /// - Returns: the flags, and what follows them.
    public func parseGlobal(_ arguments: [String]) throws(CommandLineError) -> (flags: FlagSet, rest: [String]) {
        let flags = FlagSet(isInterspersed: false)
        globalFlags(flags)
        do throws(FlagError) {
            return (flags, try flags.parse(arguments))
        } catch {
            if case .help = error.code { return (flags, ["--help"]) }
            throw CommandLineError(
                "\(error.message)\n\nUsage:  \(name) [OPTIONS] COMMAND [ARG...]\n\n"
                    + "Run '\(name) --help' for more information", exitStatus: flagErrorStatus)
        }
    }

    /// Finds the command that `words` (what `parseGlobal` left) ask for, and parses its flags.
    /// - Parameter warn: takes warnings about deprecated flags.
    public func resolve(
        _ words: [String], warn: @escaping (String) -> Void = { _ in }
    ) throws(CommandLineError) -> Invocation<Action> {
        guard let first = words.first else { return .help(help()) }
        if first == "--help" || first == "-h" { return .help(help()) }
        if first == "help" { return try helpTopic(Array(words.dropFirst())) }
        guard var command = commands.first(where: { $0.answers(to: first) }) else {
            throw CommandLineError(
                "\(name): unknown command: \(name) \(first)\n\nRun '\(name) --help' for more information")
        }
        var path = [command.name]
        if let called = commands.first(where: { $0.answers(to: first) }), called.aliases.contains(first) {
            path = [first]
        }
        var rest = Array(words.dropFirst())
        while true {
            let subcommands = command.subcommands
            if subcommands.isEmpty { break }
            guard let word = rest.first else {
                if command.configure != nil { break }
                return .help(help(of: command, path: path))
            }
            if word == "--help" { return .help(help(of: command, path: path)) }
            if word == "-h" {
                warn("Flag shorthand -h has been deprecated, use --help")
                return .help(help(of: command, path: path))
            }
            guard let next = subcommands.first(where: { $0.answers(to: word) }) else {
                if command.configure != nil { break }
                let full = ([name] + path).joined(separator: " ")
                if word.hasPrefix("-"), word != "-" {
                    let sentence =
                        word.hasPrefix("--")
                        ? "unknown flag: \(word.prefix { $0 != "=" })"
                        : "unknown shorthand flag: '\(word.dropFirst().first ?? "-")' in \(word)"
                    throw CommandLineError(
                        "\(sentence)\n\nUsage:  \(full)\n\nRun '\(full) --help' for more information",
                        exitStatus: flagErrorStatus)
                }
                throw CommandLineError(
                    "\(name): unknown command: \(full) \(word)\n\nUsage:  \(full)\n\n"
                        + "Run '\(full) --help' for more information")
            }
            command = next
            path.append(next.name)
            rest.removeFirst()
        }
        return try parse(command, path: path, rest, warn: warn)
    }

    private func parse(
        _ command: Command<Action>, path: [String], _ rest: [String], warn: @escaping (String) -> Void
    ) throws(CommandLineError) -> Invocation<Action> {
        let full = ([name] + path).joined(separator: " ")
        guard let configure = command.configure else { return .help(help(of: command, path: path)) }
        let flags = FlagSet(isInterspersed: command.isInterspersed)
        flags.warn = warn
        let action = configure(flags)
        let arguments: [String]
        do throws(FlagError) {
            arguments = try flags.parse(rest)
        } catch {
            if case .help(let shorthand) = error.code {
                if shorthand { warn("Flag shorthand -h has been deprecated, use --help") }
                return .help(help(of: command, path: path))
            }
            throw CommandLineError(
                "\(error.message)\n\nUsage:  \(usageLine(of: command, full))\n\n"
                    + "Run '\(full) --help' for more information", exitStatus: flagErrorStatus)
        }
        if let (sentence, hint) = command.arguments.complaint(about: arguments.count) {
            throw CommandLineError(
                "\(name): '\(full)' \(sentence)\n\nUsage:  \(usageLine(of: command, full))\n\n"
                    + "\(hint) '\(full) --help' for more information")
        }
        return .run(action: action, arguments: arguments, flags: flags, path: path)
    }

    private func helpTopic(_ words: [String]) throws(CommandLineError) -> Invocation<Action> {
        guard let first = words.first else { return .help(help()) }
        guard var command = commands.first(where: { $0.answers(to: first) }) else {
            throw CommandLineError("unknown help topic: \(words.joined(separator: " "))")
        }
        var path = [command.name]
        for word in words.dropFirst() {
            guard let next = command.subcommands.first(where: { $0.answers(to: word) }) else {
                throw CommandLineError("unknown help topic: \(words.joined(separator: " "))")
            }
            command = next
            path.append(next.name)
        }
        return .help(help(of: command, path: path))
    }
}
