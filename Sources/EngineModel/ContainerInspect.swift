import JSON

/// The answer to `GET /containers/{id}/json`.
public struct ContainerInspect: JSONRecord {
    public var id = ""
    public var created = ""
    public var path = ""
    public var args: [String] = []
    public var state = ContainerState()
    public var image = ""
    public var resolvConfPath = ""
    public var hostnamePath = ""
    public var hostsPath = ""
    public var logPath = ""
    /// With a leading slash.
    public var name = ""
    public var restartCount = 0
    public var driver = ""
    public var platform = "linux"
    public var mountLabel = ""
    public var processLabel = ""
    public var appArmorProfile = ""
    public var execIDs: [String]?
    public var hostConfig = HostConfig()
    public var graphDriver = DriverData()
    public var sizeRw: Int64?
    public var sizeRootFs: Int64?
    public var mounts: [MountPoint] = []
    public var config = ContainerConfig()
    public var networkSettings = NetworkSettings()
    public var imageManifestDescriptor: JSONValue?
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .always("Id", \.id),
        .always("Created", \.created),
        .always("Path", \.path),
        .always("Args", \.args),
        .always("State", \.state),
        .always("Image", \.image),
        .always("ResolvConfPath", \.resolvConfPath),
        .always("HostnamePath", \.hostnamePath),
        .always("HostsPath", \.hostsPath),
        .always("LogPath", \.logPath),
        .always("Name", \.name),
        .always("RestartCount", \.restartCount),
        .always("Driver", \.driver),
        .always("Platform", \.platform),
        .always("MountLabel", \.mountLabel),
        .always("ProcessLabel", \.processLabel),
        .always("AppArmorProfile", \.appArmorProfile),
        .nullable("ExecIDs", \.execIDs),
        .always("HostConfig", \.hostConfig),
        .always("GraphDriver", \.graphDriver),
        .optional("SizeRw", \.sizeRw),
        .optional("SizeRootFs", \.sizeRootFs),
        .always("Mounts", \.mounts),
        .always("Config", \.config),
        .always("NetworkSettings", \.networkSettings),
        .optional("ImageManifestDescriptor", \.imageManifestDescriptor))
}

/// What a container does.
public struct ContainerState: JSONRecord {
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    public var status = ""
    public var running = false
    public var paused = false
    public var restarting = false
    public var oomKilled = false
    public var dead = false
    public var pid = 0
    public var exitCode = 0
    public var error = ""
    /// `0001-01-01T00:00:00Z` when it never did.
    public var startedAt = Timestamp.zero.description
    public var finishedAt = Timestamp.zero.description
    public var health: Health?
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .always("Status", \.status),
        .always("Running", \.running),
        .always("Paused", \.paused),
        .always("Restarting", \.restarting),
        .always("OOMKilled", \.oomKilled),
        .always("Dead", \.dead),
        .always("Pid", \.pid),
        .always("ExitCode", \.exitCode),
        .always("Error", \.error),
        .always("StartedAt", \.startedAt),
        .always("FinishedAt", \.finishedAt),
        .optional("Health", \.health))
}

/// What the health checks of a container found.
public struct Health: JSONRecord {
    /// `none`, `starting`, `healthy` or `unhealthy`.
    public var status = ""
    public var failingStreak = 0
    /// The last five, oldest first.
    public var log: [Result]? = []
    public var unknownMembers = JSONObject()
    public init() {}
    public static let members = JSONMembers<Self>(
        .always("Status", \.status), .always("FailingStreak", \.failingStreak), .nullable("Log", \.log))

    public struct Result: JSONRecord {
        public var start = ""
        public var end = ""
        public var exitCode = 0
        public var output = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public static let members = JSONMembers<Self>(
            .always("Start", \.start), .always("End", \.end), .always("ExitCode", \.exitCode),
            .always("Output", \.output))
    }
}

/// Where the storage driver keeps a root file system.
public struct DriverData: JSONRecord {
    public var data: [String: String]? = [:]
    public var name = ""
    public var unknownMembers = JSONObject()
    public init() {}
    public init(name: String, data: [String: String]?) {
        self.name = name
        self.data = data
    }
    public static let members = JSONMembers<Self>(.nullable("Data", \.data), .always("Name", \.name))
}

/// A mount of a container.
public struct MountPoint: JSONRecord {
    /// `bind`, `volume` or `tmpfs`.
    public var type = ""
    /// Of a volume.
    public var name = ""
    public var source = ""
    public var destination = ""
    public var driver = ""
    public var mode = ""
    public var rw = false
    public var propagation = ""
    public var unknownMembers = JSONObject()
    public init() {}
    public static let members = JSONMembers<Self>(
        .omitEmpty("Type", \.type),
        .omitEmpty("Name", \.name),
        .always("Source", \.source),
        .always("Destination", \.destination),
        .omitEmpty("Driver", \.driver),
        .always("Mode", \.mode),
        .always("RW", \.rw),
        .always("Propagation", \.propagation))
}
