import JSON

/// What a runtime can do (features.md).
public struct RuntimeFeatures: JSONRecord {
    public var ociVersionMin = ""
    public var ociVersionMax = ""
    public var hooks: [String]?
    public var mountOptions: [String]?
    public var linux: LinuxFeatures?
    public var annotations: [String: String]?
    public var potentiallyUnsafeConfigAnnotations: [String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("ociVersionMin", &ociVersionMin)
        json.always("ociVersionMax", &ociVersionMax)
        json.optional("hooks", &hooks)
        json.optional("mountOptions", &mountOptions)
        json.optional("linux", &linux)
        json.optional("annotations", &annotations)
        json.optional("potentiallyUnsafeConfigAnnotations", &potentiallyUnsafeConfigAnnotations)
    }
}

/// What a runtime can do on Linux.
public struct LinuxFeatures: JSONRecord {
    public var namespaces: [String]?
    public var capabilities: [String]?
    public var cgroup: CgroupFeatures?
    public var seccomp: SeccompFeatures?
    public var apparmor: EnabledFeature?
    public var selinux: EnabledFeature?
    public var intelRdt: IntelRdtFeatures?
    public var memoryPolicy: MemoryPolicyFeatures?
    public var mountExtensions: MountExtensionFeatures?
    public var netDevices: EnabledFeature?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("namespaces", &namespaces)
        json.optional("capabilities", &capabilities)
        json.optional("cgroup", &cgroup)
        json.optional("seccomp", &seccomp)
        json.optional("apparmor", &apparmor)
        json.optional("selinux", &selinux)
        json.optional("intelRdt", &intelRdt)
        json.optional("memoryPolicy", &memoryPolicy)
        json.optional("mountExtensions", &mountExtensions)
        json.optional("netDevices", &netDevices)
    }
}

/// Whether something is built in.
public struct EnabledFeature: JSONRecord {
    public var enabled: Bool?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(enabled: Bool? = nil) {
        self.enabled = enabled
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("enabled", &enabled)
    }
}

/// Cgroup versions and drivers.
public struct CgroupFeatures: JSONRecord {
    public var v1: Bool?
    public var v2: Bool?
    public var systemd: Bool?
    public var systemdUser: Bool?
    public var rdma: Bool?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("v1", &v1)
        json.optional("v2", &v2)
        json.optional("systemd", &systemd)
        json.optional("systemdUser", &systemdUser)
        json.optional("rdma", &rdma)
    }
}

/// What the seccomp compiler knows.
public struct SeccompFeatures: JSONRecord {
    public var enabled: Bool?
    public var actions: [String]?
    public var operators: [String]?
    public var archs: [String]?
    public var knownFlags: [String]?
    public var supportedFlags: [String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("enabled", &enabled)
        json.optional("actions", &actions)
        json.optional("operators", &operators)
        json.optional("archs", &archs)
        json.optional("knownFlags", &knownFlags)
        json.optional("supportedFlags", &supportedFlags)
    }
}

/// Intel RDT.
public struct IntelRdtFeatures: JSONRecord {
    public var enabled: Bool?
    public var schemata: Bool?
    public var monitoring: Bool?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("enabled", &enabled)
        json.optional("schemata", &schemata)
        json.optional("monitoring", &monitoring)
    }
}

/// NUMA memory policies.
public struct MemoryPolicyFeatures: JSONRecord {
    public var modes: [String]?
    public var flags: [String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("modes", &modes)
        json.optional("flags", &flags)
    }
}

/// Extensions of mounts.
public struct MountExtensionFeatures: JSONRecord {
    public var idmap: EnabledFeature?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("idmap", &idmap)
    }
}
