import Kernel

/// What the host already routes, so that no network is laid over it.
public enum HostRoutes {
    /// The destinations of the host's routes, but the default routes, multicast and link-local ones.
    ///
    /// - Parameter ignoring: interfaces whose routes do not count, such as the bridge that a network is to use.
    public static func prefixes(_ netlink: NetlinkSocket, ignoring: Set<Int32> = []) throws(NetworkError) -> [IPPrefix]
    {
        let routes = try attempt("list the host's routes") { () throws(KernelError) in try netlink.routes() }
        var prefixes: Set<IPPrefix> = []
        for route in routes where !route.isDefault && !ignoring.contains(route.interface) && route.type == 1 {
            guard let address = IPAddress(bytes: route.destination),
                let prefix = IPPrefix(address, length: Int(route.prefixLength))
            else { continue }
            // fe80::/10 and ff00::/8 are on every interface.
            if case .v6(let address) = address, address.isLinkLocal || address.isMulticast { continue }
            // Two halves of everything, as VPNs make, are a default route in disguise.
            if prefix.length <= 1 { continue }
            prefixes.insert(prefix.network)
        }
        return prefixes.sorted()
    }
}
