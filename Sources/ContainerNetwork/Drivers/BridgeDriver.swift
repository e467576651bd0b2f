import Kernel

/// Networks that are a bridge on the host: containers on it by veth pairs, the outside through the host's routing and
/// our nftables table.
public struct BridgeDriver: NetworkDriver {
    public static let name = "bridge"

    public struct Configuration: Sendable {
        /// Whose interfaces: see `InterfaceMark`.
        public var owner: String
        /// `--ip-forward`
        public var enablesForwarding: Bool
        /// Whether 127.0.0.0/8 reaches published ports by translation, as in `Firewall.Configuration`.
        public var routesLoopback: Bool
        /// Bytes, for networks that do not say (`--mtu`).
        public var mtu: UInt32?

        public init(
            owner: String = "", enablesForwarding: Bool = true, routesLoopback: Bool = false, mtu: UInt32? = nil
        ) {
            self.owner = owner
            self.enablesForwarding = enablesForwarding
            self.routesLoopback = routesLoopback
            self.mtu = mtu
        }
    }

    public let configuration: Configuration
    public let firewall: Firewall
    /// The host's.
    private let netlink: NetlinkSocket

    /// In the calling thread's network namespace.
    public init(_ configuration: Configuration = Configuration(), firewall: Firewall) throws(NetworkError) {
        self.configuration = configuration
        self.firewall = firewall
        netlink = try attempt("speak to the kernel about interfaces") { () throws(KernelError) in try NetlinkSocket() }
    }

    /// What the default bridge is called: `docker0`, unless another engine has it; then `dhow0`, or the next number when
    /// another of these daemons has that.
    public func defaultBridgeName() throws(NetworkError) -> String {
        for name in ["docker0"] + (0..<100).map({ "dhow\($0)" }) {
            guard let link = try link(named: name) else { return name }
            if InterfaceMark(link.alias)?.owner == configuration.owner { return name }
        }
        throw NetworkError(
            .conflict, "the interfaces docker0 and dhow0 to dhow99 belong to someone else: name a bridge with --bridge")
    }

    private func link(named name: String) throws(NetworkError) -> Link? {
        do throws(KernelError) { return try netlink.link(named: name) } catch {
            if error.code == .noDevice { return nil }
            throw NetworkError("look for interface \(name)", error)
        }
    }

    public func check(_ network: NetworkSpecification) throws(NetworkError) { _ = try BridgeOptions(network) }

    // MARK: Networks

    public func create(_ network: NetworkSpecification) throws(NetworkError) {
        let options = try BridgeOptions(network)
        let existing = try link(named: options.bridgeName)
        let bridge: Link
        if let existing {
            try checkExisting(existing, network)
            bridge = existing
        } else {
            bridge = try makeBridge(options, network)
        }
        do throws(NetworkError) {
            try configure(bridge, options, network, isNew: existing == nil)
            try firewall.add(Self.firewallNetwork(network, options))
            // Only now: a host that forwards without our rules would be open.
            if configuration.enablesForwarding, !network.isInternal {
                try Forwarding.enable(ipv4: network.usesIPv4, ipv6: network.usesIPv6)
            }
        } catch {
            try? firewall.remove(network: network.id)
            if existing == nil { try? netlink.perform(.deleteLink(bridge.index)) }
            throw error
        }
    }

    /// A bridge of this network from before, or one that the user made and named, is used; anything else is in the way.
    private func checkExisting(_ link: Link, _ network: NetworkSpecification) throws(NetworkError) {
        guard link.kind == "bridge" else {
            throw NetworkError(.conflict, "interface \(link.name) exists and is not a bridge")
        }
        let mark = InterfaceMark(link.alias)
        if let mark, mark.owner != configuration.owner || mark.networkID != network.id {
            throw NetworkError(.conflict, "bridge \(link.name) belongs to network \(mark.networkID)")
        }
        // Our own names are for our own bridges.
        if mark == nil, network.options["com.docker.network.bridge.name"] == nil {
            throw NetworkError(.conflict, "bridge \(link.name) exists and was not made for this network")
        }
    }

    private func makeBridge(_ options: BridgeOptions, _ network: NetworkSpecification) throws(NetworkError) -> Link {
        try attempt("make bridge \(options.bridgeName)") { () throws(KernelError) in
            // An address of its own, or the bridge would change it with its ports.
            let settings = LinkSettings(
                name: options.bridgeName, macAddress: MACAddress.random().bytes,
                mtu: options.mtu ?? configuration.mtu)
            let mark = InterfaceMark(owner: configuration.owner, networkID: network.id)
            try netlink.perform([
                .createLink(.bridge(.init()), settings), .setLink(named: options.bridgeName, alias: mark.description),
            ])
            // With IPv6 it gets one of ours; a kernel without IPv6 has nothing to withhold.
            try? netlink.perform(.setLink(named: options.bridgeName, withholdsLinkLocalAddress: true))
            return try netlink.link(named: options.bridgeName)
        }
    }

