/// The text of a `-v` flag: `source:target[:options]`.
package struct BindSpecification: Equatable, Sendable {
    /// A path on the host, or a volume's name.
    package var source: String
    package var target: String
    /// As it was written.
    package var mode: String
    package var isReadOnly = false
    /// Empty for the default.
    package var propagation = ""
    package var noCopy = false

    package var isBind: Bool { PathText.isAbsolute(source) }

    /// The propagations of mounts, see mount_namespaces(7).
    package static let propagations: Set<String> = ["private", "rprivate", "shared", "rshared", "slave", "rslave"]

    /// - Throws: `EngineError.invalidParameter`, with Docker's sentences.
    package init(_ text: String) throws(EngineError) {
        func invalid(_ why: String = "") -> EngineError {
            .invalid("invalid volume specification: '\(text)'" + (why.isEmpty ? "" : ": \(why)"))
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 || parts.count == 3, !parts[0].isEmpty, !parts[1].isEmpty else { throw invalid() }
        source = parts[0]
        target = parts[1]
        mode = parts.count == 3 ? parts[2] : ""
        if parts.count == 2, Options(parts[1]) != nil { throw invalid() }
        guard let options = Options(mode) else { throw .invalid("invalid mode: \(mode)") }
        guard PathText.isAbsolute(target) else {
            throw invalid(
                "invalid mount config for type \"\(isBind ? "bind" : "volume")\": "
                    + "invalid mount path: '\(target)' mount path must be absolute")
        }
        target = PathText.clean(target)
        if target == "/" { throw invalid("invalid specification: destination can't be '/'") }
        isReadOnly = options.isReadOnly
        propagation = options.propagation
        noCopy = options.noCopy
        if isBind {
            source = PathText.clean(source)
            if noCopy { throw .invalid("invalid mode: \(mode)") }
        } else if !propagation.isEmpty {
            throw .invalid("invalid mode: \(mode)")
        }
    }

    /// The third part; at most one word of each kind.
    private struct Options {
        var isReadOnly = false
        var propagation = ""
        var noCopy = false

        init?(_ text: String) {
            if text.isEmpty { return }
            var (access, label, copy, consistency) = (0, 0, 0, 0)
            var propagationCount = 0
            for word in text.split(separator: ",", omittingEmptySubsequences: false) {
                switch word {
                case "rw": access += 1
                case "ro":
                    access += 1
                    isReadOnly = true
                // SELinux labels: accepted everywhere, without effect where there is no SELinux.
                case "z", "Z": label += 1
                case "nocopy":
                    copy += 1
                    noCopy = true
                case "consistent", "cached", "delegated", "default": consistency += 1
                default:
                    guard BindSpecification.propagations.contains(String(word)) else { return nil }
                    propagationCount += 1
                    propagation = String(word)
                }
            }
            guard access <= 1, label <= 1, copy <= 1, consistency <= 1, propagationCount <= 1 else { return nil }
        }
    }
}
