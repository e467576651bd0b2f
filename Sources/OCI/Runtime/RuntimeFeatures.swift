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

    public static let members = JSONMembers<Self>(
        .always("ociVersionMin", \.ociVersionMin),
        .always("ociVersionMax", \.ociVersionMax),
        .optional("hooks", \.hooks),
        .optional("mountOptions", \.mountOptions),
        .optional("linux", \.linux),
        .optional("annotations", \.annotations),
        .optional("potentiallyUnsafeConfigAnnotations", \.potentiallyUnsafeConfigAnnotations))
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

    public static let members = JSONMembers<Self>(
        .optional("namespaces", \.namespaces),
        .optional("capabilities", \.capabilities),
        .optional("cgroup", \.cgroup),
        .optional("seccomp", \.seccomp),
        .optional("apparmor", \.apparmor),
        .optional("selinux", \.selinux),
        .optional("intelRdt", \.intelRdt),
        .optional("memoryPolicy", \.memoryPolicy),
        .optional("mountExtensions", \.mountExtensions),
        .optional("netDevices", \.netDevices))
}

/// Whether something is built in.
public struct EnabledFeature: JSONRecord {
    public var enabled: Bool?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(enabled: Bool? = nil) {
        self.enabled = enabled
    }

    public static let members = JSONMembers<Self>(
        .optional("enabled", \.enabled))
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

    public static let members = JSONMembers<Self>(
        .optional("v1", \.v1),
        .optional("v2", \.v2),
        .optional("systemd", \.systemd),
        .optional("systemdUser", \.systemdUser),
        .optional("rdma", \.rdma))
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

    public static let members = JSONMembers<Self>(
        .optional("enabled", \.enabled),
        .optional("actions", \.actions),
        .optional("operators", \.operators),
        .optional("archs", \.archs),
        .optional("knownFlags", \.knownFlags),
        .optional("supportedFlags", \.supportedFlags))
}

/// Intel RDT.
public struct IntelRdtFeatures: JSONRecord {
    public var enabled: Bool?
    public var schemata: Bool?
    public var monitoring: Bool?
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .optional("enabled", \.enabled),
        .optional("schemata", \.schemata),
        .optional("monitoring", \.monitoring))
}

/// NUMA memory policies.
public struct MemoryPolicyFeatures: JSONRecord {
    public var modes: [String]?
    public var flags: [String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .optional("modes", \.modes),
        .optional("flags", \.flags))
}

/// Extensions of mounts.
public struct MountExtensionFeatures: JSONRecord {
    public var idmap: EnabledFeature?
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .optional("idmap", \.idmap))
}
