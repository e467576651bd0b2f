import JSON

/// The state of a container (runtime.md, State): what `state` prints and hooks read.
public struct RuntimeState: JSONRecord {
    public var ociVersion = ""
    public var id = ""
    /// `creating`, `created`, `running` or `stopped`; `paused` as an extension.
    public var status = ""
    /// Of the container's process, in the runtime's pid namespace.
    public var pid: Int?
    /// Absolute.
    public var bundle = ""
    public var annotations: [String: String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(
        ociVersion: String, id: String, status: String, pid: Int? = nil, bundle: String,
        annotations: [String: String]? = nil
    ) {
        self.ociVersion = ociVersion
        self.id = id
        self.status = status
        self.pid = pid
        self.bundle = bundle
        self.annotations = annotations
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("ociVersion", &ociVersion)
        json.always("id", &id)
        json.always("status", &status)
        json.optional("pid", &pid)
        json.always("bundle", &bundle)
        json.optional("annotations", &annotations)
    }
}

/// What goes with a seccomp notification descriptor.
public struct ContainerProcessState: JSONRecord {
    public var ociVersion = ""
    public var fds: [String] = []
    public var pid: Int = 0
    public var metadata: String?
    public var state: RuntimeState = RuntimeState()
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("ociVersion", &ociVersion)
        json.always("fds", &fds)
        json.always("pid", &pid)
        json.optional("metadata", &metadata)
        json.always("state", &state)
    }
}
