import JSON

/// The part of a container's configuration that concerns this host.
public struct HostConfig: JSONRecord {
    /// `source:target[:options]`.
    public var binds: [String]?
    public var containerIDFile = ""
    public var logConfig = LogConfig()
    /// `none`, `host`, `container:<id>`, `bridge`, `default`, or a network's name.
    public var networkMode = ""
    /// Keys are `80/tcp`.
    public var portBindings: [String: [PortBinding]?]?
    public var restartPolicy = RestartPolicy()
    public var autoRemove = false
    public var volumeDriver = ""
    /// `container[:ro|rw]`.
    public var volumesFrom: [String]?
    /// Height and width in characters.
    public var consoleSize: [Int] = [0, 0]
    public var annotations: [String: String]?
    public var capAdd: [String]?
    public var capDrop: [String]?
    /// `private`, `host`, or empty for the daemon's default.
    public var cgroupnsMode = ""
    public var dns: [String]?
    public var dnsOptions: [String]?
    public var dnsSearch: [String]?
    /// `name:address`.
    public var extraHosts: [String]?
    public var groupAdd: [String]?
    /// `none`, `private`, `shareable`, `host`, `container:<id>`, or empty for the daemon's default.
    public var ipcMode = ""
    public var cgroup = ""
    public var links: [String]?
    public var oomScoreAdj = 0
    /// Empty, `host` or `container:<id>`.
    public var pidMode = ""
    public var privileged = false
    public var publishAllPorts = false
    public var readonlyRootfs = false
    public var securityOpt: [String]?
    public var storageOpt: [String: String]?
    /// Paths in the container to mount options.
    public var tmpfs: [String: String]?
    public var utsMode = ""
    public var usernsMode = ""
    /// Bytes.
    public var shmSize: Int64 = 0
    public var sysctls: [String: String]?
    public var runtime = ""
    public var isolation = ""
    /// On the wire these stand among the others.
    public var resources = Resources()
    public var mounts: [Mount]?
    public var maskedPaths: [String]?
    public var readonlyPaths: [String]?
    /// Whether an init process is the container's first.
    public var `init`: Bool?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.nullable("Binds", &binds)
        json.always("ContainerIDFile", &containerIDFile)
        json.always("LogConfig", &logConfig)
        json.always("NetworkMode", &networkMode)
        json.nullable("PortBindings", &portBindings)
        json.always("RestartPolicy", &restartPolicy)
        json.always("AutoRemove", &autoRemove)
        json.always("VolumeDriver", &volumeDriver)
        json.nullable("VolumesFrom", &volumesFrom)
        json.always("ConsoleSize", &consoleSize)
        json.optional("Annotations", &annotations)
        json.nullable("CapAdd", &capAdd)
        json.nullable("CapDrop", &capDrop)
        json.always("CgroupnsMode", &cgroupnsMode)
        json.nullable("Dns", &dns)
        json.nullable("DnsOptions", &dnsOptions)
        json.nullable("DnsSearch", &dnsSearch)
        json.nullable("ExtraHosts", &extraHosts)
        json.nullable("GroupAdd", &groupAdd)
        json.always("IpcMode", &ipcMode)
        json.always("Cgroup", &cgroup)
        json.nullable("Links", &links)
        json.always("OomScoreAdj", &oomScoreAdj)
        json.always("PidMode", &pidMode)
        json.always("Privileged", &privileged)
        json.always("PublishAllPorts", &publishAllPorts)
        json.always("ReadonlyRootfs", &readonlyRootfs)
        json.nullable("SecurityOpt", &securityOpt)
        json.optional("StorageOpt", &storageOpt)
        json.optional("Tmpfs", &tmpfs)
        json.always("UTSMode", &utsMode)
        json.always("UsernsMode", &usernsMode)
        json.always("ShmSize", &shmSize)
        json.optional("Sysctls", &sysctls)
        json.omitEmpty("Runtime", &runtime)
        json.always("Isolation", &isolation)
        json.always("CpuShares", &resources.cpuShares)
        json.always("Memory", &resources.memory)
        json.always("NanoCpus", &resources.nanoCpus)
        json.always("CgroupParent", &resources.cgroupParent)
        json.always("BlkioWeight", &resources.blkioWeight)
        json.nullable("BlkioWeightDevice", &resources.blkioWeightDevice)
        json.nullable("BlkioDeviceReadBps", &resources.blkioDeviceReadBps)
        json.nullable("BlkioDeviceWriteBps", &resources.blkioDeviceWriteBps)
        json.nullable("BlkioDeviceReadIOps", &resources.blkioDeviceReadIOps)
        json.nullable("BlkioDeviceWriteIOps", &resources.blkioDeviceWriteIOps)
        json.always("CpuPeriod", &resources.cpuPeriod)
        json.always("CpuQuota", &resources.cpuQuota)
        json.always("CpuRealtimePeriod", &resources.cpuRealtimePeriod)
        json.always("CpuRealtimeRuntime", &resources.cpuRealtimeRuntime)
        json.always("CpusetCpus", &resources.cpusetCpus)
        json.always("CpusetMems", &resources.cpusetMems)
        json.nullable("Devices", &resources.devices)
        json.nullable("DeviceCgroupRules", &resources.deviceCgroupRules)
        json.nullable("DeviceRequests", &resources.deviceRequests)
        json.omitEmpty("KernelMemory", &resources.kernelMemory)
        json.omitEmpty("KernelMemoryTCP", &resources.kernelMemoryTCP)
        json.always("MemoryReservation", &resources.memoryReservation)
        json.always("MemorySwap", &resources.memorySwap)
        json.nullable("MemorySwappiness", &resources.memorySwappiness)
        json.nullable("OomKillDisable", &resources.oomKillDisable)
        json.nullable("PidsLimit", &resources.pidsLimit)
        json.nullable("Ulimits", &resources.ulimits)
        json.always("CpuCount", &resources.cpuCount)
        json.always("CpuPercent", &resources.cpuPercent)
        json.always("IOMaximumIOps", &resources.ioMaximumIOps)
        json.always("IOMaximumBandwidth", &resources.ioMaximumBandwidth)
        json.optional("Mounts", &mounts)
        json.nullable("MaskedPaths", &maskedPaths)
        json.nullable("ReadonlyPaths", &readonlyPaths)
        json.optional("Init", &`init`)
    }
}

