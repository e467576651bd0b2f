import Kernel

/// A container's network namespace, with a netlink socket in it: opened once, used for all of the container's networks.
public final class NetworkSandbox: Sendable {
    public let namespace: NetworkNamespace
    /// In the container's namespace.
    public let netlink: NetlinkSocket

    public init(_ namespace: NetworkNamespace) throws(NetworkError) {
        self.namespace = namespace
        netlink = try attempt("enter the container's network namespace") { () throws(KernelError) in
            try namespace.within { () throws(KernelError) in try NetlinkSocket() }
        }
    }

    /// - Parameter pid: of any process in it.
    public convenience init(pid: Int32) throws(NetworkError) {
        try self.init(
            try attempt("open the container's network namespace") { () throws(KernelError) in
                try NetworkNamespace.open(pid: pid)
            })
    }

    /// The name that was asked for, or `prefix` with the lowest number that is free.
    /// - Throws: `.conflict` when the name is taken.
    func freeName(_ wanted: String?, prefix: String) throws(NetworkError) -> String {
        let taken = Set(
            try attempt("list the container's interfaces") { () throws(KernelError) in try netlink.links() }
                .map(\.name))
        if let wanted {
            if taken.contains(wanted) {
                throw NetworkError(.conflict, "the container already has an interface \(wanted)")
            }
            return wanted
        }
        for number in 0... where !taken.contains("\(prefix)\(number)") { return "\(prefix)\(number)" }
        return prefix
    }

    func deleteInterface(_ name: String) throws(NetworkError) {
        do throws(KernelError) { try netlink.perform(.deleteLink(named: name)) } catch {
            if error.code != .noDevice { throw NetworkError("disconnect the container", error) }
        }
    }

    /// Gives an interface, still down, its settings, addresses and routes, and brings it up: one entry into the
    /// namespace for the settings, one system call for the rest.
    func configure(
        _ interface: Int32, named name: String, _ endpoint: EndpointSpecification, gateways: [IPAddress],
        routesOnLink: Bool
    ) throws(NetworkError) {
        let settings = try Self.settings(endpoint.sysctls, interface: name)
        try attempt("set up interface \(name)") { () throws(KernelError) in
            try namespace.within { () throws(KernelError) in
                try Self.enableIPv6(endpoint.address6 != nil, on: name)
                // The kernel tells the link about the addresses: see `announce`.
                try NetworkSysctl.write(["ipv4", "conf", name, "arp_notify"], "1")
                if endpoint.address6 != nil { try NetworkSysctl.write(["ipv6", "conf", name, "ndisc_notify"], "1") }
                for (path, value) in settings { try NetworkSysctl.write(path, value) }
            }
            var requests: [NetlinkRequest] = []
            for prefix in [endpoint.address4, endpoint.address6] {
                guard let prefix else { continue }
                requests.append(
                    .addAddress(
                        InterfaceAddress(
                            interface: interface, address: prefix.address.bytes, prefixLength: UInt8(prefix.length))))
            }
            requests.append(.setLink(interface, isUp: true))
            for family in endpoint.defaultRoutes.sorted(by: { $0.rawValue < $1.rawValue }) {
                let address = family == .v4 ? endpoint.address4 : endpoint.address6
                guard let address else { continue }
                if routesOnLink {
                    requests.append(.addRoute(Self.linkRoute(family, interface)))
                } else if let gateway = gateways.first(where: { $0.family == family }) {
                    requests.append(
                        .addRoute(
                            .default(
                                via: gateway.bytes, interface: interface, isOnLink: !address.contains(gateway))))
                }
            }
            try netlink.perform(requests)
        }
    }

    /// Tells the link about the interface's addresses, so that nobody goes on sending to a container that had one before:
    /// who does needs eight seconds to notice.
    ///
    /// The kernel does so when the interface comes up, which a bridge does not hear: its port is opened only then. It
    /// also does when the MAC address is set, were it the same.
    func announce(_ interface: Int32, _ macAddress: MACAddress) throws(NetworkError) {
        try attempt("tell the network about a container's addresses") { () throws(KernelError) in
            try netlink.perform(.setLink(interface, LinkSettings(macAddress: macAddress.bytes)))
        }
    }

    private static func linkRoute(_ family: IPFamily, _ interface: Int32) -> Route {
        Route(family: family == .v4 ? 2 : 10, interface: interface)
    }

    private static func enableIPv6(_ isOn: Bool, on name: String) throws(KernelError) {
        do throws(KernelError) {
            try NetworkSysctl.ensure(["ipv6", "conf", name, "disable_ipv6"], isOn ? "0" : "1")
        } catch {
            // A kernel without IPv6 has nothing to turn off.
            if isOn || error.code != .notFound { throw error }
        }
    }

    /// Parses `net.ipv4.conf.IFNAME.log_martians=1`.
    static func settings(_ sysctls: [String], interface: String) throws(NetworkError) -> [([String], String)] {
        var settings: [([String], String)] = []
        for text in sysctls {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let path = parts[0].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            // net.<family>.(conf|neigh).IFNAME.<name>, as dockerd allows.
            guard parts.count == 2, path.count == 5, path[0] == "net", ["ipv4", "ipv6", "mpls"].contains(path[1]),
                ["conf", "neigh"].contains(path[2]), path[3] == "IFNAME", !path[4].isEmpty,
                !path[4].contains("/"), !parts[1].isEmpty
            else {
                throw NetworkError(
                    .invalidArgument,
                    "invalid endpoint sysctl \"\(text)\": write it as net.ipv4.conf.IFNAME.setting=value")
            }
            settings.append(([path[1], path[2], interface, path[4]], String(parts[1])))
        }
        return settings
    }

    /// Moves the default route of a family to an endpoint; `nil` removes it. For when networks are connected and
    /// disconnected while the container runs.
    public func setDefaultRoute(_ family: IPFamily, through endpoint: JoinedEndpoint?) throws(NetworkError) {
        try attempt("set the container's \(family) default route") { () throws(KernelError) in
            let number: UInt8 = family == .v4 ? 2 : 10
            // The kernel's own unreachable defaults for IPv6 are not of type 1.
            for route in try netlink.routes()
            where route.family == number && route.isDefault && route.type == 1 && route.table == 254 {
                try netlink.perform(.deleteRoute(route))
            }
            guard let endpoint else { return }
            let interface = try netlink.link(named: endpoint.interface).index
            if endpoint.routesOnLink {
                try netlink.perform(.addRoute(Self.linkRoute(family, interface)))
            } else if let gateway = family == .v4 ? endpoint.gateway4 : endpoint.gateway6 {
                try netlink.perform(.addRoute(.default(via: gateway.bytes, interface: interface, isOnLink: true)))
            }
        }
    }
}
