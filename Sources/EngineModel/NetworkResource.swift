import JSON

/// A network, as `GET /networks/{id}` shows it.
public struct NetworkResource: JSONRecord {
    public var name = ""
    public var id = ""
    public var created = Timestamp.zero.description
    public var scope = "local"
    public var driver = ""
    public var enableIPv4 = true
    public var enableIPv6 = false
    public var ipam = IPAM()
    public var isInternal = false
    public var isAttachable = false
    public var isIngress = false
    public var configFrom = ConfigReference()
    public var isConfigOnly = false
    /// By container ID; empty in lists.
    public var containers: [String: EndpointResource]? = [:]
    public var options: [String: String]? = [:]
    public var labels: [String: String]? = [:]
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .always("Name", \.name),
        .always("Id", \.id),
        .always("Created", \.created),
        .always("Scope", \.scope),
        .always("Driver", \.driver),
        .always("EnableIPv4", \.enableIPv4),
        .always("EnableIPv6", \.enableIPv6),
        .always("IPAM", \.ipam),
        .always("Internal", \.isInternal),
        .always("Attachable", \.isAttachable),
        .always("Ingress", \.isIngress),
        .always("ConfigFrom", \.configFrom),
        .always("ConfigOnly", \.isConfigOnly),
        .nullable("Containers", \.containers),
        .nullable("Options", \.options),
        .nullable("Labels", \.labels))

    /// The network whose configuration this one uses.
    public struct ConfigReference: JSONRecord {
        public var network = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public static let members = JSONMembers<Self>(.always("Network", \.network))
    }

    /// A container's place on the network.
    public struct EndpointResource: JSONRecord {
        /// The container's, without a slash.
        public var name = ""
        public var endpointID = ""
        public var macAddress = ""
        /// With the subnet's length.
        public var ipv4Address = ""
        public var ipv6Address = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public static let members = JSONMembers<Self>(
            .always("Name", \.name),
            .always("EndpointID", \.endpointID),
            .always("MacAddress", \.macAddress),
            .always("IPv4Address", \.ipv4Address),
            .always("IPv6Address", \.ipv6Address))
    }
}

/// How a network's addresses are managed.
public struct IPAM: JSONRecord {
    /// `default`, or empty in a request.
    public var driver = ""
    public var options: [String: String]?
    public var config: [Pool]?
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .always("Driver", \.driver), .nullable("Options", \.options), .nullable("Config", \.config))

    /// A subnet.
    public struct Pool: JSONRecord, Equatable {
        public var subnet = ""
        public var ipRange = ""
        public var gateway = ""
        public var auxiliaryAddresses: [String: String]?
        public var unknownMembers = JSONObject()
        public init() {}
        public static let members = JSONMembers<Self>(
            .omitEmpty("Subnet", \.subnet),
            .omitEmpty("IPRange", \.ipRange),
            .omitEmpty("Gateway", \.gateway),
            .optional("AuxiliaryAddresses", \.auxiliaryAddresses))
    }
}

/// The body of `POST /networks/create`.
public struct NetworkCreateRequest: JSONRecord {
    public var name = ""
    public var checkDuplicate: Bool?
    public var driver = ""
    public var scope = ""
    /// `nil` for yes.
    public var enableIPv4: Bool?
    /// `nil` for what the daemon's default is.
    public var enableIPv6: Bool?
    public var ipam: IPAM?
    public var isInternal = false
    public var isAttachable = false
    public var isIngress = false
    public var isConfigOnly = false
    public var configFrom: NetworkResource.ConfigReference?
    public var options: [String: String]?
    public var labels: [String: String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .always("Name", \.name),
        .optional("CheckDuplicate", \.checkDuplicate),
        .always("Driver", \.driver),
        .omitEmpty("Scope", \.scope),
        .optional("EnableIPv4", \.enableIPv4),
        .optional("EnableIPv6", \.enableIPv6),
        .optional("IPAM", \.ipam),
        .always("Internal", \.isInternal),
        .always("Attachable", \.isAttachable),
        .always("Ingress", \.isIngress),
        .always("ConfigOnly", \.isConfigOnly),
        .optional("ConfigFrom", \.configFrom),
        .nullable("Options", \.options),
        .nullable("Labels", \.labels))
}

/// The answer to `POST /networks/create`.
public struct NetworkCreateResponse: JSONRecord {
    public var id = ""
    public var warning = ""
    public var unknownMembers = JSONObject()
    public init() {}
    public static let members = JSONMembers<Self>(.always("Id", \.id), .always("Warning", \.warning))
}

/// The body of `POST /networks/{id}/connect` and `…/disconnect`.
public struct NetworkConnectRequest: JSONRecord {
    public var container = ""
    public var endpointConfig: EndpointSettings?
    /// Of disconnect: also one whose container is gone.
    public var force = false
    public var unknownMembers = JSONObject()
    public init() {}
    public static let members = JSONMembers<Self>(
        .always("Container", \.container),
        .optional("EndpointConfig", \.endpointConfig),
        .omitEmpty("Force", \.force))
}

/// The answer to `POST /networks/prune`.
public struct NetworkPruneReport: JSONRecord {
    /// Names.
    public var networksDeleted: [String]?
    public var unknownMembers = JSONObject()
    public init() {}
    public static let members = JSONMembers<Self>(.nullable("NetworksDeleted", \.networksDeleted))
}
