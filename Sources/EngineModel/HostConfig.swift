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

    public static let members = JSONMembers<Self>(
        .nullable("Binds", \.binds),
        .always("ContainerIDFile", \.containerIDFile),
        .always("LogConfig", \.logConfig),
        .always("NetworkMode", \.networkMode),
        .nullable("PortBindings", \.portBindings),
        .always("RestartPolicy", \.restartPolicy),
        .always("AutoRemove", \.autoRemove),
        .always("VolumeDriver", \.volumeDriver),
        .nullable("VolumesFrom", \.volumesFrom),
        .always("ConsoleSize", \.consoleSize),
        .optional("Annotations", \.annotations),
        .nullable("CapAdd", \.capAdd),
        .nullable("CapDrop", \.capDrop),
        .always("CgroupnsMode", \.cgroupnsMode),
        .nullable("Dns", \.dns),
        .nullable("DnsOptions", \.dnsOptions),
        .nullable("DnsSearch", \.dnsSearch),
        .nullable("ExtraHosts", \.extraHosts),
        .nullable("GroupAdd", \.groupAdd),
        .always("IpcMode", \.ipcMode),
        .always("Cgroup", \.cgroup),
        .nullable("Links", \.links),
        .always("OomScoreAdj", \.oomScoreAdj),
        .always("PidMode", \.pidMode),
        .always("Privileged", \.privileged),
        .always("PublishAllPorts", \.publishAllPorts),
        .always("ReadonlyRootfs", \.readonlyRootfs),
        .nullable("SecurityOpt", \.securityOpt),
        .optional("StorageOpt", \.storageOpt),
        .optional("Tmpfs", \.tmpfs),
        .always("UTSMode", \.utsMode),
        .always("UsernsMode", \.usernsMode),
        .always("ShmSize", \.shmSize),
        .optional("Sysctls", \.sysctls),
        .omitEmpty("Runtime", \.runtime),
        .always("Isolation", \.isolation),
        .always("CpuShares", \.resources.cpuShares),
        .always("Memory", \.resources.memory),
        .always("NanoCpus", \.resources.nanoCpus),
        .always("CgroupParent", \.resources.cgroupParent),
        .always("BlkioWeight", \.resources.blkioWeight),
        .nullable("BlkioWeightDevice", \.resources.blkioWeightDevice),
        .nullable("BlkioDeviceReadBps", \.resources.blkioDeviceReadBps),
        .nullable("BlkioDeviceWriteBps", \.resources.blkioDeviceWriteBps),
        .nullable("BlkioDeviceReadIOps", \.resources.blkioDeviceReadIOps),
        .nullable("BlkioDeviceWriteIOps", \.resources.blkioDeviceWriteIOps),
        .always("CpuPeriod", \.resources.cpuPeriod),
        .always("CpuQuota", \.resources.cpuQuota),
        .always("CpuRealtimePeriod", \.resources.cpuRealtimePeriod),
        .always("CpuRealtimeRuntime", \.resources.cpuRealtimeRuntime),
        .always("CpusetCpus", \.resources.cpusetCpus),
        .always("CpusetMems", \.resources.cpusetMems),
        .nullable("Devices", \.resources.devices),
        .nullable("DeviceCgroupRules", \.resources.deviceCgroupRules),
        .nullable("DeviceRequests", \.resources.deviceRequests),
        .omitEmpty("KernelMemory", \.resources.kernelMemory),
        .omitEmpty("KernelMemoryTCP", \.resources.kernelMemoryTCP),
        .always("MemoryReservation", \.resources.memoryReservation),
        .always("MemorySwap", \.resources.memorySwap),
        .nullable("MemorySwappiness", \.resources.memorySwappiness),
        .nullable("OomKillDisable", \.resources.oomKillDisable),
        .nullable("PidsLimit", \.resources.pidsLimit),
        .nullable("Ulimits", \.resources.ulimits),
        .always("CpuCount", \.resources.cpuCount),
        .always("CpuPercent", \.resources.cpuPercent),
        .always("IOMaximumIOps", \.resources.ioMaximumIOps),
        .always("IOMaximumBandwidth", \.resources.ioMaximumBandwidth),
        .optional("Mounts", \.mounts),
        .nullable("MaskedPaths", \.maskedPaths),
        .nullable("ReadonlyPaths", \.readonlyPaths),
        .optional("Init", \.`init`))
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
    public static let members = JSONMembers<Self>(.nullable("Warnings", \.warnings))
}
