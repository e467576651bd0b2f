import JSON

/// An image in the answer to `GET /images/json`.
public struct ImageSummary: JSONRecord {
    /// How many containers use it, or -1 when not asked for.
    public var containers: Int64 = -1
    /// Seconds since 1970.
    public var created: Int64 = 0
    public var id = ""
    public var labels: [String: String]?
    public var parentID = ""
    public var descriptor: JSONValue?
    public var manifests: [JSONValue]?
    public var repoDigests: [String] = []
    public var repoTags: [String] = []
    /// Bytes in layers that other images use too, or -1 when not asked for.
    public var sharedSize: Int64 = -1
    public var size: Int64 = 0
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Containers", &containers)
        json.always("Created", &created)
        json.always("Id", &id)
        json.nullable("Labels", &labels)
        json.always("ParentId", &parentID)
        json.optional("Descriptor", &descriptor)
        json.optional("Manifests", &manifests)
        json.always("RepoDigests", &repoDigests)
        json.always("RepoTags", &repoTags)
        json.always("SharedSize", &sharedSize)
        json.always("Size", &size)
    }
}

/// The answer to `GET /images/{name}/json`.
public struct ImageInspect: JSONRecord {
    public var id = ""
    public var repoTags: [String] = []
    public var repoDigests: [String] = []
    public var parent = ""
    public var comment = ""
    public var created = ""
    public var dockerVersion = ""
    public var author = ""
    public var config: Config?
    public var architecture = ""
    public var variant = ""
    public var os = ""
    public var osVersion = ""
    public var size: Int64 = 0
    /// Only for clients before API 1.44.
    public var virtualSize: Int64 = 0
    public var graphDriver = DriverData()
    public var rootFS = RootFS()
    public var metadata = Metadata()
    public var descriptor: JSONValue?
    public var manifests: [JSONValue]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Id", &id)
        json.always("RepoTags", &repoTags)
        json.always("RepoDigests", &repoDigests)
        json.always("Parent", &parent)
        json.always("Comment", &comment)
        json.omitEmpty("Created", &created)
        json.always("DockerVersion", &dockerVersion)
        json.always("Author", &author)
        json.nullable("Config", &config)
        json.always("Architecture", &architecture)
        json.omitEmpty("Variant", &variant)
        json.always("Os", &os)
        json.omitEmpty("OsVersion", &osVersion)
        json.always("Size", &size)
        json.omitEmpty("VirtualSize", &virtualSize)
        json.always("GraphDriver", &graphDriver)
        json.always("RootFS", &rootFS)
        json.always("Metadata", &metadata)
        json.optional("Descriptor", &descriptor)
        json.optional("Manifests", &manifests)
    }

    /// What the image says of the containers made from it.
    public struct Config: JSONRecord {
        public var user = ""
        public var exposedPorts: [String: JSONObject]?
        public var env: [String]?
        public var entrypoint: [String]?
        public var cmd: [String]?
        public var volumes: [String: JSONObject]?
        public var workingDir = ""
        public var labels: [String: String]?
        public var stopSignal = ""
        public var argsEscaped = false
        public var healthcheck: HealthConfig?
        public var onBuild: [String]?
        public var shell: [String]?
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("User", &user)
            json.optional("ExposedPorts", &exposedPorts)
            json.optional("Env", &env)
            json.optional("Entrypoint", &entrypoint)
            json.optional("Cmd", &cmd)
            json.optional("Volumes", &volumes)
            json.omitEmpty("WorkingDir", &workingDir)
            json.optional("Labels", &labels)
            json.omitEmpty("StopSignal", &stopSignal)
            json.omitEmpty("ArgsEscaped", &argsEscaped)
            json.optional("Healthcheck", &healthcheck)
            json.optional("OnBuild", &onBuild)
            json.optional("Shell", &shell)
        }
    }

    public struct RootFS: JSONRecord {
        public var type = "layers"
        /// Diff IDs, the lowest layer first.
        public var layers: [String]?
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("Type", &type)
            json.optional("Layers", &layers)
        }
    }

    public struct Metadata: JSONRecord {
        public var lastTagTime = Timestamp.zero.description
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.always("LastTagTime", &lastTagTime)
        }
    }
}

/// A step in the answer to `GET /images/{name}/history`, the newest first.
public struct ImageHistoryItem: JSONRecord {
    public var comment = ""
    /// Seconds since 1970.
    public var created: Int64 = 0
    public var createdBy = ""
    /// `<missing>` where no image of its own stands for the step.
    public var id = ""
    public var size: Int64 = 0
    public var tags: [String]?
    public var unknownMembers = JSONObject()
    public init() {}
    public mutating func members(_ json: inout JSONMembers) {
        json.always("Comment", &comment)
        json.always("Created", &created)
        json.always("CreatedBy", &createdBy)
        json.always("Id", &id)
        json.always("Size", &size)
        json.nullable("Tags", &tags)
    }
}

/// One thing that removing an image did.
public struct ImageDeleteItem: JSONRecord {
    public var deleted = ""
    public var untagged = ""
    public var unknownMembers = JSONObject()
    public init() {}
    public static func deleted(_ id: String) -> Self {
        var item = Self()
        item.deleted = id
        return item
    }
    public static func untagged(_ reference: String) -> Self {
        var item = Self()
        item.untagged = reference
        return item
    }
    public mutating func members(_ json: inout JSONMembers) {
        json.omitEmpty("Deleted", &deleted)
        json.omitEmpty("Untagged", &untagged)
    }
}

/// The answer to `POST /images/prune`.
public struct ImagePruneReport: JSONRecord {
    public var imagesDeleted: [ImageDeleteItem]?
    public var spaceReclaimed: UInt64 = 0
    public var unknownMembers = JSONObject()
    public init() {}
    public mutating func members(_ json: inout JSONMembers) {
        json.nullable("ImagesDeleted", &imagesDeleted)
        json.always("SpaceReclaimed", &spaceReclaimed)
    }
}
