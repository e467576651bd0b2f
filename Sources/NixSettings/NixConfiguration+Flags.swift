extension NixConfiguration {
    /// What a flag of the command line is in terms of settings.
    public enum Flag: Sendable, Equatable {
        /// It sets this and takes no value.
        case sets(name: String, value: String)
        /// Its value is that of this setting, which may begin with `extra-`.
        case takesValue(name: String)
    }

    /// `--NAME VALUE`, `--extra-NAME VALUE`, and `--NAME` or `--no-NAME` for what is true or false.
    public static func flag(_ option: String) -> Flag? {
        switch option {
        case "-j": return .takesValue(name: Setting.maxJobs.rawValue)
        case "-K": return .sets(name: Setting.keepFailed.rawValue, value: "true")
        case "-k": return .sets(name: Setting.keepGoing.rawValue, value: "true")
        case "--no-build-hook", "--offline": return nil
        case "--relaxed-sandbox": return .sets(name: Setting.sandbox.rawValue, value: "relaxed")
        default: break
        }
        guard option.hasPrefix("--") else { return nil }
        let name = String(option.dropFirst(2))
        if let setting = Setting(named: name) {
            switch setting.definition.kind {
            case .flag, .sandbox: return .sets(name: setting.rawValue, value: "true")
            default: return .takesValue(name: name)
            }
        }
        if name.hasPrefix("no-"), let setting = Setting(named: String(name.dropFirst(3))),
            [.flag, .sandbox].contains(setting.definition.kind)
        {
            return .sets(name: setting.rawValue, value: "false")
        }
        if name.hasPrefix("extra-"), let setting = Setting(named: String(name.dropFirst(6))),
            setting.definition.kind == .words
        {
            return .takesValue(name: name)
        }
        return nil
    }
}
