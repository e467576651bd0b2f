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

    public mutating func members(_ json: inout JSONMembers) {
        json.always("ID", &id)
        json.always("Containers", &containers)
        json.always("ContainersRunning", &containersRunning)
        json.always("ContainersPaused", &containersPaused)
        json.always("ContainersStopped", &containersStopped)
        json.always("Images", &images)
        json.always("Driver", &driver)
        json.nullable("DriverStatus", &driverStatus)
        json.always("Plugins", &plugins)
        json.always("MemoryLimit", &memoryLimit)
        json.always("SwapLimit", &swapLimit)
        json.always("CpuCfsPeriod", &cpuCfsPeriod)
        json.always("CpuCfsQuota", &cpuCfsQuota)
        json.always("CPUShares", &cpuShares)
        json.always("CPUSet", &cpuSet)
        json.always("PidsLimit", &pidsLimit)
        json.always("IPv4Forwarding", &ipv4Forwarding)
        json.always("Debug", &debug)
        json.always("NFd", &nfd)
        json.always("OomKillDisable", &oomKillDisable)
        json.always("NGoroutines", &nGoroutines)
        json.always("SystemTime", &systemTime)
        json.always("LoggingDriver", &loggingDriver)
        json.always("CgroupDriver", &cgroupDriver)
        json.omitEmpty("CgroupVersion", &cgroupVersion)
        json.always("NEventsListener", &nEventsListener)
        json.always("KernelVersion", &kernelVersion)
        json.always("OperatingSystem", &operatingSystem)
        json.always("OSVersion", &osVersion)
        json.always("OSType", &osType)
        json.always("Architecture", &architecture)
        json.always("IndexServerAddress", &indexServerAddress)
        json.nullable("RegistryConfig", &registryConfig)
        json.always("NCPU", &ncpu)
        json.always("MemTotal", &memTotal)
        json.nullable("GenericResources", &genericResources)
        json.always("DockerRootDir", &dockerRootDir)
        json.always("HttpProxy", &httpProxy)
        json.always("HttpsProxy", &httpsProxy)
        json.always("NoProxy", &noProxy)
        json.always("Name", &name)
        json.always("Labels", &labels)
        json.always("ExperimentalBuild", &experimentalBuild)
        json.always("ServerVersion", &serverVersion)
        json.always("Runtimes", &runtimes)
        json.always("DefaultRuntime", &defaultRuntime)
        json.always("Swarm", &swarm)
        json.always("LiveRestoreEnabled", &liveRestoreEnabled)
        json.always("Isolation", &isolation)
        json.always("InitBinary", &initBinary)
        json.always("ContainerdCommit", &containerdCommit)
        json.always("RuncCommit", &runcCommit)
        json.always("InitCommit", &initCommit)
        json.always("SecurityOptions", &securityOptions)
        json.always("CDISpecDirs", &cdiSpecDirs)
        json.nullable("Warnings", &warnings)
    }

    /// The drivers that the daemon offers, by kind.
    public struct Plugins: JSONRecord {
        public var volume: [String]? = []
        public var network: [String]? = []
        public var authorization: [String]?
        public var log: [String]? = []
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.nullable("Volume", &volume)
            json.nullable("Network", &network)
            json.nullable("Authorization", &authorization)
            json.nullable("Log", &log)
        }
    }

    /// The version of a program that the daemon uses.
    public struct Commit: JSONRecord {
        public var id = ""
        public var expected = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.always("ID", &id)
            json.omitEmpty("Expected", &expected)
        }
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

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Platform", &platform)
        json.optional("Components", &components)
        json.always("Version", &version)
        json.always("ApiVersion", &apiVersion)
        json.omitEmpty("MinAPIVersion", &minAPIVersion)
        json.always("GitCommit", &gitCommit)
        json.always("GoVersion", &goVersion)
        json.always("Os", &os)
        json.always("Arch", &arch)
        json.omitEmpty("KernelVersion", &kernelVersion)
        json.omitEmpty("Experimental", &experimental)
        json.omitEmpty("BuildTime", &buildTime)
    }

    public struct Platform: JSONRecord {
        public var name = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.always("Name", &name)
        }
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
        public mutating func members(_ json: inout JSONMembers) {
            json.always("Name", &name)
            json.always("Version", &version)
            json.optional("Details", &details)
        }
    }
}
