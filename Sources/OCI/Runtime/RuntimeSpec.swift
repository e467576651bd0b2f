import JSON

/// A container's configuration: the `config.json` of a bundle (runtime-spec 1.3, config.md).
///
/// What the specification leaves optional is optional here, and members that it does not define for Linux are kept.
public struct RuntimeSpec: JSONRecord {
    /// The version of the specification that the document follows, e.g. `1.2.0`.
    public var ociVersion = ""
    public var process: Process?
    public var root: Root?
    public var hostname: String?
    public var domainname: String?
    public var mounts: [Mount]?
    public var hooks: Hooks?
    public var annotations: [String: String]?
    public var linux: Linux?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("ociVersion", &ociVersion)
        json.optional("process", &process)
        json.optional("root", &root)
        json.optional("hostname", &hostname)
        json.optional("domainname", &domainname)
        json.optional("mounts", &mounts)
        json.optional("hooks", &hooks)
        json.optional("annotations", &annotations)
        json.optional("linux", &linux)
    }
}

/// The container's root file system.
public struct Root: JSONRecord {
    /// Absolute, or relative to the bundle.
    public var path = ""
    public var readonly: Bool?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(path: String, readonly: Bool? = nil) {
        self.path = path
        self.readonly = readonly
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("path", &path)
        json.optional("readonly", &readonly)
    }
}

/// A mount inside the container.
public struct Mount: JSONRecord {
    /// Where, inside the container.
    public var destination = ""
    public var type: String?
    /// A device, a path (relative to the bundle when not absolute) or a name that the file system ignores.
    public var source: String?
    public var options: [String]?
    /// Of an idmapped mount.
    public var uidMappings: [LinuxIDMapping]?
    /// Of an idmapped mount.
    public var gidMappings: [LinuxIDMapping]?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(destination: String, type: String? = nil, source: String? = nil, options: [String]? = nil) {
        self.destination = destination
        self.type = type
        self.source = source
        self.options = options
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.required("destination", &destination)
        json.optional("type", &type)
        json.optional("source", &source)
        json.optional("options", &options)
        json.optional("uidMappings", &uidMappings)
        json.optional("gidMappings", &gidMappings)
    }
}
