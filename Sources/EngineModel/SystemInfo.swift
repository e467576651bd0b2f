import JSON

/// The answer to `GET /info`.
public struct SystemInfo: JSONRecord {
    public var id = ""
    public var containers = 0
    public var containersRunning = 0
    public var containersPaused = 0
    public var containersStopped = 0
    public var images = 0
    /// The storage driver.
    public var driver = ""
    /// Names and values.
    public var driverStatus: [[String]]?
    public var plugins = Plugins()
    public var memoryLimit = false
    public var swapLimit = false
    public var cpuCfsPeriod = false
    public var cpuCfsQuota = false
    public var cpuShares = false
    public var cpuSet = false
    public var pidsLimit = false
    public var ipv4Forwarding = false
    public var debug = false
    public var nfd = 0
    public var oomKillDisable = false
    public var nGoroutines = 0
    public var systemTime = ""
    public var loggingDriver = ""
    public var cgroupDriver = ""
    /// `1` or `2`.
    public var cgroupVersion = ""
    public var nEventsListener = 0
    public var kernelVersion = ""
    public var operatingSystem = ""
    public var osVersion = ""
    public var osType = "linux"
    public var architecture = ""
    public var indexServerAddress = "https://index.docker.io/v1/"
    public var registryConfig: JSONValue?
    public var ncpu = 0
    public var memTotal: Int64 = 0
    public var genericResources: [JSONValue]?
    public var dockerRootDir = ""
    public var httpProxy = ""
    public var httpsProxy = ""
    public var noProxy = ""
    public var name = ""
    public var labels: [String] = []
    public var experimentalBuild = false
    public var serverVersion = ""
    public var runtimes: [String: JSONValue] = [:]
    public var defaultRuntime = ""
    public var swarm: JSONValue = [
        "NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": false, "Error": "",
        "RemoteManagers": nil,
    ]
    public var liveRestoreEnabled = false
    public var isolation = ""
    public var initBinary = ""
    public var containerdCommit = Commit()
    public var runcCommit = Commit()
    public var initCommit = Commit()
    public var securityOptions: [String] = []
    public var cdiSpecDirs: [String] = []
    public var warnings: [String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .always("ID", \.id),
        .always("Containers", \.containers),
        .always("ContainersRunning", \.containersRunning),
        .always("ContainersPaused", \.containersPaused),
        .always("ContainersStopped", \.containersStopped),
        .always("Images", \.images),
        .always("Driver", \.driver),
        .nullable("DriverStatus", \.driverStatus),
        .always("Plugins", \.plugins),
        .always("MemoryLimit", \.memoryLimit),
        .always("SwapLimit", \.swapLimit),
        .always("CpuCfsPeriod", \.cpuCfsPeriod),
        .always("CpuCfsQuota", \.cpuCfsQuota),
        .always("CPUShares", \.cpuShares),
        .always("CPUSet", \.cpuSet),
        .always("PidsLimit", \.pidsLimit),
        .always("IPv4Forwarding", \.ipv4Forwarding),
        .always("Debug", \.debug),
        .always("NFd", \.nfd),
        .always("OomKillDisable", \.oomKillDisable),
        .always("NGoroutines", \.nGoroutines),
        .always("SystemTime", \.systemTime),
        .always("LoggingDriver", \.loggingDriver),
        .always("CgroupDriver", \.cgroupDriver),
        .omitEmpty("CgroupVersion", \.cgroupVersion),
        .always("NEventsListener", \.nEventsListener),
        .always("KernelVersion", \.kernelVersion),
        .always("OperatingSystem", \.operatingSystem),
        .always("OSVersion", \.osVersion),
        .always("OSType", \.osType),
        .always("Architecture", \.architecture),
        .always("IndexServerAddress", \.indexServerAddress),
        .nullable("RegistryConfig", \.registryConfig),
        .always("NCPU", \.ncpu),
        .always("MemTotal", \.memTotal),
        .nullable("GenericResources", \.genericResources),
        .always("DockerRootDir", \.dockerRootDir),
        .always("HttpProxy", \.httpProxy),
        .always("HttpsProxy", \.httpsProxy),
        .always("NoProxy", \.noProxy),
        .always("Name", \.name),
        .always("Labels", \.labels),
        .always("ExperimentalBuild", \.experimentalBuild),
        .always("ServerVersion", \.serverVersion),
        .always("Runtimes", \.runtimes),
        .always("DefaultRuntime", \.defaultRuntime),
        .always("Swarm", \.swarm),
        .always("LiveRestoreEnabled", \.liveRestoreEnabled),
        .always("Isolation", \.isolation),
        .always("InitBinary", \.initBinary),
        .always("ContainerdCommit", \.containerdCommit),
        .always("RuncCommit", \.runcCommit),
        .always("InitCommit", \.initCommit),
        .always("SecurityOptions", \.securityOptions),
        .always("CDISpecDirs", \.cdiSpecDirs),
        .nullable("Warnings", \.warnings))

    /// The drivers that the daemon offers, by kind.
    public struct Plugins: JSONRecord {
        public var volume: [String]? = []
        public var network: [String]? = []
        public var authorization: [String]?
        public var log: [String]? = []
        public var unknownMembers = JSONObject()
        public init() {}
        public static let members = JSONMembers<Self>(
            .nullable("Volume", \.volume),
            .nullable("Network", \.network),
            .nullable("Authorization", \.authorization),
            .nullable("Log", \.log))
    }

    /// The version of a program that the daemon uses.
    public struct Commit: JSONRecord {
        public var id = ""
        public var expected = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public static let members = JSONMembers<Self>(.always("ID", \.id), .omitEmpty("Expected", \.expected))
    }
}

/// The answer to `GET /version`.
public struct SystemVersion: JSONRecord {
    public var platform = Platform()
    public var components: [Component]?
    public var version = ""
    public var apiVersion = APIVersion.current.description
    public var minAPIVersion = APIVersion.minimum.description
    public var gitCommit = ""
    public var goVersion = ""
    public var os = "linux"
    /// Go's name, such as `amd64`.
    public var arch = ""
    public var kernelVersion = ""
    public var experimental = false
    public var buildTime = ""
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .always("Platform", \.platform),
        .optional("Components", \.components),
        .always("Version", \.version),
        .always("ApiVersion", \.apiVersion),
        .omitEmpty("MinAPIVersion", \.minAPIVersion),
        .always("GitCommit", \.gitCommit),
        .always("GoVersion", \.goVersion),
        .always("Os", \.os),
        .always("Arch", \.arch),
        .omitEmpty("KernelVersion", \.kernelVersion),
        .omitEmpty("Experimental", \.experimental),
        .omitEmpty("BuildTime", \.buildTime))

    public struct Platform: JSONRecord {
        public var name = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public static let members = JSONMembers<Self>(.always("Name", \.name))
    }

    public struct Component: JSONRecord {
        public var name = ""
        public var version = ""
        public var details: [String: String]?
        public var unknownMembers = JSONObject()
        public init() {}
        public init(name: String, version: String, details: [String: String]? = nil) {
            self.name = name
            self.version = version
            self.details = details
        }
        public static let members = JSONMembers<Self>(
            .always("Name", \.name), .always("Version", \.version), .optional("Details", \.details))
    }
}
