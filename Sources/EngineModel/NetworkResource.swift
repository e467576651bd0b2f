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

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Name", &name)
        json.always("Id", &id)
        json.always("Created", &created)
        json.always("Scope", &scope)
        json.always("Driver", &driver)
        json.always("EnableIPv4", &enableIPv4)
        json.always("EnableIPv6", &enableIPv6)
        json.always("IPAM", &ipam)
        json.always("Internal", &isInternal)
        json.always("Attachable", &isAttachable)
        json.always("Ingress", &isIngress)
        json.always("ConfigFrom", &configFrom)
        json.always("ConfigOnly", &isConfigOnly)
        json.nullable("Containers", &containers)
        json.nullable("Options", &options)
        json.nullable("Labels", &labels)
    }

    /// The network whose configuration this one uses.
    public struct ConfigReference: JSONRecord {
        public var network = ""
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.always("Network", &network)
        }
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
        public mutating func members(_ json: inout JSONMembers) {
            json.always("Name", &name)
            json.always("EndpointID", &endpointID)
            json.always("MacAddress", &macAddress)
            json.always("IPv4Address", &ipv4Address)
            json.always("IPv6Address", &ipv6Address)
        }
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

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Driver", &driver)
        json.nullable("Options", &options)
        json.nullable("Config", &config)
    }

    /// A subnet.
    public struct Pool: JSONRecord, Equatable {
        public var subnet = ""
        public var ipRange = ""
        public var gateway = ""
        public var auxiliaryAddresses: [String: String]?
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("Subnet", &subnet)
            json.omitEmpty("IPRange", &ipRange)
            json.omitEmpty("Gateway", &gateway)
            json.optional("AuxiliaryAddresses", &auxiliaryAddresses)
        }
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

    public mutating func members(_ json: inout JSONMembers) {
        json.always("Name", &name)
        json.optional("CheckDuplicate", &checkDuplicate)
        json.always("Driver", &driver)
        json.omitEmpty("Scope", &scope)
        json.optional("EnableIPv4", &enableIPv4)
        json.optional("EnableIPv6", &enableIPv6)
        json.optional("IPAM", &ipam)
        json.always("Internal", &isInternal)
        json.always("Attachable", &isAttachable)
        json.always("Ingress", &isIngress)
        json.always("ConfigOnly", &isConfigOnly)
        json.optional("ConfigFrom", &configFrom)
        json.nullable("Options", &options)
        json.nullable("Labels", &labels)
    }
}

/// The answer to `POST /networks/create`.
public struct NetworkCreateResponse: JSONRecord {
    public var id = ""
    public var warning = ""
    public var unknownMembers = JSONObject()
    public init() {}
    public mutating func members(_ json: inout JSONMembers) {
        json.always("Id", &id)
        json.always("Warning", &warning)
    }
}

/// The body of `POST /networks/{id}/connect` and `…/disconnect`.
public struct NetworkConnectRequest: JSONRecord {
    public var container = ""
    public var endpointConfig: EndpointSettings?
    /// Of disconnect: also one whose container is gone.
    public var force = false
    public var unknownMembers = JSONObject()
    public init() {}
    public mutating func members(_ json: inout JSONMembers) {
        json.always("Container", &container)
        json.optional("EndpointConfig", &endpointConfig)
        json.omitEmpty("Force", &force)
    }
}

/// The answer to `POST /networks/prune`.
public struct NetworkPruneReport: JSONRecord {
    /// Names.
    public var networksDeleted: [String]?
    public var unknownMembers = JSONObject()
    public init() {}
    public mutating func members(_ json: inout JSONMembers) {
        json.nullable("NetworksDeleted", &networksDeleted)
    }
}
