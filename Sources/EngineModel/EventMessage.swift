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

    public static let members = JSONMembers<Self>(
        .omitEmpty("status", \.status),
        .omitEmpty("id", \.id),
        .omitEmpty("from", \.from),
        .always("Type", \.type),
        .always("Action", \.action),
        .always("Actor", \.actor),
        .omitEmpty("scope", \.scope),
        .omitEmpty("time", \.time),
        .omitEmpty("timeNano", \.timeNano))

    public struct Actor: JSONRecord {
        public var id = ""
        public var attributes: [String: String] = [:]
        public var unknownMembers = JSONObject()
        public init() {}
        public init(id: String, attributes: [String: String]) {
            self.id = id
            self.attributes = attributes
        }
        public static let members = JSONMembers<Self>(.always("ID", \.id), .always("Attributes", \.attributes))
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
    public static let members = JSONMembers<Self>(
        .always("LayersSize", \.layersSize),
        .nullable("Images", \.images),
        .nullable("Containers", \.containers),
        .nullable("Volumes", \.volumes),
        .nullable("BuildCache", \.buildCache))
}
