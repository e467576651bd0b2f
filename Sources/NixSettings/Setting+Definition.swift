extension Setting {
    /// What a setting is, what it is when nobody sets it, and what it is for.
    public struct Definition: Sendable {
        public let kind: Kind
        /// As it would be written in `nix.conf`; where it depends on the machine, empty.
        public let standard: String
        public let purpose: String
    }

    public var definition: Definition {
        switch self {
        case .abortOnWarn: flag(false, "Whether a warning of an expression ends the evaluation.")
        case .allowDirty: flag(true, "Whether Git trees with changes may be fetched.")
        case .allowImportFromDerivation: flag(true, "Whether evaluating may build what an expression reads.")
        case .allowNewPrivileges: flag(false, "Whether builders may gain privileges through set-uid programs.")
        case .allowedURIs: words("", "Prefixes of the addresses that restricted evaluation may fetch from.")
        case .alwaysAllowSubstitutes: flag(false, "Whether to ignore derivations' 'allowSubstitutes = false'.")
        case .autoOptimiseStore: flag(false, "Whether equal files of a store are made one at once.")
        case .buildDir: text("", "Where builds have their directories; empty for a place of the store's state.")
        case .buildPollInterval: number(5, "Seconds between looks at locks of others' builds.")
        case .buildUsersGroup: text("", "The group whose members builders run as; empty for the caller.")
        case .compressBuildLog: flag(true, "Whether build logs are compressed.")
        case .connectTimeout: number(0, "Seconds to wait for a connection; 0 for the system's own limit.")
        case .cores: text("", "NIX_BUILD_CORES of builders; 0 for all processors.")
        case .diffHook: text("", "A program that is run when a repeated build differs.")
        case .downloadAttempts: number(5, "How often a download is tried.")
        case .experimentalFeatures: words("", "Features of Nix that are not stable yet.")
        case .extraPlatforms: words("", "Platforms that this machine builds for beside its own.")
        case .fallback: flag(false, "Whether to build what cannot be fetched after all.")
        case .filterSyscalls: flag(true, "Whether builders are kept from making set-uid files and extended attributes.")
        case .fsyncMetadata: flag(true, "Whether changes of the database are waited for.")
        case .hashedMirrors: words("", "Servers that 'builtin:fetchurl' asks for files by their hash.")
        case .httpConnections: number(25, "How many connections may be open at once; 0 for any number.")
        case .ignoredACLs: words("security.selinux system.nfs4_acl", "Extended attributes that files may keep.")
        case .impersonateLinux26: flag(false, "Whether builders see a kernel 2.6.")
        case .keepBuildLog: flag(true, "Whether build logs are kept.")
        case .keepDerivations: flag(true, "Whether a collection keeps the derivations of what it keeps.")
        case .keepEnvDerivations: flag(false, "Whether user environments keep their derivations.")
        case .keepFailed: flag(false, "Whether the directories of failed builds are kept.")
        case .keepGoing: flag(false, "Whether other builds go on when one has failed.")
        case .keepOutputs: flag(false, "Whether a collection keeps the outputs of the derivations that it keeps.")
        case .logLines: number(25, "How many lines of a failed build's log are shown.")
        case .maxBuildLogSize: number(0, "Bytes that a builder may write to its log; 0 for any number.")
        case .maxCallDepth: number(10_000, "How deep functions may call each other.")
        case .maxFree: text("18446744073709551615", "Bytes free at which an automatic collection ends.")
        case .maxJobs: Definition(kind: .jobs, standard: "1", purpose: "How many builds may run at once.")
        case .maxSilentTime: number(0, "Seconds without output after which a build is ended; 0 for never.")
        case .maxSubstitutionJobs: number(16, "How many objects may be fetched at once.")
        case .minFree: number(0, "Bytes free below which a collection begins; 0 for never.")
        case .minFreeCheckInterval: number(5, "Seconds between looks at the free space.")
        case .narinfoCacheNegativeTTL: number(3600, "Seconds for which it is remembered that a cache has no object.")
        case .narinfoCachePositiveTTL:
            number(2_592_000, "Seconds for which it is remembered that a cache has an object.")
        case .netrcFile: text("", "A file of logins for downloads.")
        case .nixPath: words("", "Where '<…>' looks when NIX_PATH is not set.")
        case .postBuildHook: text("", "A program that is run after each build.")
        case .preBuildHook: text("", "A program that may change a build's sandbox.")
        case .pureEval: flag(false, "Whether evaluation sees only what hashes fix.")
        case .requireSigs: flag(true, "Whether objects of others need a signature of a trusted key.")
        case .restrictEval: flag(false, "Whether evaluation sees only the search path and allowed addresses.")
        case .runDiffHook: flag(false, "Whether 'diff-hook' is run.")
        case .sandbox:
            Definition(kind: .sandbox, standard: "true", purpose: "Whether builders run apart from the system.")
        case .sandboxBuildDir: text("/build", "Where a builder's directory is in its sandbox.")
        case .sandboxDevShmSize: text("50%", "The size of a sandbox's /dev/shm, as tmpfs takes it.")
        case .sandboxFallback: flag(true, "Whether to build without a sandbox where the kernel has none.")
        case .sandboxPaths:
            words("", "Paths that sandboxes show: 'PATH' or 'INSIDE=OUTSIDE', with '?' if it may be missing.")
        case .secretKeyFiles: words("", "Keys that sign what is built here.")
        case .showTrace: flag(false, "Whether errors show where they came from.")
        case .sslCertFile: text("", "The certificates of authorities that TLS trusts.")
        case .stalledDownloadTimeout: number(300, "Seconds without a byte after which a download is tried again.")
        case .store: text("auto", "The store to use.")
        case .substitute: flag(true, "Whether objects are fetched instead of built.")
        case .substituters: words("https://cache.nixos.org/", "Caches to fetch objects from.")
        case .syncBeforeRegistering: flag(false, "Whether files are waited for before an object is valid.")
        case .system: text("", "The platform that this machine builds for.")
        case .systemFeatures: words("", "What builds may require of this machine.")
        case .tarballTTL: number(3600, "Seconds for which a fetched file without a hash is not asked for again.")
        case .timeout: number(0, "Seconds that a build may take; 0 for any number.")
        case .traceVerbose: flag(false, "Whether 'builtins.traceVerbose' says anything.")
        case .trustedPublicKeys: words(Self.standardKey, "Keys whose signatures are believed.")
        case .trustedSubstituters: words("", "Caches that users may ask for.")
        case .useXDGBaseDirectories: flag(false, "Whether a user's profile lies where XDG says.")
        case .userAgentSuffix: text("", "What is added to the name that servers are told.")
        case .warnDirty: flag(true, "Whether Git trees with changes are warned of.")
        }
    }

    /// The key of cache.nixos.org.
    private static let standardKey = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="

    private func flag(_ standard: Bool, _ purpose: String) -> Definition {
        Definition(kind: .flag, standard: standard ? "true" : "false", purpose: purpose)
    }

    private func number(_ standard: Int, _ purpose: String) -> Definition {
        Definition(kind: .number, standard: String(standard), purpose: purpose)
    }

    private func text(_ standard: String, _ purpose: String) -> Definition {
        Definition(kind: .text, standard: standard, purpose: purpose)
    }

    private func words(_ standard: String, _ purpose: String) -> Definition {
        Definition(kind: .words, standard: standard, purpose: purpose)
    }
}
