import Kernel
import NixLanguage
import NixSettings

/// The options that all commands of the language share.
struct Settings {
    static let nixVersion = "2.31"

    /// What `nix.conf`, the environment and the command line set.
    var configuration = ProcessConfiguration.initial
    var evaluation = EvaluationSettings()
    var arguments: [(name: String, value: Evaluation.Argument)] = []
    /// Whether that was asked for.
    var isImpure = false
    /// Whether paths are worked out without writing anything.
    var isReadOnly = false
    /// Whether a terminal's last line says how builds go.
    var showsProgress = true
    /// Whether a derivation or an output that nothing keeps is warned of.
    var warnsOfMissingRoots = true
    /// Whether `--read-write-mode` was given.
    var isReadWrite = false

    /// Takes an option if it is one of these.
    mutating func take(_ option: String, _ rest: inout Arguments) throws -> Bool {
        switch option {
        case "--arg":
            let (name, text) = try rest.pair(of: option)
            arguments.append((name, .expression(text)))
        case "--argstr":
            let (name, text) = try rest.pair(of: option)
            arguments.append((name, .string(text)))
        case "-I", "--include":
            evaluation.searchPath.append(.init(parsing: try rest.value(of: option)))
        case "--impure", "--no-pure-eval":
            isImpure = true
            try configuration.set(.pureEval, to: "false")
        case "--lint-url-literals": evaluation.lints.urlLiterals = try level(option, &rest)
        case "--lint-absolute-path-literals": evaluation.lints.absolutePathLiterals = try level(option, &rest)
        case "--lint-short-path-literals": evaluation.lints.shortPathLiterals = try level(option, &rest)
        case "--log-format": showsProgress = Self.hasProgress(logFormat: try rest.value(of: option))
        case "--read-only", "--readonly-mode": isReadOnly = true
        case "--read-write-mode": isReadWrite = true
        case "--no-gc-warning": warnsOfMissingRoots = false
        case "--quiet", "-v", "--verbose", "--offline", "--refresh": break
        default: return try configuration.take(option, &rest)
        }
        return true
    }

    /// Whether a `--log-format` is one with a line that is drawn again and again.
    static func hasProgress(logFormat: String) -> Bool { ["bar", "bar-with-logs"].contains(logFormat) }

    private func level(_ option: String, _ rest: inout Arguments) throws -> LintSettings.Level {
        let text = try rest.value(of: option)
        guard let level = LintSettings.Level(rawValue: text) else {
            throw UsageError("option '\(option)' has invalid value '\(text)', expected 'ignore', 'warn' or 'fatal'")
        }
        return level
    }

    /// Adds what the configuration and the environment say: the search path after that of the command line.
    ///
    /// - Parameter isPure: whether to evaluate purely, whatever the configuration says.
    mutating func finish(_ host: LocalHost, isPure: Bool = false) {
        evaluation.isPure = isPure || configuration.isPure
        evaluation.isRestricted = configuration.isRestricted
        evaluation.allowedAddresses = configuration.allowedURIs
        evaluation.allowsImportFromDerivation = configuration.allowsImportFromDerivation
        evaluation.callDepthLimit = configuration.maxCallDepth
        evaluation.showsTrace = configuration.showsTrace
        evaluation.tracesVerbosely = configuration.tracesVerbosely
        evaluation.abortsOnWarning =
            configuration.abortsOnWarning || ["1", "yes", "true"].contains(host.environment("NIX_ABORT_ON_WARN"))
        evaluation.parsesTOMLTimestamps = configuration.experimentalFeatures.contains("parse-toml-timestamps")
        guard !evaluation.isPure else { return }
        let entries = host.environment("NIX_PATH").map(Self.split(searchPath:)) ?? configuration.nixPath
        evaluation.searchPath += entries.map { .init(parsing: $0) }
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
        path.hasPrefix("/") ? path : host.workingDirectory + "/" + path
    }
}
