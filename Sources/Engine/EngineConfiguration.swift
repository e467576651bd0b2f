import OCI
import Registry

/// What the daemon's flags and `daemon.json` decide.
public struct EngineConfiguration: Sendable {
    /// Everything that must survive a restart of the machine.
    public var dataRoot = "/var/lib/dhow"
    /// Everything that need not; on a tmpfs.
    public var execRoot = "/run/dhow"
    /// The program `dhow-runtime`.
    public var runtimePath = "/usr/bin/dhow-runtime"
    /// `overlay2`, `vfs`, or `nil` for the first that works.
    public var storageDriver: String?
    /// The most bytes and entries that a layer may unpack to; `nil` for Storage's defaults.
    public var layerByteLimit: Int64?
    public var layerInodeLimit: Int64?
    /// `cgroupfs`, `systemd`, or `nil` for what fits the host.
    public var cgroupDriver: String?
    /// The parent of all containers' cgroups; `nil` for `/dhow`, or `system.slice` with systemd.
    public var cgroupParent: String?
    /// `private`, `host`, or `nil` for private on cgroup v2 and host on v1, as Docker does.
    public var defaultCgroupnsMode: String?
    public var defaultIpcMode = "private"
    /// What a container that asks for `default` gets.
    public var defaultNetwork = "bridge"
    public var network = NetworkConfiguration()
    public var logDriver = "json-file"
    public var logOptions: [String: String] = [:]
    /// By name without `RLIMIT_`.
    public var defaultUlimits: [String: (soft: Int64, hard: Int64)] = [:]
    /// Bytes.
    public var defaultShmSize: Int64 = 64 << 20
    /// A profile's path, `unconfined`, or `nil` for the built-in one.
    public var seccompProfile: String?
    public var noNewPrivileges = false
    public var initByDefault = false
    public var dns: [String] = []
    public var dnsOptions: [String] = []
    public var dnsSearch: [String] = []
    /// Seconds between the stop signal and the kill where the container does not say.
    public var stopTimeout = 10
    public var debug = false
    /// The daemon's own labels, `key=value`.
    public var labels: [String] = []
    /// What `version` says.
    public var version = "0.1.0"
    /// Whether work that is done is flushed to the disk before it is said to be.
    public var isDurable = true

    /// How registries are reached.
    public var registries = RegistryConfiguration()

    public init() {}
}
