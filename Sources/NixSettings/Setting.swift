/// A setting of `nix.conf`, by the name that it has there.
public enum Setting: String, CaseIterable, Sendable {
    case abortOnWarn = "abort-on-warn"
    case allowDirty = "allow-dirty"
    case allowImportFromDerivation = "allow-import-from-derivation"
    case allowNewPrivileges = "allow-new-privileges"
    case allowedURIs = "allowed-uris"
    case alwaysAllowSubstitutes = "always-allow-substitutes"
    case autoOptimiseStore = "auto-optimise-store"
    case buildDir = "build-dir"
    case buildPollInterval = "build-poll-interval"
    case buildUsersGroup = "build-users-group"
    case compressBuildLog = "compress-build-log"
    case connectTimeout = "connect-timeout"
    case cores
    case diffHook = "diff-hook"
    case downloadAttempts = "download-attempts"
    case experimentalFeatures = "experimental-features"
    case extraPlatforms = "extra-platforms"
    case fallback
    case filterSyscalls = "filter-syscalls"
    case fsyncMetadata = "fsync-metadata"
    case hashedMirrors = "hashed-mirrors"
    case httpConnections = "http-connections"
    case ignoredACLs = "ignored-acls"
    case impersonateLinux26 = "impersonate-linux-26"
    case keepBuildLog = "keep-build-log"
    case keepDerivations = "keep-derivations"
    case keepEnvDerivations = "keep-env-derivations"
    case keepFailed = "keep-failed"
    case keepGoing = "keep-going"
    case keepOutputs = "keep-outputs"
    case logLines = "log-lines"
    case maxBuildLogSize = "max-build-log-size"
    case maxCallDepth = "max-call-depth"
    case maxFree = "max-free"
    case maxJobs = "max-jobs"
    case maxSilentTime = "max-silent-time"
    case maxSubstitutionJobs = "max-substitution-jobs"
    case minFree = "min-free"
    case minFreeCheckInterval = "min-free-check-interval"
    case narinfoCacheNegativeTTL = "narinfo-cache-negative-ttl"
    case narinfoCachePositiveTTL = "narinfo-cache-positive-ttl"
    case netrcFile = "netrc-file"
    case nixPath = "nix-path"
    case postBuildHook = "post-build-hook"
    case preBuildHook = "pre-build-hook"
    case pureEval = "pure-eval"
    case requireSigs = "require-sigs"
    case restrictEval = "restrict-eval"
    case runDiffHook = "run-diff-hook"
    case sandbox
    case sandboxBuildDir = "sandbox-build-dir"
    case sandboxDevShmSize = "sandbox-dev-shm-size"
    case sandboxFallback = "sandbox-fallback"
    case sandboxPaths = "sandbox-paths"
    case secretKeyFiles = "secret-key-files"
    case showTrace = "show-trace"
    case sslCertFile = "ssl-cert-file"
    case stalledDownloadTimeout = "stalled-download-timeout"
    case store
    case substitute
    case substituters
    case syncBeforeRegistering = "sync-before-registering"
    case system
    case systemFeatures = "system-features"
    case tarballTTL = "tarball-ttl"
    case timeout
    case traceVerbose = "trace-verbose"
    case trustedPublicKeys = "trusted-public-keys"
    case trustedSubstituters = "trusted-substituters"
    case useXDGBaseDirectories = "use-xdg-base-directories"
    case userAgentSuffix = "user-agent-suffix"
    case warnDirty = "warn-dirty"

    /// What a setting's text may be.
    public enum Kind: Sendable, Equatable {
        /// `true`, `yes`, `1`, or `false`, `no`, `0`.
        case flag
        /// A whole number, not below zero; with `K`, `M`, `G` or `T` behind it, so many times 1024.
        case number
        case text
        /// Words between white space; `extra-NAME` adds to them.
        case words
        /// A number, or `auto` for as many as there are processors.
        case jobs
        /// A flag, or `relaxed`.
        case sandbox
    }

    /// The setting of that name, or of that older name.
    public init?(named name: String) {
        if let setting = Setting(rawValue: name) {
            self = setting
        } else if let setting = Self.aliases[name] {
            self = setting
        } else {
            return nil
        }
    }

    /// Older names.
    static let aliases: [String: Setting] = [
        "binary-cache-public-keys": .trustedPublicKeys, "binary-caches": .substituters,
        "binary-caches-parallel-connections": .httpConnections, "build-chroot-dirs": .sandboxPaths,
        "build-compress-log": .compressBuildLog, "build-cores": .cores, "build-fallback": .fallback,
        "build-impersonate-linux-26": .impersonateLinux26, "build-keep-log": .keepBuildLog,
        "build-max-jobs": .maxJobs, "build-max-log-size": .maxBuildLogSize,
        "build-max-silent-time": .maxSilentTime, "build-sandbox-paths": .sandboxPaths, "build-timeout": .timeout,
        "build-use-chroot": .sandbox, "build-use-sandbox": .sandbox, "build-use-substitutes": .substitute,
        "env-keep-derivations": .keepEnvDerivations, "gc-keep-derivations": .keepDerivations,
        "gc-keep-outputs": .keepOutputs, "trusted-binary-caches": .trustedSubstituters,
        "substitution-max-jobs": .maxSubstitutionJobs,
    ]

    /// What is set with the names of Nix that mean nothing here: they are taken without a warning.
    static let foreign: Set<String> = [
        "accept-flake-config", "access-tokens", "allow-symlinked-store",
        "allow-unsafe-native-code-during-evaluation", "allowed-impure-host-deps", "allowed-users", "bash-prompt",
        "bash-prompt-prefix", "bash-prompt-suffix", "build-hook", "build-repeat", "builders",
        "builders-use-substitutes", "commit-lock-file-summary", "commit-lockfile-summary", "debugger-on-trace",
        "debugger-on-warn", "download-buffer-size", "download-speed", "enforce-determinism", "eval-cache",
        "eval-cores", "eval-profile-file", "eval-profiler", "eval-profiler-frequency", "eval-system",
        "flake-registry", "fsync-store-paths", "gc-reserved-space", "http2", "id-count", "auto-allocate-uids",
        "json-log-path", "lazy-trees", "nar-buffer-size", "narinfo-cache-meta-ttl",
        "nix-shell-always-looks-for-shell-nix",
        "nix-shell-shebang-arguments-relative-to-script", "plugin-files", "preallocate-contents", "print-missing",
        "repeat", "require-drop-supplementary-groups", "ssh-substituter-hosts", "start-id", "trace-function-calls",
        "trace-import-from-derivation", "trusted-users", "upgrade-nix-store-path-url", "use-case-hack", "use-cgroups",
        "use-registries", "use-sqlite-wal", "warn-large-path-threshold", "warn-short-path-literals",
        "write-lock-file",
    ]
}
