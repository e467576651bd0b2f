/// The options of a bridge network, by Docker's names.
public struct BridgeOptions: Hashable, Sendable {
    /// `com.docker.network.bridge.name`; else `br-` and the network's short ID.
    public var bridgeName: String
    /// `…bridge.enable_icc`
    public var allowsCommunication = true
    /// `…bridge.enable_ip_masquerade`
    public var masquerades = true
    /// `…bridge.host_binding_ipv4`: where ports are published when no address is given.
    public var hostBinding: IPAddress?
    /// `com.docker.network.driver.mtu`
    public var mtu: UInt32?
    /// `com.docker.network.container_iface_prefix`
    public var interfacePrefix = "eth"
    /// `…bridge.gateway_mode_ipv4` and `…_ipv6`
    public var gatewayMode4 = GatewayMode.nat
    public var gatewayMode6 = GatewayMode.nat
    /// `com.docker.network.host_ipv4` and `…_ipv6`
    public var sourceAddress4: IPv4Address?
    public var sourceAddress6: IPv6Address?
    /// `…bridge.trusted_host_interfaces`, separated by colons
    public var trustedInterfaces: [String] = []
    /// `…bridge.inhibit_ipv4`: the bridge gets no IPv4 address.
    public var inhibitsIPv4 = false

    /// - Throws: `.invalidArgument`.
    public init(_ network: NetworkSpecification) throws(NetworkError) {
        let options = DriverOptions(values: network.options)
        let bridge = "com.docker.network.bridge."
        bridgeName = try options.interface(bridge + "name") ?? "br-\(network.shortID)"
        allowsCommunication = try options.bool(bridge + "enable_icc") ?? true
        masquerades = try options.bool(bridge + "enable_ip_masquerade") ?? true
        hostBinding = try options.address(bridge + "host_binding_ipv4")
        mtu = try options.mtu()
        interfacePrefix = try options.interface("com.docker.network.container_iface_prefix") ?? "eth"
        if interfacePrefix.utf8.count > InterfaceName.maximumLength - 2 {
            throw options.invalid(
                "com.docker.network.container_iface_prefix", interfacePrefix, "there must be room for a number")
        }
        gatewayMode4 = try options.choice(bridge + "gateway_mode_ipv4", GatewayMode.self) ?? .nat
        gatewayMode6 = try options.choice(bridge + "gateway_mode_ipv6", GatewayMode.self) ?? .nat
        if case .v4(let address)? = try options.address("com.docker.network.host_ipv4", .v4) {
            sourceAddress4 = address
        }
        if case .v6(let address)? = try options.address("com.docker.network.host_ipv6", .v6) {
            sourceAddress6 = address
        }
        for name in (network.options[bridge + "trusted_host_interfaces"] ?? "").split(separator: ":") {
            try InterfaceName.check(String(name))
            trustedInterfaces.append(String(name))
        }
        inhibitsIPv4 = try options.bool(bridge + "inhibit_ipv4") ?? false
        for (name, mode) in [("gateway_mode_ipv4", gatewayMode4), ("gateway_mode_ipv6", gatewayMode6)]
        where mode == .isolated && !network.isInternal {
            throw options.invalid(bridge + name, "isolated", "only an internal network can be isolated")
        }
    }

    func gatewayMode(_ family: IPFamily) -> GatewayMode { family == .v4 ? gatewayMode4 : gatewayMode6 }
}
