import JSON

/// What a monitor tells, unasked, on every subscribed connection.
public enum MonitorEvent: Sendable, Equatable {
    /// The container's process is in its own network namespace, which may be furnished while the rest is made. Not
    /// told where networks have to wait for `created`.
    case cloned(processID: Int32, monitorProcessID: Int32)
    /// The container exists: namespaces, cgroup and mounts are made, its program waits for `start`.
    case created(processID: Int32)
    /// The container could not be created; nothing of it is left, and the monitor leaves.
    case failed(MonitorError)
    /// The init ended; its exit record is on disk, its output is in the log. The last event but `lost`.
    case exited(ExitRecord)
    /// The kernel killed a process of the container for want of memory.
    case outOfMemory
    case execExited(execID: String, exitCode: Int32)
    /// The connection ended: the monitor left (after `exited` or `failed`), or was killed. Nothing comes after it.
    case lost
}

/// What a monitor knows of its container, as `state` and `subscribe` answer it.
public struct MonitorState: JSONRecord {
    public enum Status: String, JSONConvertible {
        case creating, created, running, paused, stopped
    }

    public struct ExecState: JSONRecord {
        public var execID = ""
        /// The program's process ID in the host's namespace; 0 once it ended.
        public var processID: Int32 = 0
        /// `nil` while it runs.
        public var exitCode: Int32?

        public var unknownMembers = JSONObject()
        public init() {}

        public mutating func members(_ json: inout JSONMembers) {
            json.required("execID", &execID)
            json.omitEmpty("processID", &processID)
            json.optional("exitCode", &exitCode)
        }
    }

    public var id = ""
    public var status = Status.creating
    /// The init's process ID in the host's namespace.
    public var processID: Int32 = 0
    public var monitorProcessID: Int32 = 0
    /// Nanoseconds since 1970 in UTC; 0: not yet.
    public var startedAt: Int64 = 0
    public var oomKilled = false
    /// Running execs, and the latest that ended.
    public var execs: [ExecState] = []
    public var exit: ExitRecord?

    public var unknownMembers = JSONObject()
    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.required("id", &id)
        json.required("status", &status)
        json.omitEmpty("processID", &processID)
        json.omitEmpty("monitorProcessID", &monitorProcessID)
        json.omitEmpty("startedAt", &startedAt)
        json.omitEmpty("oomKilled", &oomKilled)
        json.omitEmpty("execs", &execs)
        json.optional("exit", &exit)
    }
}
