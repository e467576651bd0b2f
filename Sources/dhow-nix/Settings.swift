import NixLanguage

/// The options that all commands of the language share.
struct Settings {
    static let nixVersion = "2.31"

    var evaluation = EvaluationSettings()
    var arguments: [(name: String, value: Evaluation.Argument)] = []
    /// Whether that was asked for.
    var isImpure = false
    /// Whether paths are worked out without writing anything.
    var isReadOnly = false
    /// Whether `--read-write-mode` was given.
    var isReadWrite = false
    /// Which store: what `--store` says.
    var storeName: String?

    /// Takes an option if it is one of these.
    mutating func take(_ option: String, _ rest: inout Arguments) throws -> Bool {
        switch option {
        case "--show-trace": evaluation.showsTrace = true
        case "--no-show-trace": evaluation.showsTrace = false
        case "--arg":
            let name = try rest.value(of: option)
            arguments.append((name, .expression(try rest.value(of: option))))
        case "--argstr":
            let name = try rest.value(of: option)
            arguments.append((name, .string(try rest.value(of: option))))
        case "-I", "--include":
            evaluation.searchPath.append(.init(parsing: try rest.value(of: option)))
        case "--pure-eval": evaluation.isPure = true
        case "--impure", "--no-pure-eval":
            isImpure = true
            evaluation.isPure = false
        case "--restrict-eval": evaluation.isRestricted = true
        case "--trace-verbose": evaluation.tracesVerbosely = true
        case "--abort-on-warn": evaluation.abortsOnWarning = true
        case "--no-allow-import-from-derivation": evaluation.allowsImportFromDerivation = false
        case "--max-call-depth":
            let text = try rest.value(of: option)
            guard let depth = Int(text), depth >= 0 else {
                throw UsageError("setting 'max-call-depth' has invalid value '\(text)'")
            }
            evaluation.callDepthLimit = depth
        case "--lint-url-literals": evaluation.lints.urlLiterals = try level(option, &rest)
        case "--lint-absolute-path-literals": evaluation.lints.absolutePathLiterals = try level(option, &rest)
        case "--lint-short-path-literals": evaluation.lints.shortPathLiterals = try level(option, &rest)
        case "--extra-experimental-features", "--experimental-features":
            let features = try rest.value(of: option).split(separator: " ")
            if features.contains("parse-toml-timestamps") { evaluation.parsesTOMLTimestamps = true }
        // About building, which these commands do not do.
        case "--timeout", "--max-jobs", "-j", "--cores", "--log-format": _ = try rest.value(of: option)
        case "--option":
            let name = try rest.value(of: option)
            try set(name, try rest.value(of: option))
        case "--store": storeName = try rest.value(of: option)
        case "--read-only", "--readonly-mode": isReadOnly = true
        case "--read-write-mode": isReadWrite = true
        case "--quiet", "-v", "--verbose", "--offline", "--refresh": break
        default: return false
        }
        return true
    }

    private mutating func set(_ name: String, _ value: String) throws {
        let isOn = value == "true"
        switch name {
        case "pure-eval": evaluation.isPure = isOn
        case "restrict-eval": evaluation.isRestricted = isOn
        case "allow-import-from-derivation": evaluation.allowsImportFromDerivation = isOn
        case "allowed-uris": evaluation.allowedAddresses = value.split(separator: " ").map(String.init)
        case "max-call-depth": if let depth = Int(value) { evaluation.callDepthLimit = depth }
        case "show-trace": evaluation.showsTrace = isOn
        case "abort-on-warn": evaluation.abortsOnWarning = isOn
        default: break
        }
    }

    private func level(_ option: String, _ rest: inout Arguments) throws -> LintSettings.Level {
        let text = try rest.value(of: option)
        guard let level = LintSettings.Level(rawValue: text) else {
            throw UsageError("option '\(option)' has invalid value '\(text)', expected 'ignore', 'warn' or 'fatal'")
        }
        return level
    }

    /// Adds what the environment says: the search path after that of the command line.
    mutating func finish(_ host: LocalHost) {
        if ["1", "yes", "true"].contains(host.environment("NIX_ABORT_ON_WARN")) { evaluation.abortsOnWarning = true }
        guard !evaluation.isPure else { return }
        for entry in Self.split(searchPath: host.environment("NIX_PATH") ?? "") {
            evaluation.searchPath.append(.init(parsing: entry))
        }
    }

    /// Entries between colons; the colon of an address is none.
    static func split(searchPath: String) -> [String] {
        var entries: [String] = []
        for part in searchPath.split(separator: ":", omittingEmptySubsequences: true) {
            if part.hasPrefix("//"), let last = entries.last,
                last.hasSuffix("http") || last.hasSuffix("https")
                    || last.hasSuffix("file")
            {
                entries[entries.count - 1] = last + ":" + part
            } else if let last = entries.last,
                last == "channel" || last.hasSuffix("=channel") || last == "flake"
                    || last.hasSuffix("=flake")
            {
                entries[entries.count - 1] = last + ":" + part
            } else {
                entries.append(String(part))
            }
        }
        return entries
    }

    /// The absolute path of a file named on the command line.
    static func absolute(_ path: String, _ host: LocalHost) -> String {
        path.hasPrefix("/") ? path : (host.environment("PWD") ?? "") + "/" + path
    }
}
