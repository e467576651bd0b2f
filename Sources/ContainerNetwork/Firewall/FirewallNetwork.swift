/// How the containers of a network are reached from outside, by family (`gateway_mode_ipv4`, `gateway_mode_ipv6`).
public enum GatewayMode: String, Sendable, CaseIterable {
    /// Published ports through address translation; nothing else reaches a container.
    case nat
    /// Published ports as above, and every other port by routing to the container's own address.
    case natUnprotected = "nat-unprotected"
    /// No translation: published ports by routing to the container's own address.
    case routed
    /// Nothing, and the bridge has no address of its own.
    case isolated

    /// Whether published ports lead to containers by address translation.
    public var translates: Bool { self == .nat || self == .natUnprotected }
}

/// A bridge network as the firewall sees it.
public struct FirewallNetwork: Hashable, Sendable {
    public var id: String
    /// The bridge's name.
    public var bridge: String
    public var subnets: [IPPrefix]
    /// No way out and no way in (`--internal`).
    public var isInternal: Bool
    /// Whether containers may speak to each other (`enable_icc`). The ports of a bridge without it must be isolated
    /// too: frames that the bridge forwards never come here.
    public var allowsCommunication: Bool
    /// Whether what leaves gets the host's address (`enable_ip_masquerade`); only in the modes `nat`.
    public var masquerades: Bool
    public var gatewayMode4: GatewayMode
    public var gatewayMode6: GatewayMode
    /// What leaves gets this address rather than the outgoing interface's (`host_ipv4`, `host_ipv6`).
    public var sourceAddress4: IPv4Address?
    public var sourceAddress6: IPv6Address?
    /// Interfaces from which containers' own addresses may be reached (`trusted_host_interfaces`).
    public var trustedInterfaces: [String]

    public init(
        id: String, bridge: String, subnets: [IPPrefix], isInternal: Bool = false, allowsCommunication: Bool = true,
        masquerades: Bool = true, gatewayMode4: GatewayMode = .nat, gatewayMode6: GatewayMode = .nat,
        sourceAddress4: IPv4Address? = nil, sourceAddress6: IPv6Address? = nil, trustedInterfaces: [String] = []
    ) {
        self.id = id
        self.bridge = bridge
        self.subnets = subnets
        self.isInternal = isInternal
        self.allowsCommunication = allowsCommunication
        self.masquerades = masquerades
        self.gatewayMode4 = gatewayMode4
        self.gatewayMode6 = gatewayMode6
        self.sourceAddress4 = sourceAddress4
        self.sourceAddress6 = sourceAddress6
        self.trustedInterfaces = trustedInterfaces
    }

    func gatewayMode(_ family: IPFamily) -> GatewayMode { family == .v4 ? gatewayMode4 : gatewayMode6 }

    /// Where this network is in the table.
    var elements: [FirewallElement] {
        let own = FirewallElement.Field.interface(bridge)
        let allow = FirewallElement.Value.verdict("goto allow")
        var elements = [
            FirewallElement("bridges", own),
            FirewallElement("self", own, own),
            FirewallElement("within", own, own, value: allowsCommunication ? allow : .verdict("goto icc-off")),
            FirewallElement("to4", own, value: .verdict(inward(gatewayMode4))),
            FirewallElement("to6", own, value: .verdict(inward(gatewayMode6))),
        ]
        if isInternal { return elements + [FirewallElement("from", own, value: .verdict("drop"))] }
        for interface in Set(trustedInterfaces).sorted() where interface != bridge {
            elements.append(FirewallElement("within", .interface(interface), own, value: allow))
        }
        for subnet in Set(subnets.map(\.network)).sorted() where gatewayMode(subnet.family).translates {
            elements.append(FirewallElement("inside\(subnet.family.rawValue)", .subnet(subnet), .subnet(subnet)))
            guard masquerades else { continue }
            elements.append(FirewallElement("masquerade\(subnet.family.rawValue)", own, .subnet(subnet)))
        }
        guard masquerades else { return elements }
        if let address = sourceAddress4, gatewayMode4.translates {
            elements.append(FirewallElement("snat4", own, value: .fields([.address(.v4(address))])))
        }
        if let address = sourceAddress6, gatewayMode6.translates {
            elements.append(FirewallElement("snat6", own, value: .fields([.address(.v6(address))])))
        }
        return elements
    }

    private func inward(_ mode: GatewayMode) -> String {
        if isInternal { return "drop" }
        switch mode {
        case .nat: return "goto to-nat"
        case .natUnprotected: return "goto to-unprotected"
        case .routed: return "goto to-routed"
        case .isolated: return "drop"
        }
    }
}
