import JSON

/// What is particular to Linux.
public struct Linux: JSONRecord {
    public var uidMappings: [LinuxIDMapping]?
    public var gidMappings: [LinuxIDMapping]?
    public var sysctl: [String: String]?
    public var resources: LinuxResources?
    /// A path for the cgroupfs driver, `slice:prefix:name` for the systemd driver.
    public var cgroupsPath: String?
    public var namespaces: [LinuxNamespace]?
    public var devices: [LinuxDevice]?
    /// Network devices to move into the container, by their name outside.
    public var netDevices: [String: LinuxNetDevice]?
    public var seccomp: LinuxSeccomp?
    /// `shared`, `slave`, `private` or `unbindable`, with an optional `r` before it.
    public var rootfsPropagation: String?
    public var maskedPaths: [String]?
    public var readonlyPaths: [String]?
    /// SELinux label of the mounts.
    public var mountLabel: String?
    public var intelRdt: LinuxIntelRdt?
    public var memoryPolicy: LinuxMemoryPolicy?
    public var personality: LinuxPersonality?
    /// Offsets of a new time namespace by clock: `monotonic`, `boottime`.
    public var timeOffsets: [String: LinuxTimeOffset]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("uidMappings", &uidMappings)
        json.optional("gidMappings", &gidMappings)
        json.optional("sysctl", &sysctl)
        json.optional("resources", &resources)
        json.optional("cgroupsPath", &cgroupsPath)
        json.optional("namespaces", &namespaces)
        json.optional("devices", &devices)
        json.optional("netDevices", &netDevices)
        json.optional("seccomp", &seccomp)
        json.optional("rootfsPropagation", &rootfsPropagation)
        json.optional("maskedPaths", &maskedPaths)
        json.optional("readonlyPaths", &readonlyPaths)
        json.optional("mountLabel", &mountLabel)
        json.optional("intelRdt", &intelRdt)
        json.optional("memoryPolicy", &memoryPolicy)
        json.optional("personality", &personality)
        json.optional("timeOffsets", &timeOffsets)
    }
}

/// A namespace to make, or with a path to join.
public struct LinuxNamespace: JSONRecord {
    /// `pid`, `network`, `mount`, `ipc`, `uts`, `user`, `cgroup` or `time`.
    public var type = ""
    public var path: String?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(type: String, path: String? = nil) {
        self.type = type
        self.path = path
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("type", &type)
        json.optional("path", &path)
    }
}

/// A range of user or group identifiers.
public struct LinuxIDMapping: JSONRecord {
    public var containerID: UInt32 = 0
    public var hostID: UInt32 = 0
    public var size: UInt32 = 0
    public var unknownMembers = JSONObject()

    public init() {}

    public init(containerID: UInt32, hostID: UInt32, size: UInt32) {
        self.containerID = containerID
        self.hostID = hostID
        self.size = size
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("containerID", &containerID)
        json.always("hostID", &hostID)
        json.always("size", &size)
    }
}

/// A device node in the container.
public struct LinuxDevice: JSONRecord {
    public var path = ""
    /// `c`, `b`, `u` (as `c`) or `p`.
    public var type = ""
    public var major: Int64?
    public var minor: Int64?
    /// Permission bits; 0666 when missing.
    public var fileMode: UInt32?
    public var uid: UInt32?
    public var gid: UInt32?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(
        path: String, type: String, major: Int64? = nil, minor: Int64? = nil, fileMode: UInt32? = nil,
        uid: UInt32? = nil, gid: UInt32? = nil
    ) {
        self.path = path
        self.type = type
        self.major = major
        self.minor = minor
        self.fileMode = fileMode
        self.uid = uid
        self.gid = gid
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("path", &path)
        json.always("type", &type)
        json.optional("major", &major)
        json.optional("minor", &minor)
        json.optional("fileMode", &fileMode)
        json.optional("uid", &uid)
        json.optional("gid", &gid)
    }
}

/// A network device that is moved into the container.
public struct LinuxNetDevice: JSONRecord {
    /// Its name inside; the same as outside when missing.
    public var name: String?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(name: String? = nil) {
        self.name = name
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("name", &name)
    }
}

/// Intel Resource Director Technology.
public struct LinuxIntelRdt: JSONRecord {
    public var closID: String?
    public var schemata: [String]?
    public var l3CacheSchema: String?
    public var memBwSchema: String?
    public var enableCMT: Bool?
    public var enableMBM: Bool?
    public var enableMonitoring: Bool?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("closID", &closID)
        json.optional("schemata", &schemata)
        json.optional("l3CacheSchema", &l3CacheSchema)
        json.optional("memBwSchema", &memBwSchema)
        json.optional("enableCMT", &enableCMT)
        json.optional("enableMBM", &enableMBM)
        json.optional("enableMonitoring", &enableMonitoring)
    }
}

/// NUMA memory policy, see set_mempolicy(2).
public struct LinuxMemoryPolicy: JSONRecord {
    /// Such as `MPOL_BIND`.
    public var mode = ""
    /// A list such as `0-1`.
    public var nodes = ""
    public var flags: [String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("mode", &mode)
        json.always("nodes", &nodes)
        json.optional("flags", &flags)
    }
}

/// Execution domain, see personality(2).
public struct LinuxPersonality: JSONRecord {
    /// `LINUX` or `LINUX32`.
    public var domain = ""
    public var flags: [String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("domain", &domain)
        json.optional("flags", &flags)
    }
}

/// The offset of a clock in a time namespace.
public struct LinuxTimeOffset: JSONRecord {
    public var secs: Int64?
    public var nanosecs: UInt32?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(secs: Int64? = nil, nanosecs: UInt32? = nil) {
        self.secs = secs
        self.nanosecs = nanosecs
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("secs", &secs)
        json.optional("nanosecs", &nanosecs)
    }
}
