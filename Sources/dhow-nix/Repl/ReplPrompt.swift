import Kernel
import NixLanguage
import NixStore

/// A conversation: lines in, values and errors out.
struct ReplPrompt {
    let session: InteractiveSession
    /// What was loaded, to be loaded again.
    private(set) var files: [String]
    private let expressions: [String]
    private let arguments: [(name: String, value: Evaluation.Argument)]
    private let host: LocalHost
    private let historyFile: String?
    private var editor = LineEditor()
    private var lines = InputLines()
    private let isTerminal: Bool

    private static let greeting = "nix-repl> "

    init(
        session: InteractiveSession, files: [String], expressions: [String],
        arguments: [(name: String, value: Evaluation.Argument)], host: LocalHost, historyFile: String?
    ) {
        self.session = session
        self.files = files
        self.expressions = expressions
        self.arguments = arguments
        self.host = host
        self.historyFile = historyFile
        isTerminal = FileDescriptor.standardInput.isTerminal && Output.standard.isTerminal
    }

    mutating func run() {
        Output.standard.write("Welcome to Dhow's Nix. Type :? for help.\n\n")
        editor.completions = { [session] in session.completions(of: $0) }
        readHistory()
        loadAll()
        while let text = nextInput(), execute(text) {
            if isTerminal { Output.standard.write("\n") }
        }
        writeHistory()
    }

    // MARK: Lines

    /// A command or an expression, which may be several lines; `nil` at the end.
    private mutating func nextInput() -> String? {
        var text = ""
        while true {
            switch nextLine(text.isEmpty ? Self.greeting : String(repeating: " ", count: Self.greeting.count)) {
            case .end:
                // What is unfinished at the end is wrong, and said to be.
                return text.isEmpty ? nil : text
            case .interrupted: text = ""
            case .text(let line):
                text += text.isEmpty ? line : "\n" + line
                if text.allSatisfy(\.isWhitespace) { text = "" } else if !isIncomplete(text) { return text }
            }
        }
    }

    private mutating func nextLine(_ prompt: String) -> LineEditor.Line {
        guard isTerminal else { return lines.next().map { .text($0) } ?? .end }
        return (try? editor.read(prompt)) ?? .end
    }

    private func isIncomplete(_ text: String) -> Bool {
        let (command, argument) = Self.split(text)
        switch command {
        case nil: return session.isIncomplete(Self.binding(in: text)?.value ?? text)
        case ":p", ":print", ":t", ":a", ":add", ":b", ":bl", ":log", ":e", ":edit", ":doc":
            return session.isIncomplete(argument)
        default: return false
        }
    }

    // MARK: Commands

    /// The command that a line begins with, and what is behind it.
    private static func split(_ text: String) -> (command: String?, argument: String) {
        let trimmed = text.trimmed
        guard trimmed.hasPrefix(":") else { return (nil, trimmed) }
        let end = trimmed.firstIndex(where: \.isWhitespace) ?? trimmed.endIndex
        return (String(trimmed[..<end]), String(trimmed[end...]).trimmed)
    }

    /// `name = value`, if a line is that.
    private static func binding(in text: String) -> (name: String, value: String)? {
        guard let equal = text.firstIndex(of: "=") else { return nil }
        let name = String(text[..<equal]).trimmed
        let rest = text[text.index(after: equal)...]
        guard rest.first != "=", InteractiveSession.isName(name) else { return nil }
        var value = String(rest).trimmed
        if value.hasSuffix(";") { value.removeLast() }
        return (name, value)
    }

    /// - Returns: whether to go on.
    private mutating func execute(_ text: String) -> Bool {
        let (command, argument) = Self.split(text)
        if command == ":q" || command == ":quit" { return false }
        do {
            switch command {
            case nil:
                if let (name, value) = Self.binding(in: text) {
                    try session.bind(name, to: value)
                } else {
                    say(try session.print(argument))
                }
            case ":?", ":help": Output.standard.write(Self.commands)
            case ":t": say(try session.kind(of: argument))
            case ":p", ":print": say(try session.print(argument, isDeep: true))
            case ":a", ":add": sayAdded(try session.addAttributes(of: argument))
            case ":l", ":load":
                guard !argument.isEmpty else { throw UsageError("':l' needs a file") }
                files.removeAll { $0 == argument }
                files.append(argument)
                sayAdded(try session.load(argument, arguments))
            case ":r", ":reload":
                session.reset()
                loadAll()
            case ":b": try build(argument)
            case ":bl": try build(argument, makesLinks: true)
            case ":log": try showLog(argument)
            case ":ll", ":last-loaded":
                guard let names = session.lastAdded else { throw UsageError("nothing has been loaded yet") }
                Output.standard.write(names.map { $0 + "\n" }.joined())
            case ":e", ":edit": try edit(argument)
            case ":doc":
                let (name, arity) = try session.builtin(argument)
                let words = ["a", "b", "c"].prefix(arity).joined(separator: " ")
                say("Synopsis: builtins.\(name) \(words)\n\n    \(BuiltinDocumentation.text(of: name))")
            case ":te", ":trace-enable", ":st":
                let shows = session.setShowsTrace(argument.isEmpty ? nil : argument == "true")
                say(shows ? "showing error traces" : "not showing error traces")
            case let command?: throw UsageError("unknown command '\(command)'")
            }
        } catch let error as UsageError {
            tell("error: \(error.reason)")
        } catch {
            let text = String(describing: error)
            tell(text.hasPrefix("error:") ? text : "error: \(text)")
        }
        return true
    }

