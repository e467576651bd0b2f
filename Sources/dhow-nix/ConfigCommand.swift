import JSON
import NixSettings

/// `config show` and `show-config`: the settings that this process has.
enum ConfigCommand {
    static let help = """
        Usage: dhow-nix config show [--json] [NAME]

        Print the settings that 'nix.conf', the environment and the options add up to, or one of them.

          --json                  with what each is for, and what it is by itself

        """

    static func run(_ arguments: Arguments) throws {
        var words = arguments
        guard case .word("show")? = words.next() else { throw UsageError("'config' needs 'show'") }
        try show(words)
    }

    static func show(_ arguments: Arguments) throws {
        var rest = arguments
        var configuration = ProcessConfiguration.initial
        var names: [String] = []
        var isJSON = false
        while let item = rest.next() {
            switch item {
            case .word(let word): names.append(word)
            case .option("--help"): throw HelpRequest(text: help)
            case .option("--json"): isJSON = true
            case .option(let option):
                guard try configuration.take(option, &rest) else { throw UsageError("unrecognised flag '\(option)'") }
            }
        }
        guard names.count < 2 else { throw UsageError("'config show' takes one name at most") }
        if let name = names.first {
            guard let setting = Setting(named: name) else { throw UsageError("could not find setting '\(name)'") }
            Output.standard.write(configuration.text(of: setting) + "\n")
            return
        }
        if isJSON { return Output.standard.write(json(configuration) + "\n") }
        Output.standard.write(configuration.text)
    }

    private static func json(_ configuration: NixConfiguration) -> String {
        var members = JSONObject()
        for setting in Setting.allCases {
            members[setting.rawValue] = [
                "defaultValue": value(configuration.standardText(of: setting), setting),
                "description": .string(setting.definition.purpose),
                "value": value(configuration.text(of: setting), setting),
            ]
        }
        return JSONValue.object(members).serialized()
    }

    /// A value as JSON has it: words are a list, numbers are numbers.
    private static func value(_ text: String, _ setting: Setting) -> JSONValue {
        switch setting.definition.kind {
        case .flag: .bool(text == "true")
        case .words: .array(text.split(separator: " ").map { .string(String($0)) })
        case .number, .jobs: Int64(text).map { .integer($0) } ?? .string(text)
        case .text, .sandbox: .string(text)
        }
    }
}

extension NixConfiguration {
    /// All settings, as `nix.conf` has them.
    var text: String { Setting.allCases.map { "\($0.rawValue) = \(text(of: $0))\n" }.joined() }
}
