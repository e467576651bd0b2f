// Evaluating.
extension NixConfiguration {
    /// `pure-eval`
    public var isPure: Bool { flag(.pureEval) }
    /// `restrict-eval`
    public var isRestricted: Bool { flag(.restrictEval) }
    /// `allowed-uris`: prefixes.
    public var allowedURIs: [String] { words(.allowedURIs) }
    /// `allow-import-from-derivation`
    public var allowsImportFromDerivation: Bool { flag(.allowImportFromDerivation) }
    /// `nix-path`: `PREFIX=PATH` or `PATH` each.
    public var nixPath: [String] { words(.nixPath) }
    /// `max-call-depth`
    public var maxCallDepth: Int { number(.maxCallDepth) }
    /// `show-trace`
    public var showsTrace: Bool { flag(.showTrace) }
    /// `trace-verbose`
    public var tracesVerbosely: Bool { flag(.traceVerbose) }
    /// `abort-on-warn`
    public var abortsOnWarning: Bool { flag(.abortOnWarn) }
    /// `experimental-features`
    public var experimentalFeatures: [String] { words(.experimentalFeatures) }
    /// `warn-dirty`, `allow-dirty`: of Git trees.
    public var warnsOfDirtyTrees: Bool { flag(.warnDirty) }
    public var allowsDirtyTrees: Bool { flag(.allowDirty) }
}