/// Limits of what a container may use: a part of `HostConfig`, and what `POST /containers/{id}/update` changes.
/// Zero, empty and `nil` mean no limit, or no change.
public struct Resources: Sendable, Equatable {
    public var cpuShares: Int64 = 0
    /// Bytes.
    public var memory: Int64 = 0
    /// Billionths of a CPU.
    public var nanoCpus: Int64 = 0
    public var cgroupParent = ""
    public var blkioWeight: UInt16 = 0
    public var blkioWeightDevice: [WeightDevice]?
    public var blkioDeviceReadBps: [ThrottleDevice]?
    public var blkioDeviceWriteBps: [ThrottleDevice]?
    public var blkioDeviceReadIOps: [ThrottleDevice]?
    public var blkioDeviceWriteIOps: [ThrottleDevice]?
    /// Microseconds.
    public var cpuPeriod: Int64 = 0
    /// Microseconds.
    public var cpuQuota: Int64 = 0
    public var cpuRealtimePeriod: Int64 = 0
    public var cpuRealtimeRuntime: Int64 = 0
    public var cpusetCpus = ""
    public var cpusetMems = ""
    public var devices: [DeviceMapping]?
    public var deviceCgroupRules: [String]?
    public var deviceRequests: [DeviceRequest]?
    public var kernelMemory: Int64 = 0
    public var kernelMemoryTCP: Int64 = 0
    public var memoryReservation: Int64 = 0
    /// Memory and swap together; -1 for unlimited swap.
    public var memorySwap: Int64 = 0
    public var memorySwappiness: Int64?
    public var oomKillDisable: Bool?
    /// 0 and -1 are unlimited.
    public var pidsLimit: Int64?
    public var ulimits: [Ulimit]?
    public var cpuCount: Int64 = 0
    public var cpuPercent: Int64 = 0
    public var ioMaximumIOps: UInt64 = 0
    public var ioMaximumBandwidth: UInt64 = 0

    public init() {}
}

/// The body of `POST /containers/{id}/update`. Only what differs from the default is written.
public struct ContainerUpdate: JSONConvertible, Equatable {
    public var resources = Resources()
    public var restartPolicy = RestartPolicy()

    public init() {}

    // Its members are a part of the host configuration's, so that type reads and writes them.
    public init(json: JSONValue) throws(JSONError) {
        let host = try HostConfig(json: json)
        resources = host.resources
        restartPolicy = host.restartPolicy
    }

    public init(parsing bytes: [UInt8]) throws(JSONError) { try self.init(json: JSONValue(parsing: bytes)) }

    public var json: JSONValue {
        var host = HostConfig()
        host.resources = resources
        host.restartPolicy = restartPolicy
        let unchanged = HostConfig().json
        guard case .object(let object) = host.json else { return .null }
        return .object(JSONObject(object.members.filter { $0.value != unchanged[$0.name] }.map { ($0.name, $0.value) }))
    }
}

/// The answer to `POST /containers/{id}/update`.
public struct ContainerUpdateResponse: JSONRecord {
    public var warnings: [String]?
    public var unknownMembers = JSONObject()
    public init() {}
    public init(warnings: [String]) { self.warnings = warnings }
    public mutating func members(_ json: inout JSONMembers) {
        json.nullable("Warnings", &warnings)
    }
}
