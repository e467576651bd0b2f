import NixLanguage
import NixSettings

/// What `nix.conf` and the environment say to this process.
enum ProcessConfiguration {
    private static let outcome = Result { () throws(SettingsError) in
        let host = LocalHost()
        return try NixConfiguration(.init(environment: host.environment))
    }

    /// For a command to begin with; `check` has said what is wrong with it.
    static var initial: NixConfiguration { (try? outcome.get()) ?? NixConfiguration() }

    /// Reads it, and tells the user what is strange there.
    static func check() throws { try outcome.get().tellWarnings() }
}

extension NixConfiguration {
    /// Takes an option of the command line if it sets something.
    mutating func take(_ option: String, _ rest: inout Arguments) throws -> Bool {
        let known = warnings.count
        if option == "--option" {
            let name = try rest.value(of: option)
            try set(name, to: try rest.value(of: option))
        } else if option.hasPrefix("-j"), option.utf8.count > 2 {
            try set(.maxJobs, to: String(option.dropFirst(2)))
        } else {
            switch Self.flag(option) {
            case nil: return false
            case .sets(let name, let value)?: try set(name, to: value)
            case .takesValue(let name)?: try set(name, to: try rest.value(of: option))
            }
        }
        tellWarnings(from: known)
        return true
    }

    fileprivate func tellWarnings(from first: Int = 0) {
        for warning in warnings[first...] { Output.error.write("warning: \(warning)\n") }
    }

    /// The store that was asked for, here or in `NIX_REMOTE`.
    func storeName(_ host: LocalHost) -> String {
        isSet(.store) ? store : host.environment("NIX_REMOTE").flatMap { $0.isEmpty ? nil : $0 } ?? store
    }
}
