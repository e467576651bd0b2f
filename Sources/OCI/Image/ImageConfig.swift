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

    public static let members = JSONMembers<Self>(
        .optional("id", \.id),
        .optional("parent", \.parent),
        .always("architecture", \.architecture),
        .optional("variant", \.variant),
        .optional("author", \.author),
        .optional("comment", \.comment),
        .optional("config", \.config),
        .optional("container", \.container),
        .optional("container_config", \.containerConfig),
        .optional("created", \.created),
        .optional("docker_version", \.dockerVersion),
        .optional("history", \.history),
        .always("os", \.os),
        .optional("os.version", \.osVersion),
        .optional("os.features", \.osFeatures),
        .always("rootfs", \.rootfs))

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

        public static let members = JSONMembers<Self>(
            .optional("created", \.created),
            .optional("created_by", \.createdBy),
            .optional("author", \.author),
            .optional("comment", \.comment),
            .optional("empty_layer", \.emptyLayer))
    }

    /// The layers by the digest of their uncompressed tar, lowest first.
    public struct RootFS: JSONRecord {
        public var type = "layers"
        public var diffIDs: [Digest]?
        public var unknownMembers = JSONObject()

        public init() {}

        public init(diffIDs: [Digest]) { self.diffIDs = diffIDs }

        public static let members = JSONMembers<Self>(
            .always("type", \.type),
            .optional("diff_ids", \.diffIDs))
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

    public static let members = JSONMembers<Self>(
        .optional("Hostname", \.hostname),
        .optional("Domainname", \.domainname),
        .optional("User", \.user),
        .optional("AttachStdin", \.attachStdin),
        .optional("AttachStdout", \.attachStdout),
        .optional("AttachStderr", \.attachStderr),
        .optional("ExposedPorts", \.exposedPorts),
        .optional("Tty", \.tty),
        .optional("OpenStdin", \.openStdin),
        .optional("StdinOnce", \.stdinOnce),
        .optional("Env", \.env),
        .optional("Cmd", \.cmd),
        .optional("Healthcheck", \.healthcheck),
        .optional("ArgsEscaped", \.argsEscaped),
        .optional("Image", \.image),
        .optional("Volumes", \.volumes),
        .optional("WorkingDir", \.workingDir),
        .optional("Entrypoint", \.entrypoint),
        .optional("NetworkDisabled", \.networkDisabled),
        .optional("MacAddress", \.macAddress),
        .optional("OnBuild", \.onBuild),
        .optional("Labels", \.labels),
        .optional("StopSignal", \.stopSignal),
        .optional("StopTimeout", \.stopTimeout),
        .optional("Shell", \.shell))

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

        public static let members = JSONMembers<Self>(
            .optional("Test", \.test),
            .optional("Interval", \.interval),
            .optional("Timeout", \.timeout),
            .optional("StartPeriod", \.startPeriod),
            .optional("StartInterval", \.startInterval),
            .optional("Retries", \.retries))
    }
}
