import JSON

/// An image's configuration (config.md), with the fields that Docker adds.
///
/// An image's ID is the digest of the bytes of this document, so those bytes are kept as they came; this type reads
/// them.
public struct ImageConfig: JSONRecord {
    /// RFC 3339.
    public var created: String?
    public var author: String?
    public var architecture = ""
    public var variant: String?
    public var os = ""
    public var osVersion: String?
    public var osFeatures: [String]?
    public var config: ImageRunConfig?
    public var rootfs = RootFS()
    public var history: [HistoryEntry]?
    // Docker's own.
    public var comment: String?
    public var container: String?
    public var containerConfig: ImageRunConfig?
    public var dockerVersion: String?
    public var parent: String?
    public var id: String?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("id", &id)
        json.optional("parent", &parent)
        json.always("architecture", &architecture)
        json.optional("variant", &variant)
        json.optional("author", &author)
        json.optional("comment", &comment)
        json.optional("config", &config)
        json.optional("container", &container)
        json.optional("container_config", &containerConfig)
        json.optional("created", &created)
        json.optional("docker_version", &dockerVersion)
        json.optional("history", &history)
        json.always("os", &os)
        json.optional("os.version", &osVersion)
        json.optional("os.features", &osFeatures)
        json.always("rootfs", &rootfs)
    }

    /// The platform that the image is for, normalised.
    public var platform: Platform {
        var platform = Platform(os: os, architecture: architecture, variant: variant)
        platform.osVersion = osVersion
        platform.osFeatures = osFeatures
        return platform.normalized
    }

    /// One step of how an image was made.
    public struct HistoryEntry: JSONRecord {
        public var created: String?
        public var createdBy: String?
        public var author: String?
        public var comment: String?
        /// Whether the step made no layer.
        public var emptyLayer: Bool?
        public var unknownMembers = JSONObject()

        public init() {}

        public mutating func members(_ json: inout JSONMembers) {
            json.optional("created", &created)
            json.optional("created_by", &createdBy)
            json.optional("author", &author)
            json.optional("comment", &comment)
            json.optional("empty_layer", &emptyLayer)
        }
    }

    /// The layers by the digest of their uncompressed tar, lowest first.
    public struct RootFS: JSONRecord {
        public var type = "layers"
        public var diffIDs: [Digest]?
        public var unknownMembers = JSONObject()

        public init() {}

        public init(diffIDs: [Digest]) { self.diffIDs = diffIDs }

        public mutating func members(_ json: inout JSONMembers) {
            json.always("type", &type)
            json.optional("diff_ids", &diffIDs)
        }
    }
}

/// What a container made from an image starts with: the `config` member of an image's configuration.
public struct ImageRunConfig: JSONRecord {
    public var hostname: String?
    public var domainname: String?
    public var user: String?
    public var attachStdin: Bool?
    public var attachStdout: Bool?
    public var attachStderr: Bool?
    /// `80/tcp` and the like.
    public var exposedPorts: [String: JSONObject]?
    public var tty: Bool?
    public var openStdin: Bool?
    public var stdinOnce: Bool?
    public var env: [String]?
    public var cmd: [String]?
    public var healthcheck: Healthcheck?
    public var argsEscaped: Bool?
    public var image: String?
    public var volumes: [String: JSONObject]?
    public var workingDir: String?
    public var entrypoint: [String]?
    public var networkDisabled: Bool?
    public var macAddress: String?
    public var onBuild: [String]?
    public var labels: [String: String]?
    public var stopSignal: String?
    /// In seconds.
    public var stopTimeout: Int?
    public var shell: [String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("Hostname", &hostname)
        json.optional("Domainname", &domainname)
        json.optional("User", &user)
        json.optional("AttachStdin", &attachStdin)
        json.optional("AttachStdout", &attachStdout)
        json.optional("AttachStderr", &attachStderr)
        json.optional("ExposedPorts", &exposedPorts)
        json.optional("Tty", &tty)
        json.optional("OpenStdin", &openStdin)
        json.optional("StdinOnce", &stdinOnce)
        json.optional("Env", &env)
        json.optional("Cmd", &cmd)
        json.optional("Healthcheck", &healthcheck)
        json.optional("ArgsEscaped", &argsEscaped)
        json.optional("Image", &image)
        json.optional("Volumes", &volumes)
        json.optional("WorkingDir", &workingDir)
        json.optional("Entrypoint", &entrypoint)
        json.optional("NetworkDisabled", &networkDisabled)
        json.optional("MacAddress", &macAddress)
        json.optional("OnBuild", &onBuild)
        json.optional("Labels", &labels)
        json.optional("StopSignal", &stopSignal)
        json.optional("StopTimeout", &stopTimeout)
        json.optional("Shell", &shell)
    }

    /// Docker's health check. Durations are in nanoseconds.
    public struct Healthcheck: JSONRecord {
        /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", command]`; empty or missing inherits.
        public var test: [String]?
        public var interval: Int64?
        public var timeout: Int64?
        public var startPeriod: Int64?
        public var startInterval: Int64?
        public var retries: Int?
        public var unknownMembers = JSONObject()

        public init() {}

        public mutating func members(_ json: inout JSONMembers) {
            json.optional("Test", &test)
            json.optional("Interval", &interval)
            json.optional("Timeout", &timeout)
            json.optional("StartPeriod", &startPeriod)
            json.optional("StartInterval", &startInterval)
            json.optional("Retries", &retries)
        }
    }
}
