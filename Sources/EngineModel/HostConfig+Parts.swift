import JSON

/// Which log driver, with its options.
public struct LogConfig: JSONRecord {
    public var type = ""
    public var config: [String: String]?
    public var unknownMembers = JSONObject()
    public init() {}
    public init(type: String, config: [String: String]) {
        self.type = type
        self.config = config
    }
    public mutating func members(_ json: inout JSONMembers) {
        json.always("Type", &type)
        json.nullable("Config", &config)
    }
}

/// When a container that ends is started again.
public struct RestartPolicy: JSONRecord {
    /// Empty, `no`, `always`, `on-failure` or `unless-stopped`.
    public var name = ""
    /// Only for `on-failure`; 0 is without end.
    public var maximumRetryCount = 0
    public var unknownMembers = JSONObject()
    public init() {}
    public init(name: String, maximumRetryCount: Int = 0) {
        self.name = name
        self.maximumRetryCount = maximumRetryCount
    }
    public mutating func members(_ json: inout JSONMembers) {
        json.always("Name", &name)
        json.always("MaximumRetryCount", &maximumRetryCount)
    }
}

/// Where a port of a container is published.
public struct PortBinding: JSONRecord {
    public var hostIP = ""
    public var hostPort = ""
    public var unknownMembers = JSONObject()
    public init() {}
    public init(hostIP: String, hostPort: String) {
        self.hostIP = hostIP
        self.hostPort = hostPort
    }
    public mutating func members(_ json: inout JSONMembers) {
        json.always("HostIp", &hostIP)
        json.always("HostPort", &hostPort)
    }
}

public struct WeightDevice: JSONRecord {
    public var path = ""
    public var weight: UInt16 = 0
    public var unknownMembers = JSONObject()
    public init() {}
    public init(path: String, weight: UInt16) {
        self.path = path
        self.weight = weight
    }
    public mutating func members(_ json: inout JSONMembers) {
        json.always("Path", &path)
        json.always("Weight", &weight)
    }
}

public struct ThrottleDevice: JSONRecord {
    public var path = ""
    public var rate: UInt64 = 0
    public var unknownMembers = JSONObject()
    public init() {}
    public init(path: String, rate: UInt64) {
        self.path = path
        self.rate = rate
    }
    public mutating func members(_ json: inout JSONMembers) {
        json.always("Path", &path)
        json.always("Rate", &rate)
    }
}

/// A device of the host in the container.
public struct DeviceMapping: JSONRecord {
    public var pathOnHost = ""
    public var pathInContainer = ""
    /// A subset of `rwm`.
    public var cgroupPermissions = ""
    public var unknownMembers = JSONObject()
    public init() {}
    public init(pathOnHost: String, pathInContainer: String, cgroupPermissions: String) {
        self.pathOnHost = pathOnHost
        self.pathInContainer = pathInContainer
        self.cgroupPermissions = cgroupPermissions
    }
    public mutating func members(_ json: inout JSONMembers) {
        json.always("PathOnHost", &pathOnHost)
        json.always("PathInContainer", &pathInContainer)
        json.always("CgroupPermissions", &cgroupPermissions)
    }
}

/// A request to a device driver, such as CDI or a GPU's.
public struct DeviceRequest: JSONRecord {
    public var driver = ""
    public var count = 0
    public var deviceIDs: [String]?
    public var capabilities: [[String]]?
    public var options: [String: String]?
    public var unknownMembers = JSONObject()
    public init() {}
    public mutating func members(_ json: inout JSONMembers) {
        json.always("Driver", &driver)
        json.always("Count", &count)
        json.nullable("DeviceIDs", &deviceIDs)
        json.nullable("Capabilities", &capabilities)
        json.nullable("Options", &options)
    }
}

public struct Ulimit: JSONRecord {
    /// As in `nofile`, without `RLIMIT_`.
    public var name = ""
    public var hard: Int64 = 0
    public var soft: Int64 = 0
    public var unknownMembers = JSONObject()
    public init() {}
    public init(name: String, soft: Int64, hard: Int64) {
        self.name = name
        self.soft = soft
        self.hard = hard
    }
    public mutating func members(_ json: inout JSONMembers) {
        json.always("Name", &name)
        json.always("Hard", &hard)
        json.always("Soft", &soft)
    }
}

/// A mount asked for by `--mount`.
public struct Mount: JSONRecord {
    /// `bind`, `volume`, `tmpfs` or `image`.
    public var type = ""
    public var source = ""
    public var target = ""
    public var readOnly = false
    public var consistency = ""
    public var bindOptions: BindOptions?
    public var volumeOptions: VolumeOptions?
    public var imageOptions: ImageOptions?
    public var tmpfsOptions: TmpfsOptions?
    public var clusterOptions: JSONObject?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.omitEmpty("Type", &type)
        json.omitEmpty("Source", &source)
        json.omitEmpty("Target", &target)
        json.omitEmpty("ReadOnly", &readOnly)
        json.omitEmpty("Consistency", &consistency)
        json.optional("BindOptions", &bindOptions)
        json.optional("VolumeOptions", &volumeOptions)
        json.optional("ImageOptions", &imageOptions)
        json.optional("TmpfsOptions", &tmpfsOptions)
        json.optional("ClusterOptions", &clusterOptions)
    }

    public struct BindOptions: JSONRecord {
        public var propagation = ""
        public var nonRecursive = false
        public var createMountpoint = false
        public var readOnlyNonRecursive = false
        public var readOnlyForceRecursive = false
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("Propagation", &propagation)
            json.omitEmpty("NonRecursive", &nonRecursive)
            json.omitEmpty("CreateMountpoint", &createMountpoint)
            json.omitEmpty("ReadOnlyNonRecursive", &readOnlyNonRecursive)
            json.omitEmpty("ReadOnlyForceRecursive", &readOnlyForceRecursive)
        }
    }

    public struct VolumeOptions: JSONRecord {
        public var noCopy = false
        public var labels: [String: String]?
        public var subpath = ""
        public var driverConfig: Driver?
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("NoCopy", &noCopy)
            json.optional("Labels", &labels)
            json.omitEmpty("Subpath", &subpath)
            json.optional("DriverConfig", &driverConfig)
        }
    }

    public struct Driver: JSONRecord {
        public var name = ""
        public var options: [String: String]?
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("Name", &name)
            json.optional("Options", &options)
        }
    }

    public struct ImageOptions: JSONRecord {
        public var subpath = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("Subpath", &subpath)
        }
    }

    public struct TmpfsOptions: JSONRecord {
        public var sizeBytes: Int64 = 0
        /// Permission bits.
        public var mode: UInt32 = 0
        /// `[["exec"], ["size", "1m"]]`.
        public var options: [[String]]?
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("SizeBytes", &sizeBytes)
            json.omitEmpty("Mode", &mode)
            json.optional("Options", &options)
        }
    }
}
