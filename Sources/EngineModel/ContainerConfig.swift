import JSON

/// The portable part of a container's configuration: what an image can also say.
public struct ContainerConfig: JSONRecord {
    public var hostname = ""
    public var domainname = ""
    /// `user`, `uid`, `user:group`, …; empty for the image's.
    public var user = ""
    public var attachStdin = false
    public var attachStdout = false
    public var attachStderr = false
    /// Keys are `80/tcp`.
    public var exposedPorts: [String: JSONObject]?
    public var tty = false
    public var openStdin = false
    public var stdinOnce = false
    /// `NAME=value`; a bare `NAME` removes the image's.
    public var env: [String]?
    public var cmd: [String]?
    public var healthcheck: HealthConfig?
    public var argsEscaped = false
    public var image = ""
    /// Keys are paths in the container that get a volume.
    public var volumes: [String: JSONObject]?
    public var workingDir = ""
    public var entrypoint: [String]?
    public var networkDisabled = false
    public var macAddress = ""
    public var onBuild: [String]?
    public var labels: [String: String]?
    public var stopSignal = ""
    /// Seconds between the stop signal and the kill.
    public var stopTimeout: Int?
    public var shell: [String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Hostname", &hostname)
        json.always("Domainname", &domainname)
        json.always("User", &user)
        json.always("AttachStdin", &attachStdin)
        json.always("AttachStdout", &attachStdout)
        json.always("AttachStderr", &attachStderr)
        json.optional("ExposedPorts", &exposedPorts)
        json.always("Tty", &tty)
        json.always("OpenStdin", &openStdin)
        json.always("StdinOnce", &stdinOnce)
        json.nullable("Env", &env)
        json.nullable("Cmd", &cmdForm)
        json.optional("Healthcheck", &healthcheck)
        json.omitEmpty("ArgsEscaped", &argsEscaped)
        json.always("Image", &image)
        json.nullable("Volumes", &volumes)
        json.always("WorkingDir", &workingDir)
        json.nullable("Entrypoint", &entrypointForm)
        json.omitEmpty("NetworkDisabled", &networkDisabled)
        json.omitEmpty("MacAddress", &macAddress)
        json.nullable("OnBuild", &onBuild)
        json.nullable("Labels", &labels)
        json.omitEmpty("StopSignal", &stopSignal)
        json.optional("StopTimeout", &stopTimeout)
        json.optional("Shell", &shellForm)
    }

    private var cmdForm: WordList? {
        get { cmd.map(WordList.init) }
        set { cmd = newValue?.words }
    }
    private var entrypointForm: WordList? {
        get { entrypoint.map(WordList.init) }
        set { entrypoint = newValue?.words }
    }
    private var shellForm: WordList? {
        get { shell.map(WordList.init) }
        set { shell = newValue?.words }
    }
}

/// A list of words that may also be written as one string.
struct WordList: JSONConvertible {
    var words: [String]

    init(_ words: [String]) { self.words = words }

    init(json: JSONValue) throws(JSONError) {
        if let word = json.string { words = [word] } else { words = try [String](json: json) }
    }

    var json: JSONValue { words.json }
}

/// How to find out whether a container works. Times are in nanoseconds; 0 inherits.
public struct HealthConfig: JSONRecord {
    /// `["NONE"]`, `["CMD", word…]` or `["CMD-SHELL", line]`; empty inherits.
    public var test: [String]?
    public var interval: Int64 = 0
    public var timeout: Int64 = 0
    public var startPeriod: Int64 = 0
    public var startInterval: Int64 = 0
    public var retries = 0
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("Test", &test)
        json.omitEmpty("Interval", &interval)
        json.omitEmpty("Timeout", &timeout)
        json.omitEmpty("StartPeriod", &startPeriod)
        json.omitEmpty("StartInterval", &startInterval)
        json.omitEmpty("Retries", &retries)
    }
}

/// The body of `POST /containers/create`.
public struct ContainerCreateRequest: JSONConvertible, Equatable {
    public var config = ContainerConfig()
    public var hostConfig: HostConfig?
    public var networkingConfig: NetworkingConfig?

    public init() {}

    public init(config: ContainerConfig, hostConfig: HostConfig?, networkingConfig: NetworkingConfig? = nil) {
        self.config = config
        self.hostConfig = hostConfig
        self.networkingConfig = networkingConfig
    }

    // The configuration's members stand beside the two others on the wire.
    public init(json: JSONValue) throws(JSONError) {
        config = try ContainerConfig(json: json)
        let rest = try Rest(json: .object(config.unknownMembers))
        hostConfig = rest.hostConfig
        networkingConfig = rest.networkingConfig
        config.unknownMembers = rest.unknownMembers
    }

    public init(parsing bytes: [UInt8]) throws(JSONError) { try self.init(json: JSONValue(parsing: bytes)) }

    public var json: JSONValue {
        var rest = Rest()
        rest.hostConfig = hostConfig
        rest.networkingConfig = networkingConfig
        guard case .object(var object) = config.json, case .object(let more) = rest.json else { return .null }
        for (name, value) in more { object[name] = value }
        return .object(object)
    }

    private struct Rest: JSONRecord {
        var hostConfig: HostConfig?
        var networkingConfig: NetworkingConfig?
        var unknownMembers = JSONObject()
        init() {}
        mutating func members(_ json: inout JSONMembers) {
            json.optional("HostConfig", &hostConfig)
            json.optional("NetworkingConfig", &networkingConfig)
        }
    }
}

/// The answer to `POST /containers/create`.
public struct ContainerCreateResponse: JSONRecord {
    public var id = ""
    public var warnings: [String] = []
    public var unknownMembers = JSONObject()

    public init() {}
    public init(id: String, warnings: [String]) {
        self.id = id
        self.warnings = warnings
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Id", &id)
        json.always("Warnings", &warnings)
    }
}
