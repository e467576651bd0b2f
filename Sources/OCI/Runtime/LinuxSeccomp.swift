import JSON

/// A seccomp filter.
public struct LinuxSeccomp: JSONRecord {
    /// Such as `SCMP_ACT_ERRNO`.
    public var defaultAction = ""
    public var defaultErrnoRet: UInt32?
    /// Such as `SCMP_ARCH_X86_64`.
    public var architectures: [String]?
    /// Such as `SECCOMP_FILTER_FLAG_LOG`.
    public var flags: [String]?
    /// A socket that receives the notification descriptor.
    public var listenerPath: String?
    public var listenerMetadata: String?
    public var syscalls: [LinuxSyscall]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("defaultAction", &defaultAction)
        json.optional("defaultErrnoRet", &defaultErrnoRet)
        json.optional("architectures", &architectures)
        json.optional("flags", &flags)
        json.optional("listenerPath", &listenerPath)
        json.optional("listenerMetadata", &listenerMetadata)
        json.optional("syscalls", &syscalls)
    }
}

/// What to do for some system calls.
public struct LinuxSyscall: JSONRecord {
    public var names: [String] = []
    public var action = ""
    public var errnoRet: UInt32?
    /// All must hold.
    public var args: [LinuxSeccompArg]?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(names: [String], action: String, errnoRet: UInt32? = nil, args: [LinuxSeccompArg]? = nil) {
        self.names = names
        self.action = action
        self.errnoRet = errnoRet
        self.args = args
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("names", &names)
        json.always("action", &action)
        json.optional("errnoRet", &errnoRet)
        json.optional("args", &args)
    }
}

/// A condition on an argument of a system call.
public struct LinuxSeccompArg: JSONRecord {
    /// 0 to 5.
    public var index: UInt32 = 0
    public var value: UInt64 = 0
    /// The value compared with, when `op` is `SCMP_CMP_MASKED_EQ` (`value` is the mask).
    public var valueTwo: UInt64?
    /// Such as `SCMP_CMP_EQ`.
    public var op = ""
    public var unknownMembers = JSONObject()

    public init() {}

    public init(index: UInt32, value: UInt64, valueTwo: UInt64? = nil, op: String) {
        self.index = index
        self.value = value
        self.valueTwo = valueTwo
        self.op = op
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("index", &index)
        json.always("value", &value)
        json.optional("valueTwo", &valueTwo)
        json.always("op", &op)
    }
}
