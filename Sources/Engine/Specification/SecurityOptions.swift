import EngineModel

/// What `--security-opt` says.
package struct SecurityOptions: Sendable {
    /// `nil` for the default; `unconfined` for none; else a profile's text.
    package var seccomp: String?
    package var appArmor: String?
    package var noNewPrivileges: Bool?
    package var hasWritableCgroups = false

    /// - Throws: `EngineError.invalidParameter`, with Docker's sentences.
    package init(_ options: [String]) throws(EngineError) {
        for option in options {
            if option == "no-new-privileges" {
                noNewPrivileges = true
                continue
            }
            if option == "disable" || option == "label" { continue }
            guard let separator = option.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
                throw .invalid("invalid --security-opt 1: \"\(option)\"")
            }
            let value = String(option[option.index(after: separator)...])
            switch option[..<separator] {
            // SELinux has no say in containers here.
            case "label": break
            case "apparmor": appArmor = value
            case "seccomp": seccomp = value
            case "no-new-privileges": noNewPrivileges = try Self.bool(option, value)
            case "writable-cgroups": hasWritableCgroups = try Self.bool(option, value)
            default: throw .invalid("invalid --security-opt 2: \"\(option)\"")
            }
        }
    }

    private static func bool(_ option: String, _ value: String) throws(EngineError) -> Bool {
        switch value.lowercased() {
        case "1", "t", "true": return true
        case "0", "f", "false": return false
        default: throw .invalid("invalid --security-opt 2: \"\(option)\"")
        }
    }
}