    private mutating func loadAll() {
        for file in files {
            tell("Loading '\(file)'...")
            do { sayAdded(try session.load(file, arguments)) } catch { tell(String(describing: error)) }
        }
        for expression in expressions {
            do { sayAdded(try session.addAttributes(of: expression)) } catch { tell(String(describing: error)) }
        }
    }

    /// - Parameter makesLinks: whether links in the working directory keep the outputs.
    private func build(_ expression: String, makesLinks: Bool = false) throws {
        let found = try session.build(expression)
        Output.standard.write("\nThis derivation produced the following outputs:\n")
        for (name, path) in found.outputs {
            guard let path else {
                say("  \(name) -> (not known)")
                continue
            }
            var shown = name
            if makesLinks, let host = host as? ReadOnlyStoreHost {
                let link = "repl-result-\(name)"
                try host.addRoot(Settings.absolute(link, host), to: path)
                shown = "./\(link)"
            }
            say("  \(shown) -> \(host.store.print(path))")
        }
    }

    private func showLog(_ expression: String) throws {
        let found = try session.derivation(of: expression)
        guard let store = try (host as? ReadOnlyStoreHost)?.machineStore else {
            throw UsageError("this prompt has no store, and so no logs")
        }
        try LogCommand.print([host.store.print(found.path)], StoreSession(store))
    }

    /// Opens where a value was written in the user's editor, then reads all files again.
    private mutating func edit(_ expression: String) throws {
        let (file, line) = try session.place(of: expression)
        let editor = host.environment("EDITOR").flatMap { $0.isEmpty ? nil : $0 } ?? "nano"
        // An editor may be several words, as in `code --wait`.
        let command = "exec \(editor) " + (Self.takesLine(editor) ? "+\(line) " : "") + "\"$1\""
        let child = try Subprocess.spawn(
            Subprocess.Configuration("/bin/sh", arguments: ["sh", "-c", command, "sh", file]))
        let status = try child.wait()
        guard status.code == 0 else { throw UsageError("the editor '\(editor)' ended with status \(status.code)") }
        session.reset()
        loadAll()
    }

    private static func takesLine(_ editor: String) -> Bool {
        ["emacs", "nano", "vim", "vi", "kak"].contains { editor.contains($0) }
    }

    // MARK: Output

    private func say(_ text: String) { Output.standard.write(text + "\n") }

    private func sayAdded(_ count: Int) { tell("Added \(count) variables.") }

    private func tell(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        Output.error.write(Output.error.isTerminal ? bytes : TerminalText.plain(bytes))
    }

    // MARK: History

    private mutating func readHistory() {
        guard let historyFile, let text = try? FileDescriptor.currentDirectory.readText(historyFile) else { return }
        editor.history = text.split(separator: "\n").suffix(1000).map(String.init)
    }

    private func writeHistory() {
        guard let historyFile, let slash = historyFile.lastIndex(of: "/") else { return }
        let text = editor.history.map { $0 + "\n" }.joined()
        // A home that cannot be written to is no reason to fail at the end.
        try? FileDescriptor.currentDirectory.makeDirectories(String(historyFile[..<slash]))
        try? FileDescriptor.currentDirectory.replaceFile(historyFile, with: text, mode: 0o600)
    }

    private static let commands = """
        The following commands are available:

          <expr>        Evaluate and print expression
          <x> = <expr>  Bind expression to variable
          :a <expr>     Add attributes from resulting set to scope
          :b <expr>     Build a derivation
          :bl <expr>    Build a derivation, and keep it by links in the working directory
          :e <expr>     Open package or function in $EDITOR
          :l <path>     Load Nix expression and add it to scope
          :ll           Show the names that were added last
          :log <expr>   Show the log of a derivation's build
          :p <expr>     Evaluate and print expression recursively; strings without escapes
          :q            Exit nix-repl
          :r            Reload all files
          :t <expr>     Describe result of evaluation
          :doc <expr>   Show documentation of a builtin function
          :st [bool]    Enable, disable or toggle showing traces for errors

        """
}

/// Lines of standard input when that is no terminal.
private struct InputLines {
    private var pending: [UInt8] = []
    private var hasEnded = false

    mutating func next() -> String? {
        while true {
            if let newline = pending.firstIndex(of: 0x0A) {
                defer { pending.removeFirst(newline + 1) }
                return String(decoding: pending[..<newline], as: UTF8.self)
            }
            if hasEnded {
                defer { pending = [] }
                return pending.isEmpty ? nil : String(decoding: pending, as: UTF8.self)
            }
            let bytes = (try? FileDescriptor.standardInput.read(count: 65536)) ?? []
            hasEnded = bytes.isEmpty
            pending += bytes
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        let from = drop { $0.isWhitespace }
        guard let last = from.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(from[...last])
    }
}
