import JSON

/// The body of `POST /containers/{id}/exec`.
public struct ExecCreateRequest: JSONRecord {
    public var user = ""
    public var privileged = false
    public var tty = false
    /// Height and width in characters.
    public var consoleSize: [Int]?
    public var attachStdin = false
    public var attachStderr = false
    public var attachStdout = false
    public var detach = false
    public var detachKeys = ""
    public var env: [String]?
    public var workingDir = ""
    public var cmd: [String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .always("User", \.user),
        .always("Privileged", \.privileged),
        .always("Tty", \.tty),
        .optional("ConsoleSize", \.consoleSize),
        .always("AttachStdin", \.attachStdin),
        .always("AttachStderr", \.attachStderr),
        .always("AttachStdout", \.attachStdout),
        .always("Detach", \.detach),
        .always("DetachKeys", \.detachKeys),
        .nullable("Env", \.env),
        .always("WorkingDir", \.workingDir),
        .nullable("Cmd", \.cmd))
}

/// The body of `POST /exec/{id}/start`.
public struct ExecStartRequest: JSONRecord {
    public var detach = false
    public var tty = false
    /// Height and width in characters.
    public var consoleSize: [Int]?
    public var unknownMembers = JSONObject()
    public init() {}
    public static let members = JSONMembers<Self>(
        .always("Detach", \.detach), .always("Tty", \.tty), .optional("ConsoleSize", \.consoleSize))
}

/// The answer to `GET /exec/{id}/json`.
public struct ExecInspect: JSONRecord {
    public var id = ""
    public var running = false
    /// `nil` until it ended.
    public var exitCode: Int?
    public var processConfig = ProcessConfig()
    public var openStdin = false
    public var openStderr = false
    public var openStdout = false
    public var canRemove = false
    public var containerID = ""
    public var detachKeys = ""
    public var pid = 0
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .always("ID", \.id),
        .always("Running", \.running),
        .nullable("ExitCode", \.exitCode),
        .always("ProcessConfig", \.processConfig),
        .always("OpenStdin", \.openStdin),
        .always("OpenStderr", \.openStderr),
        .always("OpenStdout", \.openStdout),
        .always("CanRemove", \.canRemove),
        .always("ContainerID", \.containerID),
        .always("DetachKeys", \.detachKeys),
        .always("Pid", \.pid))

    public struct ProcessConfig: JSONRecord {
        public var tty = false
        public var entrypoint = ""
        public var arguments: [String] = []
        public var privileged: Bool?
        public var user = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public static let members = JSONMembers<Self>(
            .always("tty", \.tty),
            .always("entrypoint", \.entrypoint),
            .always("arguments", \.arguments),
            .optional("privileged", \.privileged),
            .omitEmpty("user", \.user))
    }
}
