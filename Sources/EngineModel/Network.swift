import JSON

/// The networks a container is created on.
public struct NetworkingConfig: JSONRecord {
    /// By network name.
    public var endpointsConfig: [String: EndpointSettings?]?
    public var unknownMembers = JSONObject()
    public init() {}
    public mutating func members(_ json: inout JSONMembers) {
        json.nullable("EndpointsConfig", &endpointsConfig)
    }
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

    public mutating func members(_ json: inout JSONMembers) {
        json.nullable("IPAMConfig", &ipamConfig)
        json.nullable("Links", &links)
        json.nullable("Aliases", &aliases)
        json.always("MacAddress", &macAddress)
        json.nullable("DriverOpts", &driverOpts)
        json.always("GwPriority", &gwPriority)
        json.always("NetworkID", &networkID)
        json.always("EndpointID", &endpointID)
        json.always("Gateway", &gateway)
        json.always("IPAddress", &ipAddress)
        json.always("IPPrefixLen", &ipPrefixLen)
        json.always("IPv6Gateway", &ipv6Gateway)
        json.always("GlobalIPv6Address", &globalIPv6Address)
        json.always("GlobalIPv6PrefixLen", &globalIPv6PrefixLen)
        json.nullable("DNSNames", &dnsNames)
    }

    public struct IPAMConfig: JSONRecord {
        public var ipv4Address = ""
        public var ipv6Address = ""
        public var linkLocalIPs: [String]?
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("IPv4Address", &ipv4Address)
            json.omitEmpty("IPv6Address", &ipv6Address)
            json.optional("LinkLocalIPs", &linkLocalIPs)
        }
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

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Bridge", &bridge)
        json.always("SandboxID", &sandboxID)
        json.always("SandboxKey", &sandboxKey)
        json.nullable("Ports", &ports)
        json.always("HairpinMode", &hairpinMode)
        json.always("LinkLocalIPv6Address", &linkLocalIPv6Address)
        json.always("LinkLocalIPv6PrefixLen", &linkLocalIPv6PrefixLen)
        json.nullable("SecondaryIPAddresses", &secondaryIPAddresses)
        json.nullable("SecondaryIPv6Addresses", &secondaryIPv6Addresses)
        json.always("EndpointID", &endpointID)
        json.always("Gateway", &gateway)
        json.always("GlobalIPv6Address", &globalIPv6Address)
        json.always("GlobalIPv6PrefixLen", &globalIPv6PrefixLen)
        json.always("IPAddress", &ipAddress)
        json.always("IPPrefixLen", &ipPrefixLen)
        json.always("IPv6Gateway", &ipv6Gateway)
        json.always("MacAddress", &macAddress)
        json.nullable("Networks", &networks)
    }
}
