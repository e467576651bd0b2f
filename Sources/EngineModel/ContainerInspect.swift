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

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Id", &id)
        json.always("Created", &created)
        json.always("Path", &path)
        json.always("Args", &args)
        json.always("State", &state)
        json.always("Image", &image)
        json.always("ResolvConfPath", &resolvConfPath)
        json.always("HostnamePath", &hostnamePath)
        json.always("HostsPath", &hostsPath)
        json.always("LogPath", &logPath)
        json.always("Name", &name)
        json.always("RestartCount", &restartCount)
        json.always("Driver", &driver)
        json.always("Platform", &platform)
        json.always("MountLabel", &mountLabel)
        json.always("ProcessLabel", &processLabel)
        json.always("AppArmorProfile", &appArmorProfile)
        json.nullable("ExecIDs", &execIDs)
        json.always("HostConfig", &hostConfig)
        json.always("GraphDriver", &graphDriver)
        json.optional("SizeRw", &sizeRw)
        json.optional("SizeRootFs", &sizeRootFs)
        json.always("Mounts", &mounts)
        json.always("Config", &config)
        json.always("NetworkSettings", &networkSettings)
        json.optional("ImageManifestDescriptor", &imageManifestDescriptor)
    }
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

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Status", &status)
        json.always("Running", &running)
        json.always("Paused", &paused)
        json.always("Restarting", &restarting)
        json.always("OOMKilled", &oomKilled)
        json.always("Dead", &dead)
        json.always("Pid", &pid)
        json.always("ExitCode", &exitCode)
        json.always("Error", &error)
        json.always("StartedAt", &startedAt)
        json.always("FinishedAt", &finishedAt)
        json.optional("Health", &health)
    }
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
    public mutating func members(_ json: inout JSONMembers) {
        json.always("Status", &status)
        json.always("FailingStreak", &failingStreak)
        json.nullable("Log", &log)
    }

    public struct Result: JSONRecord {
        public var start = ""
        public var end = ""
        public var exitCode = 0
        public var output = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.always("Start", &start)
            json.always("End", &end)
            json.always("ExitCode", &exitCode)
            json.always("Output", &output)
        }
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
    public mutating func members(_ json: inout JSONMembers) {
        json.nullable("Data", &data)
        json.always("Name", &name)
    }
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
    public mutating func members(_ json: inout JSONMembers) {
        json.omitEmpty("Type", &type)
        json.omitEmpty("Name", &name)
        json.always("Source", &source)
        json.always("Destination", &destination)
        json.omitEmpty("Driver", &driver)
        json.always("Mode", &mode)
        json.always("RW", &rw)
        json.always("Propagation", &propagation)
    }
}
