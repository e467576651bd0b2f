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

    public static let members = JSONMembers<Self>(
        .always("ociVersion", \.ociVersion),
        .always("id", \.id),
        .always("status", \.status),
        .optional("pid", \.pid),
        .always("bundle", \.bundle),
        .optional("annotations", \.annotations))
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

    public static let members = JSONMembers<Self>(
        .always("ociVersion", \.ociVersion),
        .always("fds", \.fds),
        .always("pid", \.pid),
        .optional("metadata", \.metadata),
        .always("state", \.state))
}
