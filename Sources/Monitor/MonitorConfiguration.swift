import JSON

/// What a monitor needs to know beyond the container's OCI specification: `monitor.json`.
public struct MonitorConfiguration: JSONRecord {
    /// The container's identifier: names its cgroup, its journal fields and its log tags.
    public var id = ""
    /// The container's name without a leading slash; for log tags and journal fields.
    public var name = ""
    /// The image's reference and identifier; for log tags and journal fields.
    public var imageName = ""
    public var imageID = ""
    /// How the root file system is mounted inside the container's mount namespace; `nil`: the specification's
    /// `root.path` is used as it is.
    public var rootMount: RootMount?
    /// Whether the container's standard input stays open without a client attached.
    public var openStdin = false
    /// Whether standard input is closed when the first client that was attached to it leaves.
    public var stdinOnce = false
    /// The terminal's first size, in characters; 0: the kernel's default.
    public var consoleWidth: UInt16 = 0
    public var consoleHeight: UInt16 = 0
    public var log = LogConfiguration()
    /// `cgroupfs` or `systemd`.
    public var cgroupDriver = "cgroupfs"
    /// Everything `inspect` or a log tag may want of the container: labels (also used by the log's `labels` option).
    public var labels: [String: String] = [:]
    /// How long after the init's exit its output is read on while descendants hold the pipes open, in milliseconds.
    public var drainMilliseconds: Int = 2_000

    public var unknownMembers = JSONObject()
    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.required("id", &id)
        json.omitEmpty("name", &name)
        json.omitEmpty("imageName", &imageName)
        json.omitEmpty("imageID", &imageID)
        json.optional("rootMount", &rootMount)
        json.omitEmpty("openStdin", &openStdin)
        json.omitEmpty("stdinOnce", &stdinOnce)
        json.omitEmpty("consoleWidth", &consoleWidth)
        json.omitEmpty("consoleHeight", &consoleHeight)
        json.always("log", &log)
        json.always("cgroupDriver", &cgroupDriver)
        json.omitEmpty("labels", &labels)
        json.always("drainMilliseconds", &drainMilliseconds)
    }
}
