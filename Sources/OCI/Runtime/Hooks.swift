import JSON

/// Programs that are run at points of a container's life.
public struct Hooks: JSONRecord {
    /// In the runtime's namespaces, after the container's exist and before `pivot_root`. Deprecated for `createRuntime`.
    public var prestart: [Hook]?
    /// In the runtime's namespaces, after the container's exist and before `pivot_root`.
    public var createRuntime: [Hook]?
    /// In the container's namespaces, before `pivot_root`.
    public var createContainer: [Hook]?
    /// In the container, before the user's process is executed.
    public var startContainer: [Hook]?
    /// In the runtime's namespaces, after the user's process started.
    public var poststart: [Hook]?
    /// In the runtime's namespaces, after the container was deleted.
    public var poststop: [Hook]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("prestart", &prestart)
        json.optional("createRuntime", &createRuntime)
        json.optional("createContainer", &createContainer)
        json.optional("startContainer", &startContainer)
        json.optional("poststart", &poststart)
        json.optional("poststop", &poststop)
    }
}

/// One program to run.
public struct Hook: JSONRecord {
    /// An absolute path, in the runtime's or the container's root as the kind of hook demands.
    public var path = ""
    /// Including argument 0; empty means the path alone.
    public var args: [String]?
    public var env: [String]?
    /// Seconds after which the hook is killed and failed.
    public var timeout: Int?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(path: String, args: [String]? = nil, env: [String]? = nil, timeout: Int? = nil) {
        self.path = path
        self.args = args
        self.env = env
        self.timeout = timeout
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.required("path", &path)
        json.optional("args", &args)
        json.optional("env", &env)
        json.optional("timeout", &timeout)
    }
}
