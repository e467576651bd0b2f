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

    public mutating func members(_ json: inout JSONMembers) {
        json.always("User", &user)
        json.always("Privileged", &privileged)
        json.always("Tty", &tty)
        json.optional("ConsoleSize", &consoleSize)
        json.always("AttachStdin", &attachStdin)
        json.always("AttachStderr", &attachStderr)
        json.always("AttachStdout", &attachStdout)
        json.always("Detach", &detach)
        json.always("DetachKeys", &detachKeys)
        json.nullable("Env", &env)
        json.always("WorkingDir", &workingDir)
        json.nullable("Cmd", &cmd)
    }
}

/// The body of `POST /exec/{id}/start`.
public struct ExecStartRequest: JSONRecord {
    public var detach = false
    public var tty = false
    /// Height and width in characters.
    public var consoleSize: [Int]?
    public var unknownMembers = JSONObject()
    public init() {}
    public mutating func members(_ json: inout JSONMembers) {
        json.always("Detach", &detach)
        json.always("Tty", &tty)
        json.optional("ConsoleSize", &consoleSize)
    }
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

    public mutating func members(_ json: inout JSONMembers) {
        json.always("ID", &id)
        json.always("Running", &running)
        json.nullable("ExitCode", &exitCode)
        json.always("ProcessConfig", &processConfig)
        json.always("OpenStdin", &openStdin)
        json.always("OpenStderr", &openStderr)
        json.always("OpenStdout", &openStdout)
        json.always("CanRemove", &canRemove)
        json.always("ContainerID", &containerID)
        json.always("DetachKeys", &detachKeys)
        json.always("Pid", &pid)
    }

    public struct ProcessConfig: JSONRecord {
        public var tty = false
        public var entrypoint = ""
        public var arguments: [String] = []
        public var privileged: Bool?
        public var user = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.always("tty", &tty)
            json.always("entrypoint", &entrypoint)
            json.always("arguments", &arguments)
            json.optional("privileged", &privileged)
            json.omitEmpty("user", &user)
        }
    }
}