    private func configure(_ bridge: Link, _ options: BridgeOptions, _ network: NetworkSpecification, isNew: Bool)
        throws(NetworkError)
    {
        try attempt("set up bridge \(bridge.name)") { () throws(KernelError) in
            if configuration.routesLoopback, network.usesIPv4 {
                try NetworkSysctl.ensure(["ipv4", "conf", bridge.name, "route_localnet"], "1")
            }
            if network.usesIPv4, !options.allowsCommunication, firewall.configuration.isEnabled {
                // Where ports are isolated from each other, what the firewall lets through is routed: the bridge answers
                // for everyone, at once, and tells nobody of a shorter way.
                try NetworkSysctl.ensure(["ipv4", "conf", bridge.name, "proxy_arp_pvlan"], "1")
                try NetworkSysctl.ensure(["ipv4", "neigh", bridge.name, "proxy_delay"], "0")
                try NetworkSysctl.ensure(["ipv4", "conf", bridge.name, "send_redirects"], "0")
            }
            if network.usesIPv6 {
                try NetworkSysctl.ensure(["ipv6", "conf", bridge.name, "disable_ipv6"], "0")
                // For the kernel's link-local address on a bridge of the user's: while it is being checked, the bridge can
                // ask for no neighbour, and packets to containers wait for seconds.
                try NetworkSysctl.ensure(["ipv6", "conf", bridge.name, "accept_dad"], "0")
                // A container must not tell the host where to send.
                try NetworkSysctl.ensure(["ipv6", "conf", bridge.name, "accept_ra"], "0")
            }
            let present = Set(
                isNew ? [] : try netlink.addresses(of: bridge.index).map { [$0.prefixLength] + $0.address })
            var requests: [NetlinkRequest] = []
            // The kernel makes a link-local address in its own time, once the bridge has a port; one that is given is
            // there for the first packet to the first container. Docker gives this one, too.
            if network.usesIPv6, !present.contains(where: { $0[1...].starts(with: Self.linkLocalAddress[..<8]) }) {
                requests.append(
                    .addAddress(
                        InterfaceAddress(
                            interface: bridge.index, address: Self.linkLocalAddress, prefixLength: 64, scope: 253)))
            }
            for subnet in network.subnets {
                let family = subnet.prefix.family
                guard let gateway = subnet.gateway, options.gatewayMode(family) != .isolated,
                    !(family == .v4 && options.inhibitsIPv4),
                    !present.contains([UInt8(subnet.prefix.length)] + gateway.bytes)
                else { continue }
                requests.append(
                    .addAddress(
                        InterfaceAddress(
                            interface: bridge.index, address: gateway.bytes,
                            prefixLength: UInt8(subnet.prefix.length))))
            }
            if !bridge.isUp { requests.append(.setLink(bridge.index, isUp: true)) }
            try netlink.perform(requests)
        }
    }

    /// fe80::1, of the bridge.
    private static let linkLocalAddress: [UInt8] = [0xfe, 0x80] + [UInt8](repeating: 0, count: 13) + [1]

    /// The network as the firewall sees it.
    public static func firewallNetwork(_ network: NetworkSpecification, _ options: BridgeOptions) -> FirewallNetwork {
        FirewallNetwork(
            id: network.id, bridge: options.bridgeName, subnets: network.subnets.map(\.prefix),
            isInternal: network.isInternal, allowsCommunication: options.allowsCommunication,
            masquerades: options.masquerades, gatewayMode4: options.gatewayMode4, gatewayMode6: options.gatewayMode6,
            sourceAddress4: options.sourceAddress4, sourceAddress6: options.sourceAddress6,
            trustedInterfaces: options.trustedInterfaces)
    }

    public func remove(_ network: NetworkSpecification) throws(NetworkError) {
        let options = try BridgeOptions(network)
        try firewall.remove(network: network.id)
        // A bridge without our mark is the user's.
        guard let bridge = try link(named: options.bridgeName), let mark = InterfaceMark(bridge.alias),
            mark.networkID == network.id, mark.owner == configuration.owner
        else { return }
        do throws(KernelError) { try netlink.perform(.deleteLink(bridge.index)) } catch {
            if error.code != .noDevice { throw NetworkError("remove bridge \(bridge.name)", error) }
        }
    }

