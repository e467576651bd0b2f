import JSON

/// The networks a container is created on.
public struct NetworkingConfig: JSONRecord {
    /// By network name.
    public var endpointsConfig: [String: EndpointSettings?]?
    public var unknownMembers = JSONObject()
    public init() {}
    public static let members = JSONMembers<Self>(.nullable("EndpointsConfig", \.endpointsConfig))
}

/// A container's place on one network.
public struct EndpointSettings: JSONRecord {
    public var ipamConfig: IPAMConfig?
    public var links: [String]?
    public var aliases: [String]?
    public var macAddress = ""
    public var driverOpts: [String: String]?
    public var gwPriority = 0
    public var networkID = ""
    public var endpointID = ""
    public var gateway = ""
    public var ipAddress = ""
    public var ipPrefixLen = 0
    public var ipv6Gateway = ""
    public var globalIPv6Address = ""
    public var globalIPv6PrefixLen = 0
    public var dnsNames: [String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .nullable("IPAMConfig", \.ipamConfig),
        .nullable("Links", \.links),
        .nullable("Aliases", \.aliases),
        .always("MacAddress", \.macAddress),
        .nullable("DriverOpts", \.driverOpts),
        .always("GwPriority", \.gwPriority),
        .always("NetworkID", \.networkID),
        .always("EndpointID", \.endpointID),
        .always("Gateway", \.gateway),
        .always("IPAddress", \.ipAddress),
        .always("IPPrefixLen", \.ipPrefixLen),
        .always("IPv6Gateway", \.ipv6Gateway),
        .always("GlobalIPv6Address", \.globalIPv6Address),
        .always("GlobalIPv6PrefixLen", \.globalIPv6PrefixLen),
        .nullable("DNSNames", \.dnsNames))

    public struct IPAMConfig: JSONRecord {
        public var ipv4Address = ""
        public var ipv6Address = ""
        public var linkLocalIPs: [String]?
        public var unknownMembers = JSONObject()
        public init() {}
        public static let members = JSONMembers<Self>(
            .omitEmpty("IPv4Address", \.ipv4Address),
            .omitEmpty("IPv6Address", \.ipv6Address),
            .optional("LinkLocalIPs", \.linkLocalIPs))
    }
}

/// A container's network as `GET /containers/{id}/json` shows it.
public struct NetworkSettings: JSONRecord {
    public var bridge = ""
    public var sandboxID = ""
    public var sandboxKey = ""
    public var ports: [String: [PortBinding]?]? = [:]
    public var hairpinMode = false
    public var linkLocalIPv6Address = ""
    public var linkLocalIPv6PrefixLen = 0
    public var secondaryIPAddresses: [JSONValue]?
    public var secondaryIPv6Addresses: [JSONValue]?
    public var endpointID = ""
    public var gateway = ""
    public var globalIPv6Address = ""
    public var globalIPv6PrefixLen = 0
    public var ipAddress = ""
    public var ipPrefixLen = 0
    public var ipv6Gateway = ""
    public var macAddress = ""
    public var networks: [String: EndpointSettings]? = [:]
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .always("Bridge", \.bridge),
        .always("SandboxID", \.sandboxID),
        .always("SandboxKey", \.sandboxKey),
        .nullable("Ports", \.ports),
        .always("HairpinMode", \.hairpinMode),
        .always("LinkLocalIPv6Address", \.linkLocalIPv6Address),
        .always("LinkLocalIPv6PrefixLen", \.linkLocalIPv6PrefixLen),
        .nullable("SecondaryIPAddresses", \.secondaryIPAddresses),
        .nullable("SecondaryIPv6Addresses", \.secondaryIPv6Addresses),
        .always("EndpointID", \.endpointID),
        .always("Gateway", \.gateway),
        .always("GlobalIPv6Address", \.globalIPv6Address),
        .always("GlobalIPv6PrefixLen", \.globalIPv6PrefixLen),
        .always("IPAddress", \.ipAddress),
        .always("IPPrefixLen", \.ipPrefixLen),
        .always("IPv6Gateway", \.ipv6Gateway),
        .always("MacAddress", \.macAddress),
        .nullable("Networks", \.networks))
}
