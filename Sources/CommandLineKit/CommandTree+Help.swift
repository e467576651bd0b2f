// Help texts in Docker's layout.

extension CommandTree {
    /// The program's help text.
    public func help() -> String {
        var text = "Usage:  \(name) [OPTIONS] COMMAND\n"
        if !summary.isEmpty { text += "\n\(summary)\n" }
        for group in groupOrder {
            let members = commands.filter { $0.group == group && !$0.isHidden }
            if !members.isEmpty { text += "\n\(group):\n" + list(members) }
        }
        let flags = FlagSet()
        globalFlags(flags)
        let options = flags.help(width: width)
        if !options.isEmpty { text += "\nGlobal Options:\n" + options }
        text += "\nRun '\(name) COMMAND --help' for more information on a command.\n"
        if !footer.isEmpty { text += "\n\(footer)\n" }
        return text
    }

    /// The help text of one command.
    public func help(of command: Command<Action>, path: [String]) -> String {
        let full = ([name] + path).joined(separator: " ")
        var text = "Usage:  \(usageLine(of: command, full))\n\n"
        text += (command.details.isEmpty ? command.summary : command.details) + "\n"
        if !command.spellings.isEmpty {
            let spellings = command.spellings.map { $0.replacingFirst("%", with: name) }
            text += "\nAliases:\n  \(spellings.joined(separator: ", "))\n"
        }
        let visible = command.subcommands.filter { !$0.isHidden }
        if !visible.isEmpty { text += "\nCommands:\n" + list(visible) }
        if let configure = command.configure {
            let flags = FlagSet()
            _ = configure(flags)
            let options = flags.help(width: width)
            if !options.isEmpty { text += "\nOptions:\n" + options }
        }
        if !visible.isEmpty { text += "\nRun '\(full) COMMAND --help' for more information on a command.\n" }
        return text
    }

    func usageLine(of command: Command<Action>, _ full: String) -> String {
        if !command.subcommands.isEmpty, command.usage.isEmpty { return full + " COMMAND" }
        // A second way to call the command has a line of its own, after a line feed and with `%` for the program.
        let usage = command.usage.replacingFirst("%", with: name)
        return usage.isEmpty ? full : full + " " + usage
    }

    private func list(_ commands: [Command<Action>]) -> String {
        let width = max(11, commands.map(\.name.count).max() ?? 0)
        return commands.map { "  \($0.name.padded(to: width)) \($0.summary)\n" }.joined()
    }
}

extension FlagSet {
    /// The flags in two columns, sorted by name, wrapped at `width` columns.
    public func help(width: Int = 80) -> String {
        let shown =
            definitions
            .filter { !$0.isHidden && $0.deprecation == nil }
            .sorted { $0.name < $1.name }
        var lines: [(left: String, right: String)] = []
        for definition in shown {
            let type = definition.type
            var left =
                if let shorthand = definition.shorthand, definition.shorthandDeprecation == nil {
                    "  -\(shorthand), --\(definition.name)"
                } else {
                    "      --\(definition.name)"
                }
            if !type.isEmpty { left += " " + type }
            if let bare = definition.bareValue, !type.isEmpty { left += "[=\(bare)]" }
            var right = definition.help
            if let text = definition.defaultText { right += " (default \(text))" }
            lines.append((left, right))
        }
        let column = (lines.map(\.left.count).max() ?? 0) + 3
        return lines.map { line in
            let wrapped = Self.wrapped(line.right, indent: column, width: width - 1)
            return line.left.padded(to: column) + wrapped + "\n"
        }.joined()
    }

    /// Breaks `text` at blanks so that no line passes `width`; the lines after the first are indented.
    private static func wrapped(_ text: String, indent: Int, width: Int) -> String {
        let room = width - indent
        let newLine = "\n" + String(repeating: " ", count: indent)
        guard room >= 24 else { return text.split(separator: "\n").joined(separator: newLine) }
        var lines: [String] = []
        for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
            var rest = Substring(paragraph)
            // As pflag does, let a last line run over by up to 5 columns rather than leave a word alone.
            while rest.count > room + 5 {
                let head = rest.prefix(room)
                let at = head.lastIndex(of: " ") ?? rest.firstIndex(of: " ")
                guard let at, at > rest.startIndex else { break }
                lines.append(String(rest[..<at]))
                rest = rest[rest.index(after: at)...]
            }
            lines.append(String(rest))
        }
        return lines.joined(separator: newLine)
    }
}

extension String {
    /// The text with blanks after it, `width` columns at least.
    public func padded(to width: Int) -> String {
        let missing = width - count
        return missing > 0 ? self + String(repeating: " ", count: missing) : self
    }

    func replacingFirst(_ what: Character, with other: String) -> String {
        guard let at = firstIndex(of: what) else { return self }
        return self[..<at] + other + self[index(after: at)...]
    }
}
