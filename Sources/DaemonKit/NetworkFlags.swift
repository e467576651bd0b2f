import CommandLineKit
import ContainerNetwork
import Engine
import JSON

/// The daemon's flags about networks.
struct NetworkFlags {
    let bridge, bip, bip6, fixedCIDR, fixedCIDRv6, gateway, gatewayv6, hostBinding, hostGateway: Flag<String>
    let pools, defaultOptions, hostGateways: Flag<[String]>
    let ipv6, icc, ipMasq, ipForward, ipForwardNoDrop, iptables, ip6tables, userlandProxy: Flag<Bool>
    let mtu: Flag<Int64>

    init(_ flags: FlagSet) {
        bridge = flags.string(
            "bridge", "b", "Attach containers to a network bridge of your own (\"none\": no default network)")
        bip = flags.string("bip", nil, "IPv4 address (CIDR) of the default bridge")
        bip6 = flags.string("bip6", nil, "IPv6 address (CIDR) of the default bridge")
        fixedCIDR = flags.string("fixed-cidr", nil, "IPv4 subnet for the default bridge's containers")
        fixedCIDRv6 = flags.string("fixed-cidr-v6", nil, "IPv6 subnet for the default bridge's containers")
        gateway = flags.string("default-gateway", nil, "IPv4 gateway of the default bridge's containers")
        gatewayv6 = flags.string("default-gateway-v6", nil, "IPv6 gateway of the default bridge's containers")
        hostBinding = flags.string("ip", nil, "Host IP for port publishing from the default bridge")
        hostGateway = flags.string("host-gateway-ip", nil, "IP that \"host-gateway\" in --add-host stands for")
        hostGateways = flags.strings("host-gateway-ips", nil, "IPs that \"host-gateway\" in --add-host stands for")
            .hidden()
        pools = flags.strings(
            "default-address-pool", nil, type: "pool", "Subnets for new networks: base=CIDR,size=LENGTH")
        defaultOptions = flags.strings(
            "default-network-opt", nil, type: "DRIVER=KEY=VALUE", "Options of new networks")
        ipv6 = flags.bool("ipv6", nil, "Enable IPv6 on the default bridge")
        icc = flags.bool("icc", nil, default: true, "Let containers on the default bridge communicate")
        ipMasq = flags.bool("ip-masq", nil, default: true, "Masquerade what the default bridge's containers send out")
        ipForward = flags.bool("ip-forward", nil, default: true, "Turn the host's forwarding on")
        ipForwardNoDrop = flags.bool(
            "ip-forward-no-drop", nil, "Let the host forward other packets, too, when Dhow turned forwarding on")
        iptables = flags.bool("iptables", nil, default: true, "Set up the host's packet filter (nftables)")
        ip6tables = flags.bool("ip6tables", nil, default: true, "Set up the host's packet filter for IPv6 as well")
        userlandProxy = flags.bool(
            "userland-proxy", nil, default: true,
            "Serve published ports on the host's loopback by a proxy in the daemon")
        mtu = flags.int("mtu", nil, default: 0, "MTU of the default bridge, and of networks that do not say")
    }

    static let options: [DaemonFlags.Option] = [
        .init(flag: "bridge", key: "bridge", kind: .text),
        .init(flag: "bip", key: "bip", kind: .text),
        .init(flag: "bip6", key: "bip6", kind: .text),
        .init(flag: "fixed-cidr", key: "fixed-cidr", kind: .text),
        .init(flag: "fixed-cidr-v6", key: "fixed-cidr-v6", kind: .text),
        .init(flag: "default-gateway", key: "default-gateway", kind: .text),
        .init(flag: "default-gateway-v6", key: "default-gateway-v6", kind: .text),
        .init(flag: "ip", key: "ip", kind: .text),
        .init(flag: "host-gateway-ip", key: "host-gateway-ip", kind: .text),
        .init(flag: "host-gateway-ips", key: "host-gateway-ips", kind: .list),
        .init(flag: "default-address-pool", key: "default-address-pools", kind: .pools),
        .init(flag: "default-network-opt", key: "default-network-opts", kind: .networkOptions),
        .init(flag: "ipv6", key: "ipv6", kind: .boolean),
        .init(flag: "icc", key: "icc", kind: .boolean),
        .init(flag: "ip-masq", key: "ip-masq", kind: .boolean),
        .init(flag: "ip-forward", key: "ip-forward", kind: .boolean),
        .init(flag: "ip-forward-no-drop", key: "ip-forward-no-drop", kind: .boolean),
        .init(flag: "iptables", key: "iptables", kind: .boolean),
        .init(flag: "ip6tables", key: "ip6tables", kind: .boolean),
        .init(flag: "userland-proxy", key: "userland-proxy", kind: .boolean),
        .init(flag: "mtu", key: "mtu", kind: .integer),
    ]

