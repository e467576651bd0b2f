/// What a user asked for of one subnet (`IPAM.Config` of the API). What is `nil` is chosen.
public struct SubnetRequest: Hashable, Sendable {
    public var subnet: IPPrefix?
    /// From where containers get addresses.
    public var range: IPPrefix?
    public var gateway: IPAddress?
    /// Addresses that are someone else's, by name.
    public var auxiliary: [String: IPAddress]

    public init(
        subnet: IPPrefix? = nil, range: IPPrefix? = nil, gateway: IPAddress? = nil,
        auxiliary: [String: IPAddress] = [:]
    ) {
        self.subnet = subnet
        self.range = range
        self.gateway = gateway
        self.auxiliary = auxiliary
    }
}

/// A subnet of a network with the addresses that are taken in it.
public struct AddressedSubnet: Sendable {
    public let subnet: IPPrefix
    public let range: IPPrefix?
    /// Always one, reserved even where nobody uses it.
    public let gateway: IPAddress
    public let auxiliary: [String: IPAddress]
    public var pool: AddressPool
}

/// Turns what a user asked for into a network's subnets.
public enum NetworkAddressing {
    /// Checks every request, and chooses what is missing: a subnet for each family in use that has none, a gateway for
    /// each subnet (the lowest address of the range).
    ///
    /// - Parameters:
    ///   - networks: the subnets of all other networks.
    ///   - hostRoutes: see `HostRoutes`: chosen subnets avoid them. A subnet that the user names may lie over one.
    /// - Throws: `.invalidArgument` for what contradicts itself, `.conflict` for an overlap with another network,
    ///   `.exhausted` when the pools are.
    public static func resolve(
        _ requests: [SubnetRequest], usesIPv4: Bool = true, usesIPv6: Bool = false, pools: SubnetPools,
        networks: [IPPrefix] = [], hostRoutes: [IPPrefix] = [], order: AddressPool.Order = .lowestFree
    ) throws(NetworkError) -> [AddressedSubnet] {
        guard usesIPv4 || usesIPv6 else {
            throw NetworkError(.invalidArgument, "a network needs IPv4 or IPv6")
        }
        var requests = requests.filter { $0 != SubnetRequest() }
        for request in requests where request.subnet == nil {
            // dockerd refuses a range, a gateway or an auxiliary address that floats.
            throw NetworkError(
                .invalidArgument, "a subnet must be named when an ip-range, a gateway or an aux-address is")
        }
        for request in requests {
            guard let family = request.subnet?.family else { continue }
            if family == .v4 ? !usesIPv4 : !usesIPv6 {
                throw NetworkError(
                    .invalidArgument,
                    "the subnet \(text(request)) is of \(family), which is not enabled for the network")
            }
        }
        for family in IPFamily.allCases where family == .v4 ? usesIPv4 : usesIPv6 {
            if requests.contains(where: { $0.subnet?.family == family }) { continue }
            let subnet = try pools.allocate(
                family, avoiding: networks + hostRoutes + requests.compactMap(\.subnet))
            requests.append(SubnetRequest(subnet: subnet))
        }
        var resolved: [AddressedSubnet] = []
        for request in requests {
            let subnet = try resolve(request, networks: networks, order: order)
            if let other = resolved.first(where: { $0.subnet.overlaps(subnet.subnet) }) {
                throw NetworkError(
                    .invalidArgument, "the subnets \(other.subnet) and \(subnet.subnet) of the network overlap")
            }
            resolved.append(subnet)
        }
        return resolved
    }

    private static func text(_ request: SubnetRequest) -> String { request.subnet?.description ?? "" }

    private static func resolve(_ request: SubnetRequest, networks: [IPPrefix], order: AddressPool.Order)
        throws(NetworkError) -> AddressedSubnet
    {
        guard let subnet = request.subnet else { throw NetworkError(.invalidArgument, "a subnet must be named") }
        if !subnet.isNetwork {
            throw NetworkError(.invalidArgument, "invalid subnet \(subnet): it should be \(subnet.network)")
        }
        if subnet.hostBitCount == 0 || subnet.length == 0 {
            throw NetworkError(
                .invalidArgument, "invalid subnet \(subnet): it has no room for a gateway and a container")
        }
        if let other = networks.first(where: { $0.overlaps(subnet) }) {
            throw NetworkError(
                .conflict, "invalid subnet \(subnet): it overlaps with \(other.network), which another network has")
        }
        if let range = request.range, !range.isNetwork {
            throw NetworkError(.invalidArgument, "invalid ip-range \(range): it should be \(range.network)")
        }
        var pool = try AddressPool(subnet: subnet, range: request.range, order: order)
        for (name, address) in request.auxiliary.sorted(by: { $0.key < $1.key }) {
            guard address != request.gateway else {
                throw NetworkError(.conflict, "the aux-address \(name)=\(address) is the gateway")
            }
            try pool.reserve(address)
        }
        let gateway: IPAddress
        if let wanted = request.gateway {
            guard subnet.contains(wanted) else {
                throw NetworkError(.invalidArgument, "invalid gateway \(wanted): it is not in the subnet \(subnet)")
            }
            try pool.reserve(wanted)
            gateway = wanted
        } else {
            gateway = try pool.allocate()
        }
        return AddressedSubnet(
            subnet: subnet, range: request.range, gateway: gateway, auxiliary: request.auxiliary, pool: pool)
    }
}
