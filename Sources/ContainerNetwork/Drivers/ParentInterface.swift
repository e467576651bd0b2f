import Kernel

/// The interface below a macvlan or ipvlan network: the user's, a VLAN of it, or a dummy when none is named.
struct ParentInterface {
    let netlink: NetlinkSocket
    let owner: String

    init(owner: String) throws(NetworkError) {
        netlink = try attempt("speak to the kernel about interfaces") { () throws(KernelError) in try NetlinkSocket() }
        self.owner = owner
    }

    /// The `parent` option, or `dm-` and the network's short ID.
    static func name(_ network: NetworkSpecification) throws(NetworkError) -> String {
        guard let name = network.options["parent"], !name.isEmpty else { return "dm-\(network.shortID)" }
        try InterfaceName.check(name)
        return name
    }

    static func hasParent(_ network: NetworkSpecification) -> Bool { network.options["parent"]?.isEmpty == false }

    /// Finds it, or makes it: `eth0.10` is VLAN 10 of eth0.
    func make(_ network: NetworkSpecification) throws(NetworkError) -> Int32 {
        let name = try Self.name(network)
        if let index = try find(name) { return index }
        let mark = InterfaceMark(owner: owner, networkID: network.id).description
        let settings = LinkSettings(name: name, isUp: true)
        let kind: LinkKind
        if !Self.hasParent(network) {
            kind = .dummy
        } else if let dot = name.lastIndex(of: "."), let tag = UInt16(name[name.index(after: dot)...]),
            (1...4094).contains(tag), let below = try find(String(name[..<dot]))
        {
            kind = .vlan(parent: below, identifier: tag)
        } else {
            throw NetworkError(.notFound, "there is no interface \(name) to be the network's parent")
        }
        return try attempt("make interface \(name)") { () throws(KernelError) in
            try netlink.perform([.createLink(kind, settings), .setLink(named: name, alias: mark)])
            return try netlink.link(named: name).index
        }
    }

    func find(_ name: String) throws(NetworkError) -> Int32? {
        do throws(KernelError) { return try netlink.link(named: name).index } catch {
            if error.code == .noDevice { return nil }
            throw NetworkError("look for interface \(name)", error)
        }
    }

    /// Deletes what `make` made.
    func remove(_ network: NetworkSpecification) throws(NetworkError) {
        for (link, mark) in try HostInterfaces.ours(netlink, owner: owner)
        where mark.networkID == network.id && mark.endpointID == nil {
            do throws(KernelError) { try netlink.perform(.deleteLink(link.index)) } catch {
                if error.code != .noDevice { throw NetworkError("remove interface \(link.name)", error) }
            }
        }
    }

    /// Makes an interface on the parent straight in the container, and sets it up.
    func join(
        _ kind: LinkKind, _ endpoint: EndpointSpecification, to network: NetworkSpecification,
        in sandbox: NetworkSandbox, macAddress: MACAddress?, routesOnLink: Bool
    ) throws(NetworkError) -> JoinedEndpoint {
        let options = DriverOptions(values: network.options)
        if let name = endpoint.interfaceName { try InterfaceName.check(name) }
        let prefix = try options.interface("com.docker.network.container_iface_prefix") ?? "eth"
        let name = try sandbox.freeName(endpoint.interfaceName, prefix: prefix)
        let mtu = try options.mtu()
        let link = try attempt("connect the container to network \(network.shortID)") { () throws(KernelError) in
            try netlink.perform(
                .createLink(
                    kind,
                    LinkSettings(
                        name: name, namespace: sandbox.namespace.descriptor, macAddress: macAddress?.bytes, mtu: mtu)))
            return try sandbox.netlink.link(named: name)
        }
        let gateways = [network.gateway(for: endpoint.address4), network.gateway(for: endpoint.address6)]
        do throws(NetworkError) {
            try sandbox.configure(
                link.index, named: name, endpoint, gateways: network.isInternal ? [] : gateways.compactMap { $0 },
                routesOnLink: routesOnLink && !network.isInternal)
        } catch {
            try? sandbox.netlink.perform(.deleteLink(link.index))
            throw error
        }
        return JoinedEndpoint(
            interface: name, macAddress: MACAddress(bytes: link.macAddress) ?? .random(), hostInterface: nil,
            gateway4: gateways[0], gateway6: gateways[1], routesOnLink: routesOnLink)
    }
}
