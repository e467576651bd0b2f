import JSON

/// Something that happened, as `GET /events` streams it.
public struct EventMessage: JSONRecord {
    // The first three repeat the rest for clients from before API 1.22; Docker still sends them.
    public var status = ""
    public var id = ""
    public var from = ""
    /// `container`, `image`, `volume`, `network`, `daemon`, …
    public var type = ""
    /// As in `start`, `die`, `health_status: healthy`, `exec_create: ls -l`.
    public var action = ""
    public var actor = Actor()
    public var scope = "local"
    /// Seconds since 1970.
    public var time: Int64 = 0
    /// Nanoseconds since 1970.
    public var timeNano: Int64 = 0
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.omitEmpty("status", &status)
        json.omitEmpty("id", &id)
        json.omitEmpty("from", &from)
        json.always("Type", &type)
        json.always("Action", &action)
        json.always("Actor", &actor)
        json.omitEmpty("scope", &scope)
        json.omitEmpty("time", &time)
        json.omitEmpty("timeNano", &timeNano)
    }

    public struct Actor: JSONRecord {
        public var id = ""
        public var attributes: [String: String] = [:]
        public var unknownMembers = JSONObject()
        public init() {}
        public init(id: String, attributes: [String: String]) {
            self.id = id
            self.attributes = attributes
        }
        public mutating func members(_ json: inout JSONMembers) {
            json.always("ID", &id)
            json.always("Attributes", &attributes)
        }
    }
}

/// The answer to `GET /system/df`.
public struct DiskUsage: JSONRecord {
    public var layersSize: Int64 = 0
    public var images: [ImageSummary]?
    public var containers: [ContainerSummary]?
    public var volumes: [Volume]?
    public var buildCache: [JSONValue]?
    public var unknownMembers = JSONObject()
    public init() {}
    public mutating func members(_ json: inout JSONMembers) {
        json.always("LayersSize", &layersSize)
        json.nullable("Images", &images)
        json.nullable("Containers", &containers)
        json.nullable("Volumes", &volumes)
        json.nullable("BuildCache", &buildCache)
    }
}
