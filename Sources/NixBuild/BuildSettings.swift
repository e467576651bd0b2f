import Kernel
import NixStore

/// How derivations are built; the names are those of nix.conf.
public struct BuildSettings: Sendable {
    public enum SandboxMode: Sendable {
        case on
        /// As `on`, but a derivation with `__noChroot` sees the machine.
        case relaxed
        case off
    }

    public enum Mode: Sendable {
        /// Builds what is not valid.
        case normal
        /// Builds what is valid once more, and compares.
        case check
        /// Builds again what is valid but damaged.
        case repair
    }

    /// Something of the machine that every builder sees.
    public struct SandboxPath: Sendable, Equatable {
        public var inside: String
        public var outside: String
        /// Whether it may be missing.
        public var isOptional: Bool

        public init(inside: String, outside: String, isOptional: Bool = false) {
            self.inside = inside
            self.outside = outside
            self.isOptional = isOptional
        }
    }

    public var mode = Mode.normal
    public var sandbox = SandboxMode.on
    /// Whether a derivation is built without a sandbox where the kernel gives none, with a warning.
    public var allowsSandboxFallback = true
    public var sandboxPaths: [SandboxPath] = []
    /// How many builders at once.
    public var maxJobs = 1
    /// How many processors each builder is told to use; 0: all.
    public var cores = 0
    /// Whether what does not depend on a failed build is still built.
    public var keepsGoing = false
    /// Whether the temporary directory of a failed build stays.
    public var keepsFailed = false
    /// Seconds that a builder may run; 0: for ever.
    public var timeout = 0
    /// Seconds that a builder may be silent; 0: for ever.
    public var maxSilentTime = 0
    /// Bytes that a builder may write; 0: any number.
    public var maxLogSize: UInt64 = 0
    /// How many lines of the log an error shows.
    public var logLines = 10
    public var keepsLog = true
    public var compressesLog = true
    public var hooks = BuildHooks()
    /// Whether what a cache announces and does not give is built.
    public var fallsBack = false
    /// How many processes a builder may have; 0: any number.
    public var processLimit: UInt64 = 4096
    /// Where temporary directories are made.
    public var temporaryDirectory = "/tmp"
    /// What the builder sees it as.
    public var sandboxBuildDirectory = "/build"
    /// The platform of this machine, such as `x86_64-linux`.
    public var system = BuildSettings.machineSystem
    /// Others that it can run.
    public var extraPlatforms: Set<String> = BuildSettings.machineExtraPlatforms
    public var systemFeatures: Set<String> = ["nixos-test", "benchmark", "big-parallel"]
    /// The group whose members run builders; where it does not exist, identifiers that nobody has do.
    public var buildUsersGroup = "nixbld"
    /// The program that makes containers.
    public var runtime = "dhow-runtime"
    /// Looks up this process's environment, for `impureEnvVars`.
    public var environment: @Sendable (String) -> String? = { _ in nil }
    /// Fetches an address for `builtin:fetchurl`, piece by piece.
    public var download: @Sendable (_ address: String, _ sink: ([UInt8]) throws -> Void) throws -> Void = {
        address, _ in
        throw BuildError(.failed, "cannot download '\(address)': nothing here downloads")
    }

    public init() {}

    static var machineSystem: String { "\(HostSystem.names.machine)-linux" }
    static var machineExtraPlatforms: Set<String> {
        machineSystem == "x86_64-linux" ? ["i686-linux", "x86_64-v1-linux"] : []
    }
}
