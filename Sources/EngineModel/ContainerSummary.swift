import JSON

/// A container in the answer to `GET /containers/json`.
public struct ContainerSummary: JSONRecord {
    public var id = ""
    /// With leading slashes.
    public var names: [String] = []
    public var image = ""
    public var imageID = ""
    public var imageManifestDescriptor: JSONValue?
    public var command = ""
    /// Seconds since 1970.
    public var created: Int64 = 0
    public var ports: [Port] = []
    public var sizeRw: Int64 = 0
    public var sizeRootFs: Int64 = 0
    public var labels: [String: String]? = [:]
    public var state = ""
    /// For people, as in `Up 2 hours (healthy)`.
    public var status = ""
    public var hostConfig = HostPart()
    public var networkSettings: NetworkPart?
    public var mounts: [MountPoint] = []
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Id", &id)
        json.always("Names", &names)
        json.always("Image", &image)
        json.always("ImageID", &imageID)
        json.optional("ImageManifestDescriptor", &imageManifestDescriptor)
        json.always("Command", &command)
        json.always("Created", &created)
        json.always("Ports", &ports)
        json.omitEmpty("SizeRw", &sizeRw)
        json.omitEmpty("SizeRootFs", &sizeRootFs)
        json.nullable("Labels", &labels)
        json.always("State", &state)
        json.always("Status", &status)
        json.always("HostConfig", &hostConfig)
        json.nullable("NetworkSettings", &networkSettings)
        json.always("Mounts", &mounts)
    }

    public struct Port: JSONRecord {
        public var ip = ""
        public var privatePort: UInt16 = 0
        public var publicPort: UInt16 = 0
        public var type = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("IP", &ip)
            json.always("PrivatePort", &privatePort)
            json.omitEmpty("PublicPort", &publicPort)
            json.always("Type", &type)
        }
    }

    public struct HostPart: JSONRecord {
        public var networkMode = ""
        public var annotations: [String: String]?
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("NetworkMode", &networkMode)
            json.optional("Annotations", &annotations)
        }
    }

    public struct NetworkPart: JSONRecord {
        public var networks: [String: EndpointSettings]? = [:]
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.nullable("Networks", &networks)
        }
    }
}

/// The answer to `GET /containers/{id}/top`.
public struct ContainerTop: JSONRecord {
    public var processes: [[String]] = []
    public var titles: [String] = []
    public var unknownMembers = JSONObject()
    public init() {}
    public init(titles: [String], processes: [[String]]) {
        self.titles = titles
        self.processes = processes
    }
    public mutating func members(_ json: inout JSONMembers) {
        json.always("Processes", &processes)
        json.always("Titles", &titles)
    }
}

/// The answer to `POST /containers/{id}/wait`.
public struct ContainerWaitResponse: JSONRecord {
    public var error: Failure?
    public var statusCode: Int64 = 0
    public var unknownMembers = JSONObject()
    public init() {}
    public init(statusCode: Int64, error: String? = nil) {
        self.statusCode = statusCode
        self.error = error.map(Failure.init(message:))
    }
    public mutating func members(_ json: inout JSONMembers) {
        json.optional("Error", &error)
        json.always("StatusCode", &statusCode)
    }

    public struct Failure: JSONRecord {
        public var message = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public init(message: String) { self.message = message }
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("Message", &message)
        }
    }
}

/// The answer to `POST /containers/prune`.
public struct ContainerPruneReport: JSONRecord {
    public var containersDeleted: [String]?
    public var spaceReclaimed: UInt64 = 0
    public var unknownMembers = JSONObject()
    public init() {}
    public mutating func members(_ json: inout JSONMembers) {
        json.nullable("ContainersDeleted", &containersDeleted)
        json.always("SpaceReclaimed", &spaceReclaimed)
    }
}

/// One difference between a container's root file system and its image's.
public struct FilesystemChange: JSONRecord {
    public enum Kind: UInt8, Sendable {
        case modified = 0
        case added = 1
        case deleted = 2
    }

    public var path = ""
    /// A `Kind`'s raw value.
    public var kind: UInt8 = 0
    public var unknownMembers = JSONObject()
    public init() {}
    public init(path: String, kind: Kind) {
        self.path = path
        self.kind = kind.rawValue
    }
    public mutating func members(_ json: inout JSONMembers) {
        json.always("Kind", &kind)
        json.always("Path", &path)
    }
}

/// What a path in a container is; sent base64-encoded in the header `X-Docker-Container-Path-Stat`.
public struct ContainerPathStat: JSONRecord {
    public var name = ""
    public var size: Int64 = 0
    /// Go's `os.FileMode`: permission bits, with the kind in the high bits.
    public var mode: UInt32 = 0
    public var mtime = ""
    public var linkTarget = ""
    public var unknownMembers = JSONObject()
    public init() {}
    public mutating func members(_ json: inout JSONMembers) {
        json.always("name", &name)
        json.always("size", &size)
        json.always("mode", &mode)
        json.always("mtime", &mtime)
        json.always("linkTarget", &linkTarget)
    }
}