    /// - Throws: `ConfigurationError` for a value that the daemon cannot have.
    func configuration() throws(ConfigurationError) -> NetworkConfiguration {
        var network = NetworkConfiguration()
        network.bridge = bridge.value.isEmpty ? nil : bridge.value
        network.bridgeAddress4 = try address(bip, .v4)
        network.bridgeAddress6 = try address(bip6, .v6)
        guard network.bridge == nil || network.bridgeAddress4 == nil && network.bridgeAddress6 == nil else {
            throw ConfigurationError("you specified -b & --bip, mutually exclusive options; please specify only one")
        }
        network.range4 = try subnet(fixedCIDR, .v4)
        network.range6 = try subnet(fixedCIDRv6, .v6)
        if let address = network.bridgeAddress4, let range = network.range4, !address.network.contains(range) {
            throw ConfigurationError(
                "invalid fixed-cidr: \(range): it is not inside the bridge's subnet \(address.network)")
        }
        network.gateway4 = try host(gateway, .v4)
        network.gateway6 = try host(gatewayv6, .v6)
        network.usesIPv6 = ipv6.value
        network.allowsCommunication = icc.value
        network.masquerades = ipMasq.value
        network.enablesForwarding = ipForward.value
        network.keepsForeignForwarding = ipForwardNoDrop.value
        guard ip6tables.value || !iptables.value else {
            throw ConfigurationError(
                "ip6tables cannot be switched off alone: one table serves both families (say --iptables=false for neither)"
            )
        }
        network.usesFirewall = iptables.value
        network.usesProxy = userlandProxy.value
        network.hostBinding = try host(hostBinding, nil)
        if mtu.value != 0 {
            guard (68...65535).contains(mtu.value) else {
                throw ConfigurationError("invalid mtu: \(mtu.value): it must be from 68 to 65535")
            }
            network.mtu = UInt32(mtu.value)
        }
        for text in pools.value { network.pools.append(try pool(text)) }
        do throws(NetworkError) { _ = try SubnetPools(network.pools) } catch {
            throw ConfigurationError("invalid default-address-pool: \(error.message)")
        }
        for text in defaultOptions.value {
            let parts = text.split(separator: "=", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw ConfigurationError("invalid default-network-opt: \(text): should be DRIVER=KEY=VALUE")
            }
            network.defaultOptions[parts[0], default: [:]][parts[1]] = parts[2]
        }
        for text in hostGateways.value + (hostGateway.value.isEmpty ? [] : [hostGateway.value]) {
            guard let address = IPAddress(text) else {
                throw ConfigurationError("invalid host-gateway-ip: \(text): it is no IP address")
            }
            network.hostGateways.append(address)
        }
        return network
    }

    private func address(_ flag: Flag<String>, _ family: IPFamily) throws(ConfigurationError) -> IPPrefix? {
        if flag.value.isEmpty { return nil }
        guard let prefix = IPPrefix(flag.value), prefix.family == family else {
            throw ConfigurationError(
                "invalid \(flag.name): \(flag.value): should be an \(family) address with a length")
        }
        guard prefix.address != prefix.first || prefix.hostBitCount < 2 else {
            throw ConfigurationError(
                "invalid \(flag.name): \(flag.value): it is the subnet's own address, not a host's")
        }
        return prefix
    }

    private func host(_ flag: Flag<String>, _ family: IPFamily?) throws(ConfigurationError) -> IPAddress? {
        if flag.value.isEmpty { return nil }
        guard let address = IPAddress(flag.value), address.family == family ?? address.family else {
            throw ConfigurationError(
                "invalid \(flag.name): \(flag.value): it is no \(family.map { "\($0)" } ?? "IP") address")
        }
        return address
    }

    private func subnet(_ flag: Flag<String>, _ family: IPFamily) throws(ConfigurationError) -> IPPrefix? {
        if flag.value.isEmpty { return nil }
        guard let prefix = IPPrefix(flag.value), prefix.family == family else {
            throw ConfigurationError("invalid \(flag.name): \(flag.value): should be an \(family) subnet")
        }
        return prefix.network
    }

    /// `base=172.30.0.0/16,size=24`
    private func pool(_ text: String) throws(ConfigurationError) -> SubnetPools.Pool {
        var base: IPPrefix?
        var size: Int?
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            switch (pair.first, pair.count) {
            case ("base", 2): base = IPPrefix(pair[1])
            case ("size", 2): size = Int(pair[1])
            default: break
            }
        }
        guard let base, let size else {
            throw ConfigurationError("invalid default-address-pool: \(text): should be base=CIDR,size=LENGTH")
        }
        do throws(NetworkError) { return try SubnetPools.Pool(base: base, size: size) } catch {
            throw ConfigurationError("invalid default-address-pool: \(text): \(error.message)")
        }
    }
}

extension DaemonFlags.Kind {
    /// `[{"base": "172.30.0.0/16", "size": 24}]`
    static func pools(_ value: JSONValue) -> [String]? {
        guard let list = value.array else { return nil }
        let texts = list.compactMap { pool -> String? in
            guard let base = pool["base"]?.string, let size = pool["size"]?.integer else { return nil }
            return "base=\(base),size=\(size)"
        }
        return texts.count == list.count ? texts : nil
    }

    /// `{"bridge": {"com.docker.network.driver.mtu": "1400"}}`
    static func networkOptions(_ value: JSONValue) -> [String]? {
        guard let drivers = value.object else { return nil }
        var texts: [String] = []
        for driver in drivers.members {
            guard let options = driver.value.object else { return nil }
            for option in options.members {
                guard let text = option.value.string else { return nil }
                texts.append("\(driver.name)=\(option.name)=\(text)")
            }
        }
        return texts
    }
}
