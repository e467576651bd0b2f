import JSON

/// A volume.
public struct Volume: JSONRecord {
    public var createdAt = ""
    public var driver = "local"
    public var labels: [String: String]?
    public var mountpoint = ""
    public var name = ""
    public var options: [String: String]?
    public var scope = "local"
    public var status: JSONObject?
    public var usageData: UsageData?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.omitEmpty("CreatedAt", &createdAt)
        json.always("Driver", &driver)
        json.nullable("Labels", &labels)
        json.always("Mountpoint", &mountpoint)
        json.always("Name", &name)
        json.nullable("Options", &options)
        json.always("Scope", &scope)
        json.optional("Status", &status)
        json.optional("UsageData", &usageData)
    }

    public struct UsageData: JSONRecord {
        /// How many containers use it, or -1 when not known.
        public var refCount: Int64 = -1
        /// Bytes, or -1 when not known.
        public var size: Int64 = -1
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.always("RefCount", &refCount)
            json.always("Size", &size)
        }
    }
}

/// The body of `POST /volumes/create`.
public struct VolumeCreateRequest: JSONRecord {
    /// Empty for an anonymous volume.
    public var name = ""
    public var driver = ""
    public var driverOpts: [String: String]?
    public var labels: [String: String]?
    public var unknownMembers = JSONObject()
    public init() {}
    public mutating func members(_ json: inout JSONMembers) {
        json.omitEmpty("Driver", &driver)
        json.optional("DriverOpts", &driverOpts)
        json.optional("Labels", &labels)
        json.omitEmpty("Name", &name)
    }
}

/// The answer to `GET /volumes`.
public struct VolumeList: JSONRecord {
    public var volumes: [Volume] = []
    public var warnings: [String]?
    public var unknownMembers = JSONObject()
    public init() {}
    public mutating func members(_ json: inout JSONMembers) {
        json.always("Volumes", &volumes)
        json.nullable("Warnings", &warnings)
    }
}

/// The answer to `POST /volumes/prune`.
public struct VolumePruneReport: JSONRecord {
    public var volumesDeleted: [String]?
    public var spaceReclaimed: UInt64 = 0
    public var unknownMembers = JSONObject()
    public init() {}
    public mutating func members(_ json: inout JSONMembers) {
        json.nullable("VolumesDeleted", &volumesDeleted)
        json.always("SpaceReclaimed", &spaceReclaimed)
    }
}
