// Stores and what is fetched.
extension NixConfiguration {
    /// `store`: as `--store` has it.
    public var store: String { text(of: .store) }
    /// `substituters`: addresses of caches, the first is asked first unless their priorities say otherwise.
    public var substituters: [String] { words(.substituters) }
    public var trustedSubstituters: [String] { words(.trustedSubstituters) }
    /// `substitute`: whether caches are asked at all.
    public var substitutes: Bool { flag(.substitute) }
    /// `always-allow-substitutes`
    public var alwaysAllowsSubstitutes: Bool { flag(.alwaysAllowSubstitutes) }
    /// `trusted-public-keys`: `NAME:BASE64` each.
    public var trustedPublicKeys: [String] { words(.trustedPublicKeys) }
    /// `secret-key-files`: paths.
    public var secretKeyFiles: [String] { words(.secretKeyFiles) }
    /// `require-sigs`
    public var requiresSignatures: Bool { flag(.requireSigs) }
    /// `fallback`: whether to build what cannot be fetched after all.
    public var fallsBack: Bool { flag(.fallback) }
    /// `max-substitution-jobs`
    public var maxSubstitutionJobs: Int { number(.maxSubstitutionJobs) }

    /// `netrc-file`
    public var netrcFile: String { text(of: .netrcFile) }
    /// `ssl-cert-file`: `nil` for the system's.
    public var sslCertFile: String? { isSet(.sslCertFile) ? text(of: .sslCertFile) : nil }
    /// `connect-timeout`: seconds; 0 for the system's own limit.
    public var connectTimeout: Int { number(.connectTimeout) }
    /// `stalled-download-timeout`: seconds without a byte.
    public var stalledDownloadTimeout: Int { number(.stalledDownloadTimeout) }
    /// `download-attempts`: how often in all.
    public var downloadAttempts: Int { max(1, number(.downloadAttempts)) }
    /// `http-connections`: 0 for any number.
    public var httpConnections: Int { number(.httpConnections) }
    /// `tarball-ttl`: seconds.
    public var tarballTTL: Int { number(.tarballTTL) }
    /// `narinfo-cache-positive-ttl`, `narinfo-cache-negative-ttl`: seconds.
    public var narinfoCachePositiveTTL: Int { number(.narinfoCachePositiveTTL) }
    public var narinfoCacheNegativeTTL: Int { number(.narinfoCacheNegativeTTL) }
    /// `hashed-mirrors`: addresses.
    public var hashedMirrors: [String] { words(.hashedMirrors) }

    /// `keep-outputs`, `keep-derivations`: what a collection keeps beside what is alive.
    public var keepsOutputs: Bool { flag(.keepOutputs) }
    public var keepsDerivations: Bool { flag(.keepDerivations) }
    /// `auto-optimise-store`
    public var optimisesAutomatically: Bool { flag(.autoOptimiseStore) }
    /// `min-free`, `max-free`: bytes free at which an automatic collection begins (0 for never) and ends.
    public var minFree: UInt64 { UInt64(text(of: .minFree)) ?? 0 }
    public var maxFree: UInt64 { UInt64(text(of: .maxFree)) ?? .max }
    /// `ignored-acls`: names of extended attributes that files in the store may keep.
    public var ignoredACLs: [String] { words(.ignoredACLs) }
    /// `use-xdg-base-directories`
    public var usesXDGBaseDirectories: Bool { flag(.useXDGBaseDirectories) }
}
