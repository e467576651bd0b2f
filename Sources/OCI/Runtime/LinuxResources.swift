import JSON

/// Limits of the container's cgroup.
public struct LinuxResources: JSONRecord {
    public var devices: [LinuxDeviceCgroup]?
    public var memory: LinuxMemory?
    public var cpu: LinuxCPU?
    public var pids: LinuxPids?
    public var blockIO: LinuxBlockIO?
    public var hugepageLimits: [LinuxHugepageLimit]?
    public var network: LinuxNetwork?
    /// By device name.
    public var rdma: [String: LinuxRdma]?
    /// cgroup v2 files and what to write to them.
    public var unified: [String: String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("devices", &devices)
        json.optional("memory", &memory)
        json.optional("cpu", &cpu)
        json.optional("pids", &pids)
        json.optional("blockIO", &blockIO)
        json.optional("hugepageLimits", &hugepageLimits)
        json.optional("network", &network)
        json.optional("rdma", &rdma)
        json.optional("unified", &unified)
    }
}

/// A rule of the device controller.
public struct LinuxDeviceCgroup: JSONRecord {
    public var allow = false
    /// `a`, `c` or `b`; all when missing.
    public var type: String?
    /// All when missing or -1.
    public var major: Int64?
    /// All when missing or -1.
    public var minor: Int64?
    /// Some of `rwm`.
    public var access: String?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(allow: Bool, type: String? = nil, major: Int64? = nil, minor: Int64? = nil, access: String? = nil) {
        self.allow = allow
        self.type = type
        self.major = major
        self.minor = minor
        self.access = access
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("allow", &allow)
        json.optional("type", &type)
        json.optional("major", &major)
        json.optional("minor", &minor)
        json.optional("access", &access)
    }
}

/// Memory limits in bytes; -1 is unlimited.
public struct LinuxMemory: JSONRecord {
    public var limit: Int64?
    public var reservation: Int64?
    /// Memory plus swap.
    public var swap: Int64?
    public var kernel: Int64?
    public var kernelTCP: Int64?
    /// 0 to 100.
    public var swappiness: UInt64?
    public var disableOOMKiller: Bool?
    public var useHierarchy: Bool?
    /// Refuse a limit below the present use.
    public var checkBeforeUpdate: Bool?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("limit", &limit)
        json.optional("reservation", &reservation)
        json.optional("swap", &swap)
        json.optional("kernel", &kernel)
        json.optional("kernelTCP", &kernelTCP)
        json.optional("swappiness", &swappiness)
        json.optional("disableOOMKiller", &disableOOMKiller)
        json.optional("useHierarchy", &useHierarchy)
        json.optional("checkBeforeUpdate", &checkBeforeUpdate)
    }
}

/// Processor time.
public struct LinuxCPU: JSONRecord {
    public var shares: UInt64?
    /// Microseconds in each period.
    public var quota: Int64?
    /// Microseconds.
    public var burst: UInt64?
    /// Microseconds.
    public var period: UInt64?
    /// Microseconds.
    public var realtimeRuntime: Int64?
    /// Microseconds.
    public var realtimePeriod: UInt64?
    /// A list such as `0-3,7`.
    public var cpus: String?
    /// A list such as `0-3,7`.
    public var mems: String?
    /// 1 for SCHED_IDLE.
    public var idle: Int64?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("shares", &shares)
        json.optional("quota", &quota)
        json.optional("burst", &burst)
        json.optional("period", &period)
        json.optional("realtimeRuntime", &realtimeRuntime)
        json.optional("realtimePeriod", &realtimePeriod)
        json.optional("cpus", &cpus)
        json.optional("mems", &mems)
        json.optional("idle", &idle)
    }
}

/// The number of tasks.
public struct LinuxPids: JSONRecord {
    /// 0 or less is unlimited.
    public var limit: Int64?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(limit: Int64? = nil) {
        self.limit = limit
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("limit", &limit)
    }
}

/// Block devices.
public struct LinuxBlockIO: JSONRecord {
    /// 10 to 1000.
    public var weight: UInt16?
    public var leafWeight: UInt16?
    public var weightDevice: [LinuxWeightDevice]?
    public var throttleReadBpsDevice: [LinuxThrottleDevice]?
    public var throttleWriteBpsDevice: [LinuxThrottleDevice]?
    public var throttleReadIOPSDevice: [LinuxThrottleDevice]?
    public var throttleWriteIOPSDevice: [LinuxThrottleDevice]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("weight", &weight)
        json.optional("leafWeight", &leafWeight)
        json.optional("weightDevice", &weightDevice)
        json.optional("throttleReadBpsDevice", &throttleReadBpsDevice)
        json.optional("throttleWriteBpsDevice", &throttleWriteBpsDevice)
        json.optional("throttleReadIOPSDevice", &throttleReadIOPSDevice)
        json.optional("throttleWriteIOPSDevice", &throttleWriteIOPSDevice)
    }
}

/// The weight of one block device.
public struct LinuxWeightDevice: JSONRecord {
    public var major: Int64 = 0
    public var minor: Int64 = 0
    public var weight: UInt16?
    public var leafWeight: UInt16?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(major: Int64, minor: Int64, weight: UInt16? = nil, leafWeight: UInt16? = nil) {
        self.major = major
        self.minor = minor
        self.weight = weight
        self.leafWeight = leafWeight
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("major", &major)
        json.always("minor", &minor)
        json.optional("weight", &weight)
        json.optional("leafWeight", &leafWeight)
    }
}

/// The rate of one block device, in bytes or operations a second.
public struct LinuxThrottleDevice: JSONRecord {
    public var major: Int64 = 0
    public var minor: Int64 = 0
    public var rate: UInt64 = 0
    public var unknownMembers = JSONObject()

    public init() {}

    public init(major: Int64, minor: Int64, rate: UInt64) {
        self.major = major
        self.minor = minor
        self.rate = rate
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("major", &major)
        json.always("minor", &minor)
        json.always("rate", &rate)
    }
}

/// A limit of huge pages.
public struct LinuxHugepageLimit: JSONRecord {
    /// Such as `2MB`.
    public var pageSize = ""
    /// Bytes.
    public var limit: UInt64 = 0
    public var unknownMembers = JSONObject()

    public init() {}

    public init(pageSize: String, limit: UInt64) {
        self.pageSize = pageSize
        self.limit = limit
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("pageSize", &pageSize)
        json.always("limit", &limit)
    }
}

/// Network classes.
public struct LinuxNetwork: JSONRecord {
    public var classID: UInt32?
    public var priorities: [LinuxInterfacePriority]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("classID", &classID)
        json.optional("priorities", &priorities)
    }
}

/// The priority of an interface.
public struct LinuxInterfacePriority: JSONRecord {
    public var name = ""
    public var priority: UInt32 = 0
    public var unknownMembers = JSONObject()

    public init() {}

    public init(name: String, priority: UInt32) {
        self.name = name
        self.priority = priority
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("name", &name)
        json.always("priority", &priority)
    }
}

/// RDMA limits of a device.
public struct LinuxRdma: JSONRecord {
    public var hcaHandles: UInt32?
    public var hcaObjects: UInt32?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("hcaHandles", &hcaHandles)
        json.optional("hcaObjects", &hcaObjects)
    }
}