    // MARK: Endpoints

    /// Few system calls change something: one makes both ends in their places, some set the container's end's settings,
    /// one gives it addresses and routes and brings it up, one makes it known; a bridge without communication takes one
    /// more.
    public func join(_ endpoint: EndpointSpecification, to network: NetworkSpecification, in sandbox: NetworkSandbox)
        throws(NetworkError) -> JoinedEndpoint
    {
        let options = try BridgeOptions(network)
        if let name = endpoint.interfaceName { try InterfaceName.check(name) }
        guard let bridge = try link(named: options.bridgeName) else {
            throw NetworkError(
                .notFound, "bridge \(options.bridgeName) of network \(network.shortID) is gone: restart the daemon")
        }
        let name = try sandbox.freeName(endpoint.interfaceName, prefix: options.interfacePrefix)
        let hostName = "veth" + randomHexadecimal(bytes: 5)
        let mac = endpoint.macAddress ?? .random()
        let mtu = options.mtu ?? configuration.mtu
        try attempt("connect the container to bridge \(bridge.name)") { () throws(KernelError) in
            let peer = LinkSettings(
                name: name, namespace: sandbox.namespace.descriptor, macAddress: mac.bytes, mtu: mtu)
            let host = LinkSettings(name: hostName, mtu: mtu, master: bridge.index)
            let mark = InterfaceMark(owner: configuration.owner, networkID: network.id, endpointID: endpoint.id)
            var requests: [NetlinkRequest] = [.createLink(.veth(peer: peer), host)]
            if let flags = Self.portFlags(endpoint, options) {
                requests.append(.setBridgePort(named: hostName, flags))
            }
            requests += [
                .setLink(named: hostName, alias: mark.description),
                .setLink(named: hostName, withholdsLinkLocalAddress: true), .setLink(named: hostName, isUp: true),
            ]
            // A kernel without IPv6 has no link-local address to withhold.
            for (index, failure) in try netlink.performAll(requests).enumerated() where index != requests.count - 2 {
                if let failure {
                    if index > 0 { try? netlink.perform(.deleteLink(named: hostName)) }
                    throw failure
                }
            }
        }
        let gateways = [network.gateway(for: endpoint.address4), network.gateway(for: endpoint.address6)]
        do throws(NetworkError) {
            let interface = try attempt("find interface \(name)") { () throws(KernelError) in
                try sandbox.netlink.link(named: name).index
            }
            let isClosed = network.isInternal
            try sandbox.configure(
                interface, named: name, endpoint, gateways: isClosed ? [] : gateways.compactMap { $0 },
                routesOnLink: false)
            // The container's end is up, so both have a carrier now; the first port gives the bridge its own.
            try attempt("bring up \(hostName)") { () throws(KernelError) in
                try netlink.settleCarrier(of: hostName)
                if !bridge.isRunning { try netlink.settleCarrier(of: bridge.name) }
            }
            try sandbox.announce(interface, mac)
        } catch {
            try? netlink.perform(.deleteLink(named: hostName))
            throw error
        }
        return JoinedEndpoint(
            interface: name, macAddress: mac, hostInterface: hostName, gateway4: gateways[0], gateway6: gateways[1],
            routesOnLink: false)
    }

    /// What the bridge itself must see to.
    ///
    /// Where the host filters bridged packets (`bridge-nf-call-iptables`), translation happens on the bridge: a container
    /// that calls its own published port gets its packets back through the port that they came from. And the firewall
    /// sees to it that containers do not communicate. Elsewhere packets between containers never get there: their ports
    /// are isolated from each other, and translation is the host's own.
    private static func portFlags(_ endpoint: EndpointSpecification, _ options: BridgeOptions) -> BridgePortFlags? {
        func isFiltered(_ setting: String) -> Bool { (try? NetworkSysctl.read(["bridge", setting])) == "1" }
        let v4 = endpoint.address4 != nil ? isFiltered("bridge-nf-call-iptables") : nil
        let v6 = endpoint.address6 != nil ? isFiltered("bridge-nf-call-ip6tables") : nil
        let hairpin = v4 == true || v6 == true
        let isolated = !options.allowsCommunication && (v4 == false || v6 == false)
        if !hairpin && !isolated { return nil }
        return BridgePortFlags(hairpin: hairpin ? true : nil, isolated: isolated ? true : nil)
    }
}
