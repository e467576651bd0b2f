/// What `nix.conf`, the environment and the command line say, in that order: what comes later wins.
public struct NixConfiguration: Sendable {
    /// Values as they are written: checked, numbers without units, words with one space between them.
    private var values: [Setting: String] = [:]
    /// What was set by the user: by their own files, the environment or the command line, not by the system's file. A
    /// daemon is told these.
    public private(set) var overridden: Set<Setting> = []
    /// What the user is to be warned of, without `warning: `.
    public internal(set) var warnings: [String] = []

    /// Where the system's file is; the logins are beside it.
    var systemDirectory = "/etc/nix"

    /// Nothing set.
    public init() {}

    /// Sets what `name` names; `extra-NAME` adds to a setting of several words.
    ///
    /// A name that nobody knows is warned of, as in Nix, so that a file may serve several versions.
    /// - Throws: when the value is not one that this setting can have.
    public mutating func set(_ name: String, to value: String) throws(SettingsError) {
        if let setting = Setting(named: name) { return try set(setting, to: value) }
        if name.hasPrefix("extra-"), let setting = Setting(named: String(name.dropFirst(6))),
            setting.definition.kind == .words
        {
            return try set(setting, to: text(of: setting) + " " + value)
        }
        guard !Setting.foreign.contains(name.hasPrefix("extra-") ? String(name.dropFirst(6)) : name) else { return }
        warnings.append("unknown setting '\(name)'")
    }

    public mutating func set(_ setting: Setting, to value: String) throws(SettingsError) {
        values[setting] = try setting.checked(value)
        overridden.insert(setting)
    }

    /// Forgets who set what: what is set so far is the system's.
    mutating func resetOverridden() { overridden = [] }

    /// Whether anybody has set it.
    public func isSet(_ setting: Setting) -> Bool { values[setting] != nil }

    /// A setting's value as `nix.conf` would have it.
    public func text(of setting: Setting) -> String { values[setting] ?? standardText(of: setting) }

    /// What a setting is when nobody sets it, on this machine.
    public func standardText(of setting: Setting) -> String {
        switch setting {
        case .cores: String(Machine.processorCount)
        case .system: Machine.system
        case .extraPlatforms: Machine.extraPlatforms.joined(separator: " ")
        case .systemFeatures: Machine.features.joined(separator: " ")
        case .buildUsersGroup: Machine.isRoot ? "nixbld" : ""
        case .netrcFile: systemDirectory + "/netrc"
        default: setting.definition.standard
        }
    }

    // MARK: Typed values

    func flag(_ setting: Setting) -> Bool { text(of: setting) == "true" }

    func number(_ setting: Setting) -> Int { Int(text(of: setting)) ?? .max }

    func words(_ setting: Setting) -> [String] { text(of: setting).split(separator: " ").map(String.init) }
}

extension Setting {
    /// A value in its one form.
    func checked(_ value: String) throws(SettingsError) -> String {
        switch definition.kind {
        case .flag:
            guard let isOn = Self.flag(value) else {
                throw SettingsError("Boolean setting '\(rawValue)' has invalid value '\(value)'")
            }
            return isOn ? "true" : "false"
        case .sandbox:
            if value == "relaxed" { return value }
            guard let isOn = Self.flag(value) else {
                throw SettingsError("option '\(rawValue)' has invalid value '\(value)'")
            }
            return isOn ? "true" : "false"
        case .jobs:
            if value == "auto" { return String(Machine.processorCount) }
            guard let number = Int(value), number >= 0 else {
                throw SettingsError("configuration setting '\(rawValue)' should be 'auto' or an integer")
            }
            return String(number)
        case .number: return String(try number(value))
        case .text:
            switch self {
            case .cores: return String(try number(value))
            case .maxFree: return UInt64(value) == .max ? value : String(try number(value))
            default: return value
            }
        case .words:
            return value.split(whereSeparator: { $0 == " " || $0.isNewline || $0 == "\t" }).joined(separator: " ")
        }
    }

    private func number(_ value: String) throws(SettingsError) -> Int {
        let units: [Character: Int] = ["K": 10, "M": 20, "G": 30, "T": 40]
        let shift = value.last.flatMap { units[Character($0.uppercased())] }
        let digits = shift == nil ? value[...] : value.dropLast()
        guard let number = Int(digits), number >= 0, number.leadingZeroBitCount > (shift ?? 0) else {
            throw SettingsError("setting '\(rawValue)' has invalid value '\(value)'")
        }
        return number << (shift ?? 0)
    }

    private static func flag(_ value: String) -> Bool? {
        switch value {
        case "true", "yes", "1": true
        case "false", "no", "0": false
        default: nil
        }
    }
}
