/// The flags of one command: declared, then parsed from the command line as GNU's and pflag's users expect.
///
///     let flags = FlagSet()
///     let tty = flags.bool("tty", "t", "Allocate a terminal")
///     let name = flags.string("name", "Name of the container")
///     let positional = try flags.parse(["-t", "--name=web", "image", "sh"])
///     if tty.value && name.isSet { … }
///
/// Understood: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`, clusters of switches (`-it`, with a
/// flag that takes a value last), `--` before arguments that begin with a dash, and values that begin with one.
public final class FlagSet {
    /// Whether flags may follow arguments. Off, everything from the first argument on is left alone, which is what a
    /// command that passes on another command's arguments needs.
    public var isInterspersed: Bool
    /// Called with the warnings about deprecated flags.
    public var warn: (String) -> Void = { _ in }
    /// How many arguments stood before `--`; `nil` when there was no `--`.
    public private(set) var argumentsBeforeDash: Int?

    private(set) var definitions: [FlagDefinition] = []
    private var owners: [AnyObject] = []
    private var byName: [String: FlagDefinition] = [:]
    private var byShorthand: [Character: FlagDefinition] = [:]

    public init(isInterspersed: Bool = true) {
        self.isInterspersed = isInterspersed
    }

    func add(_ definition: FlagDefinition, owner: AnyObject) {
        precondition(byName[definition.name] == nil, "--\(definition.name) is declared twice")
        definitions.append(definition)
        // The closures that set values hold their flags weakly; the set keeps them alive even if nobody reads them.
        owners.append(owner)
        byName[definition.name] = definition
        if let shorthand = definition.shorthand {
            precondition(byShorthand[shorthand] == nil, "-\(shorthand) is declared twice")
            byShorthand[shorthand] = definition
        }
    }

    /// Makes `alias` another name of the flag `name`, not shown in help texts.
    public func alias(_ alias: String, of name: String) {
        if let definition = byName[name] { byName[alias] = definition }
    }

    /// Whether the command line named the flag.
    public func isSet(_ name: String) -> Bool { byName[name]?.isSet ?? false }

    /// The names of the flags that the command line named.
    public var namesSet: [String] { definitions.filter(\.isSet).map(\.name) }

    /// Sets a flag as if the command line had.
    public func set(_ name: String, to text: String) throws(FlagError) {
        guard let definition = byName[name] else { throw FlagError(.unknownFlag, "no such flag -\(name)") }
        try set(definition, to: text)
    }

    /// Parses a command line, without the program's name.
    /// - Returns: the arguments that are no flags.
    /// - Throws: `FlagError` with pflag's sentence.
    public func parse(_ arguments: some Collection<String>) throws(FlagError) -> [String] {
        var rest = ArraySlice(arguments)
        var positional: [String] = []
        while let argument = rest.popFirst() {
            if argument.utf8.count < 2 || !argument.hasPrefix("-") {
                positional.append(argument)
                guard isInterspersed else { break }
            } else if argument == "--" {
                argumentsBeforeDash = positional.count
                break
            } else if argument.hasPrefix("--") {
                try parseLong(argument, &rest)
            } else {
                try parseShort(argument.dropFirst(), &rest)
            }
        }
        return positional + rest
    }

    private func parseLong(_ argument: String, _ rest: inout ArraySlice<String>) throws(FlagError) {
        let body = argument.dropFirst(2)
        guard let first = body.first, first != "-", first != "=" else {
            throw FlagError(.badSyntax, "bad flag syntax: \(argument)")
        }
        let name: Substring
        var value: String?
        if let equals = body.firstIndex(of: "=") {
            name = body[..<equals]
            value = String(body[body.index(after: equals)...])
        } else {
            name = body
        }
        guard let definition = byName[String(name)] else {
            if name == "help" { throw FlagError(.help(shorthand: false), "help requested") }
            throw FlagError(.unknownFlag, "unknown flag: --\(name)")
        }
        if value == nil { value = definition.bareValue ?? rest.popFirst() }
        guard let value else { throw FlagError(.missingValue, "flag needs an argument: \(argument)") }
        try set(definition, to: value)
    }

    private func parseShort(_ cluster: Substring, _ rest: inout ArraySlice<String>) throws(FlagError) {
        var letters = cluster
        while let letter = letters.popFirst() {
            guard let definition = byShorthand[letter] else {
                if letter == "h" { throw FlagError(.help(shorthand: true), "help requested") }
                throw FlagError(.unknownFlag, "unknown shorthand flag: '\(letter)' in -\(cluster)")
            }
            let value: String
            if letters.count > 1, letters.first == "=" {
                value = String(letters.dropFirst())
                letters = ""
            } else if let bare = definition.bareValue {
                value = bare
            } else if !letters.isEmpty {
                value = String(letters)
                letters = ""
            } else if let next = rest.popFirst() {
                value = next
            } else {
                throw FlagError(.missingValue, "flag needs an argument: '\(letter)' in -\(cluster)")
            }
            if let advice = definition.shorthandDeprecation {
                warn("Flag shorthand -\(letter) has been deprecated, \(advice)")
            }
            try set(definition, to: value)
        }
    }

    private func set(_ definition: FlagDefinition, to value: String) throws(FlagError) {
        do throws(FlagError) {
            try definition.set(value)
        } catch {
            let shown =
                if let shorthand = definition.shorthand, definition.shorthandDeprecation == nil {
                    "-\(shorthand), --\(definition.name)"
                } else {
                    "--\(definition.name)"
                }
            throw FlagError(
                .invalidValue, "invalid argument \(goQuoted(value)) for \"\(shown)\" flag: \(error.message)")
        }
        definition.isSet = true
        if let advice = definition.deprecation { warn("Flag --\(definition.name) has been deprecated, \(advice)") }
    }
}
