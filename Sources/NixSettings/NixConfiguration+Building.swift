// Building.
extension NixConfiguration {
    /// `sandbox`.
    public enum Sandbox: Sendable, Equatable {
        case on
        /// On, but for derivations that ask to be outside (`__noChroot`) and fixed outputs.
        case relaxed
        case off
    }

    public var sandbox: Sandbox {
        switch text(of: .sandbox) {
        case "relaxed": .relaxed
        case "false": .off
        default: .on
        }
    }

    /// `sandbox-fallback`: whether to build without a sandbox where the kernel does not allow one.
    public var sandboxFallsBack: Bool { flag(.sandboxFallback) }

    /// A path of the host's that sandboxes show: a word of `sandbox-paths`.
    public struct SandboxPath: Sendable, Equatable {
        public let inside: String
        public let outside: String
        /// Whether it may be missing.
        public let isOptional: Bool

        /// Reads `PATH`, `INSIDE=OUTSIDE`, either with `?` at its end.
        public init(parsing word: String) {
            isOptional = word.hasSuffix("?")
            let pair = isOptional ? word.dropLast() : word[...]
            if let equal = pair.firstIndex(of: "=") {
                inside = String(pair[..<equal])
                outside = String(pair[pair.index(after: equal)...])
            } else {
                inside = String(pair)
                outside = inside
            }
        }
    }

    /// `sandbox-paths`.
    public var sandboxPaths: [SandboxPath] { words(.sandboxPaths).map(SandboxPath.init(parsing:)) }
    /// `sandbox-build-dir`: where a builder's directory is in its sandbox.
    public var sandboxBuildDirectory: String { text(of: .sandboxBuildDir) }
    /// `build-dir`: where builders' directories are on the host; `nil` for where the store says.
    public var buildDirectory: String? { isSet(.buildDir) ? text(of: .buildDir) : nil }
    /// `sandbox-dev-shm-size`: as tmpfs's `size=` takes it.
    public var sandboxDevShmSize: String { text(of: .sandboxDevShmSize) }
    /// `build-users-group`: builders run as its members; empty for the caller's own user. For root it is `nixbld` when
    /// nobody says otherwise.
    public var buildUsersGroup: String { text(of: .buildUsersGroup) }
    /// `filter-syscalls`
    public var filtersSystemCalls: Bool { flag(.filterSyscalls) }
    /// `allow-new-privileges`
    public var allowsNewPrivileges: Bool { flag(.allowNewPrivileges) }
    /// `impersonate-linux-26`
    public var impersonatesLinux26: Bool { flag(.impersonateLinux26) }

    /// `max-jobs`: how many builds at once; 0 for none on this machine.
    public var maxJobs: Int { number(.maxJobs) }
    /// `cores`: a builder's NIX_BUILD_CORES; 0 for all processors.
    public var cores: Int { number(.cores) }
    /// `timeout`: seconds that a build may take; 0 for any number.
    public var timeout: Int { number(.timeout) }
    /// `max-silent-time`: seconds that a build may say nothing; 0 for any number.
    public var maxSilentTime: Int { number(.maxSilentTime) }
    /// `max-build-log-size`: bytes; 0 for any number.
    public var maxBuildLogSize: Int { number(.maxBuildLogSize) }
    /// `keep-failed`: whether the directories of failed builds stay.
    public var keepsFailed: Bool { flag(.keepFailed) }
    /// `keep-going`: whether other builds go on.
    public var keepsGoing: Bool { flag(.keepGoing) }
    /// `keep-build-log`, `compress-build-log`
    public var keepsBuildLog: Bool { flag(.keepBuildLog) }
    public var compressesBuildLog: Bool { flag(.compressBuildLog) }
    /// `log-lines`: how many lines of a failed build's log an error shows.
    public var logLines: Int { number(.logLines) }
    /// `build-poll-interval`: seconds between looks at the locks of others.
    public var buildPollInterval: Int { number(.buildPollInterval) }
    /// `run-diff-hook`: whether outputs that are different when built once more are kept, and shown to `diff-hook`.
    public var runsDiffHook: Bool { flag(.runDiffHook) }
    /// `pre-build-hook`, `post-build-hook`, and `diff-hook` if `run-diff-hook`: programs; `nil` for none.
    public var preBuildHook: String? { program(.preBuildHook) }
    public var postBuildHook: String? { program(.postBuildHook) }
    public var diffHook: String? { flag(.runDiffHook) ? program(.diffHook) : nil }

    /// `system`: the platform that builds here are for.
    public var system: String { text(of: .system) }
    /// `extra-platforms`: what else may be built here.
    public var extraPlatforms: [String] { words(.extraPlatforms) }
    /// `system-features`: what builds may require.
    public var systemFeatures: [String] { words(.systemFeatures) }

    private func program(_ setting: Setting) -> String? {
        let path = text(of: setting)
        return path.isEmpty ? nil : path
    }
}
