import JSON

/// The process of a container.
public struct Process: JSONRecord {
    public var terminal: Bool?
    public var consoleSize: Box?
    public var user: User = User()
    public var args: [String]?
    /// Windows only.
    public var commandLine: String?
    /// `NAME=value` each.
    public var env: [String]?
    /// Absolute.
    public var cwd = ""
    public var capabilities: LinuxCapabilities?
    public var rlimits: [POSIXRlimit]?
    public var noNewPrivileges: Bool?
    public var apparmorProfile: String?
    /// -1000 to 1000.
    public var oomScoreAdj: Int?
    public var scheduler: Scheduler?
    public var selinuxLabel: String?
    public var ioPriority: LinuxIOPriority?
    public var execCPUAffinity: CPUAffinity?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("terminal", &terminal)
        json.optional("consoleSize", &consoleSize)
        json.always("user", &user)
        json.optional("args", &args)
        json.optional("commandLine", &commandLine)
        json.optional("env", &env)
        json.always("cwd", &cwd)
        json.optional("capabilities", &capabilities)
        json.optional("rlimits", &rlimits)
        json.optional("noNewPrivileges", &noNewPrivileges)
        json.optional("apparmorProfile", &apparmorProfile)
        json.optional("oomScoreAdj", &oomScoreAdj)
        json.optional("scheduler", &scheduler)
        json.optional("selinuxLabel", &selinuxLabel)
        json.optional("ioPriority", &ioPriority)
        json.optional("execCPUAffinity", &execCPUAffinity)
    }
}

/// The size of a terminal in characters.
public struct Box: JSONRecord {
    public var height: UInt32 = 0
    public var width: UInt32 = 0
    public var unknownMembers = JSONObject()

    public init() {}

    public init(height: UInt32, width: UInt32) {
        self.height = height
        self.width = width
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("height", &height)
        json.always("width", &width)
    }
}

/// Who the process runs as, inside the container.
public struct User: JSONRecord {
    public var uid: UInt32 = 0
    public var gid: UInt32 = 0
    public var umask: UInt32?
    public var additionalGids: [UInt32]?
    /// Windows only.
    public var username: String?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(uid: UInt32, gid: UInt32, umask: UInt32? = nil, additionalGids: [UInt32]? = nil) {
        self.uid = uid
        self.gid = gid
        self.umask = umask
        self.additionalGids = additionalGids
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("uid", &uid)
        json.always("gid", &gid)
        json.optional("umask", &umask)
        json.optional("additionalGids", &additionalGids)
        json.optional("username", &username)
    }
}

/// The five capability sets, as names such as `CAP_CHOWN`.
public struct LinuxCapabilities: JSONRecord {
    public var bounding: [String]?
    public var effective: [String]?
    public var inheritable: [String]?
    public var permitted: [String]?
    public var ambient: [String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(
        bounding: [String]? = nil, effective: [String]? = nil, inheritable: [String]? = nil, permitted: [String]? = nil,
        ambient: [String]? = nil
    ) {
        self.bounding = bounding
        self.effective = effective
        self.inheritable = inheritable
        self.permitted = permitted
        self.ambient = ambient
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("bounding", &bounding)
        json.optional("effective", &effective)
        json.optional("inheritable", &inheritable)
        json.optional("permitted", &permitted)
        json.optional("ambient", &ambient)
    }
}

/// A resource limit.
public struct POSIXRlimit: JSONRecord {
    /// Such as `RLIMIT_NOFILE`.
    public var type = ""
    public var hard: UInt64 = 0
    public var soft: UInt64 = 0
    public var unknownMembers = JSONObject()

    public init() {}

    public init(type: String, hard: UInt64, soft: UInt64) {
        self.type = type
        self.hard = hard
        self.soft = soft
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("type", &type)
        json.always("hard", &hard)
        json.always("soft", &soft)
    }
}

/// Scheduling attributes, see sched_setattr(2).
public struct Scheduler: JSONRecord {
    /// Such as `SCHED_BATCH`.
    public var policy = ""
    public var nice: Int32?
    public var priority: Int32?
    /// Such as `SCHED_FLAG_RESET_ON_FORK`.
    public var flags: [String]?
    /// Nanoseconds.
    public var runtime: UInt64?
    /// Nanoseconds.
    public var deadline: UInt64?
    /// Nanoseconds.
    public var period: UInt64?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("policy", &policy)
        json.optional("nice", &nice)
        json.optional("priority", &priority)
        json.optional("flags", &flags)
        json.optional("runtime", &runtime)
        json.optional("deadline", &deadline)
        json.optional("period", &period)
    }
}

/// I/O priority, see ioprio_set(2).
public struct LinuxIOPriority: JSONRecord {
    /// `IOPRIO_CLASS_RT`, `_BE` or `_IDLE`.
    public var `class` = ""
    /// 0 (highest) to 7.
    public var priority: Int = 0
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("class", &`class`)
        json.always("priority", &priority)
    }
}

/// Which processors an exec'd process may use: before it enters the container's cgroup and after.
public struct CPUAffinity: JSONRecord {
    /// A list such as `0-3,7`.
    public var initial: String?
    /// A list such as `0-3,7`.
    public var final: String?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("initial", &initial)
        json.optional("final", &final)
    }
}
