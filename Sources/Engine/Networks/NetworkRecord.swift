import ContainerNetwork
import EngineModel
import JSON

/// What the engine keeps of a network: what was asked for, with what was chosen.
package struct NetworkRecord: JSONRecord {
    package var id = ""
    package var name = ""
    /// Nanoseconds since 1970.
    package var created: Int64 = 0
    package var driver = ""
    package var usesIPv4 = true
    package var usesIPv6 = false
    package var isInternal = false
    package var isAttachable = false
    /// Whether it is the swarm's and ends with it.
    package var isOfSwarm = false
    package var isIngress = false
    /// Only lends its configuration to others.
    package var isConfigOnly = false
    /// The name of the network that lent its configuration; empty for none.
    package var configFrom = ""
    package var ipamDriver = "default"
    package var ipamOptions: [String: String]?
    /// With every subnet and gateway decided.
    package var pools: [IPAM.Pool] = []
    /// Whether the user named the subnets: only then may containers name their addresses.
    package var hasNamedSubnets = false
    package var options: [String: String] = [:]
    package var labels: [String: String] = [:]
    package var unknownMembers = JSONObject()

    package init() {}

    package mutating func members(_ json: inout JSONMembers) {
        json.required("id", &id)
        json.required("name", &name)
        json.always("created", &created)
        json.required("driver", &driver)
        json.always("usesIPv4", &usesIPv4)
        json.always("usesIPv6", &usesIPv6)
        json.omitEmpty("isInternal", &isInternal)
        json.omitEmpty("isAttachable", &isAttachable)
        json.omitEmpty("isOfSwarm", &isOfSwarm)
        json.omitEmpty("isIngress", &isIngress)
        json.omitEmpty("isConfigOnly", &isConfigOnly)
        json.omitEmpty("configFrom", &configFrom)
        json.omitEmpty("ipamDriver", &ipamDriver)
        json.optional("ipamOptions", &ipamOptions)
        json.always("pools", &pools)
        json.omitEmpty("hasNamedSubnets", &hasNamedSubnets)
        json.always("options", &options)
        json.always("labels", &labels)
    }

    /// Whether it is one of those that every engine has.
    package var isPredefined: Bool { Self.predefinedNames.contains(name) }

    static let predefinedNames: Set<String> = ["bridge", "host", "none"]

    var scope: String { isOfSwarm ? "swarm" : "local" }

    /// Whether it is a bridge of the host's.
    var isBridge: Bool { driver == BridgeDriver.name || driver == OverlayNetwork.driver }

    /// Whether containers on it have an interface, an address and names.
    var hasEndpoints: Bool { driver != "host" && driver != "null" && !isConfigOnly }

    /// Whether containers find each other by name on it.
    var hasNames: Bool { hasEndpoints && !isPredefined }

    // The IDs are the SHA-256 of "dhow network NAME": the same everywhere, so that nobody has to remember them.
    static func host() -> NetworkRecord {
        predefined("host", "host", id: "75d6bd251b711789b9a36dafc7100aea971ac0dc2e998cc20ce5453265df0f83")
    }

    static func none() -> NetworkRecord {
        predefined("none", "null", id: "85a9d7cfe7700db4460aa9eb417ade7994fb6bf0b5fb39d359bacc9bbc4fafa2")
    }

    private static func predefined(_ name: String, _ driver: String, id: String) -> NetworkRecord {
        var record = NetworkRecord()
        record.id = id
        record.name = name
        record.driver = driver
        return record
    }

    /// What the user, or the configuration, asked for of each subnet.
    /// - Throws: `EngineError.invalidParameter`.
    static func requests(_ pools: [IPAM.Pool]) throws(EngineError) -> [SubnetRequest] {
        var requests: [SubnetRequest] = []
        for pool in pools {
            var request = SubnetRequest()
            if !pool.subnet.isEmpty {
                guard let prefix = IPPrefix(pool.subnet) else {
                    throw .invalid("invalid subnet \(pool.subnet): it must be an address and a length, as 10.1.0.0/16")
                }
                request.subnet = prefix
            }
            if !pool.ipRange.isEmpty {
                guard let prefix = IPPrefix(pool.ipRange) else {
                    throw .invalid("invalid ip-range \(pool.ipRange): it must be an address and a length")
                }
                request.range = prefix
            }
            if !pool.gateway.isEmpty {
                guard let address = IPAddress(pool.gateway) else {
                    throw .invalid("invalid gateway \(pool.gateway): it is no IP address")
                }
                request.gateway = address
            }
            for (name, text) in pool.auxiliaryAddresses ?? [:] {
                guard let address = IPAddress(text) else {
                    throw .invalid("invalid auxiliary address \(name)=\(text): it is no IP address")
                }
                request.auxiliary[name] = address
            }
            requests.append(request)
        }
        return requests
    }

    /// The auxiliary address of a bridge network that its containers have as their gateway, as dockerd calls it.
    static func routerName(_ family: IPFamily) -> String {
        family == .v4 ? "DefaultGatewayIPv4" : "DefaultGatewayIPv6"
    }

    /// The network as its driver needs to know it.
    func specification() throws(EngineError) -> NetworkSpecification {
        let subnets = try Self.requests(pools).compactMap { request in
            request.subnet.map { subnet in
                NetworkSubnet(
                    subnet, gateway: request.gateway,
                    router: driver == BridgeDriver.name ? request.auxiliary[Self.routerName(subnet.family)] : nil)
            }
        }
        // What an overlay network says of bridges, it says to nobody.
        let options =
            driver == OverlayNetwork.driver ? options.filter { $0.key == "com.docker.network.driver.mtu" } : options
        return NetworkSpecification(
            id: id, subnets: subnets, isInternal: isInternal, usesIPv4: usesIPv4, usesIPv6: usesIPv6, options: options)
    }
}
