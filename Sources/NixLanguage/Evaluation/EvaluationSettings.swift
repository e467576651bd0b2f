/// How to evaluate.
public struct EvaluationSettings: Sendable {
    /// Where `<…>` looks: a prefix (maybe empty) and a directory.
    public struct SearchPathEntry: Sendable, Equatable {
        public var prefix: String
        public var path: String

        public init(prefix: String, path: String) {
            self.prefix = prefix
            self.path = path
        }

        /// Reads `prefix=path` or `path`, as in `-I` and `NIX_PATH`.
        public init(parsing text: String) {
            if let equal = text.firstIndex(of: "=") {
                self.init(prefix: String(text[..<equal]), path: String(text[text.index(after: equal)...]))
            } else {
                self.init(prefix: "", path: text)
            }
        }
    }

    public var searchPath: [SearchPathEntry] = []
    /// Nothing from outside of the expression and the store: no environment, no time, no files.
    public var isPure = false
    /// Only files of the search path and the store.
    public var isRestricted = false
    /// Address prefixes that restricted evaluation may fetch from.
    public var allowedAddresses: [String] = []
    /// How deep functions may call each other.
    public var callDepthLimit = 10_000
    /// How many calls there may be in all, for expressions that nobody has looked at.
    public var callLimit = Int.max
    /// Whether traces name each function that was called.
    public var showsTrace = false
    /// Whether `builtins.traceVerbose` says anything.
    public var tracesVerbosely = false
    public var abortsOnWarning = false
    public var allowsImportFromDerivation = true
    public var parsesTOMLTimestamps = false
    public var lints = LintSettings()

    public init() {}

    /// The host with what the mode forbids taken away.
    func fence(_ host: any EvaluationHost) -> any EvaluationHost {
        guard isPure || isRestricted else { return host }
        return RestrictedHost(
            host, allowed: isPure ? [] : searchPath.map { CanonicalPath.make($0.path) }, isPure: isPure)
    }
}
