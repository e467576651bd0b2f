import Kernel

/// A subnet of a network, with its way out.
public struct NetworkSubnet: Hashable, Sendable {
    public var prefix: IPPrefix
    /// The bridge's own address, or a router's on the link.
    public var gateway: IPAddress?
    /// Where containers send what is for elsewhere, when that is not `gateway`: a router behind the bridge.
    public var router: IPAddress?

    public init(_ prefix: IPPrefix, gateway: IPAddress? = nil, router: IPAddress? = nil) {
        self.prefix = prefix.network
        self.gateway = gateway
        self.router = router
    }
}

/// A network as a driver needs to know it. What it is called and who may use it is the engine's business.
public struct NetworkSpecification: Hashable, Sendable {
    /// 64 hexadecimal digits; the first 12 name the interfaces.
    public var id: String
    public var subnets: [NetworkSubnet]
    /// No way out and no way in.
    public var isInternal: Bool
    public var usesIPv4: Bool
    public var usesIPv6: Bool
    /// The driver's options, as the user wrote them.
    public var options: [String: String]

    public init(
        id: String, subnets: [NetworkSubnet] = [], isInternal: Bool = false, usesIPv4: Bool = true,
        usesIPv6: Bool = false, options: [String: String] = [:]
    ) {
        self.id = id
        self.subnets = subnets
        self.isInternal = isInternal
        self.usesIPv4 = usesIPv4
        self.usesIPv6 = usesIPv6
        self.options = options
    }

    public var shortID: String { String(id.prefix(12)) }

    /// Where a container with an address sends what is for elsewhere.
    public func gateway(for address: IPPrefix?) -> IPAddress? {
        guard let address, let subnet = subnets.first(where: { $0.prefix.contains(address.address) }) else {
            return nil
        }
        return subnet.router ?? subnet.gateway
    }
}

/// A container's place on a network.
public struct EndpointSpecification: Hashable, Sendable {
    /// 64 hexadecimal digits.
    public var id: String
    /// With the subnet's length.
    public var address4: IPPrefix?
    public var address6: IPPrefix?
    /// `nil` for a random one.
    public var macAddress: MACAddress?
    /// What the interface is called in the container (`com.docker.network.endpoint.ifname`); `nil` for the driver's
    /// prefix and the next free number.
    public var interfaceName: String?
    /// For which families this endpoint has the container's default route; see `DefaultRoutes`.
    public var defaultRoutes: Set<IPFamily>
    /// Settings below `net`, as in `net.ipv4.conf.IFNAME.log_martians=1` (`com.docker.network.endpoint.sysctls`), each
    /// with IFNAME for the interface's name.
    public var sysctls: [String]

    public init(
        id: String, address4: IPPrefix? = nil, address6: IPPrefix? = nil, macAddress: MACAddress? = nil,
        interfaceName: String? = nil, defaultRoutes: Set<IPFamily> = [.v4, .v6], sysctls: [String] = []
    ) {
        self.id = id
        self.address4 = address4
        self.address6 = address6
        self.macAddress = macAddress
        self.interfaceName = interfaceName
        self.defaultRoutes = defaultRoutes
        self.sysctls = sysctls
    }
}

/// An endpoint that is in place.
public struct JoinedEndpoint: Hashable, Sendable {
    /// The name inside the container.
    public var interface: String
    public var macAddress: MACAddress
    /// The host's end, when there is one.
    public var hostInterface: String?
    /// The gateways of the endpoint's subnets, whether or not they have the container's default route.
    public var gateway4: IPAddress?
    public var gateway6: IPAddress?
    /// Whether the default route leads to the link rather than to a gateway (ipvlan l3).
    public var routesOnLink: Bool

    public init(
        interface: String, macAddress: MACAddress, hostInterface: String? = nil, gateway4: IPAddress? = nil,
        gateway6: IPAddress? = nil, routesOnLink: Bool = false
    ) {
        self.interface = interface
        self.macAddress = macAddress
        self.hostInterface = hostInterface
        self.gateway4 = gateway4
        self.gateway6 = gateway6
        self.routesOnLink = routesOnLink
    }
}

/// Makes networks of one kind on the host, and connects containers to them.
///
/// Every function blocks, and works in the network namespace of the calling thread; what fails leaves nothing behind.
public protocol NetworkDriver: Sendable {
    /// As in `network create --driver`.
    static var name: String { get }

    /// Checks options and names, without touching the host.
    func check(_ network: NetworkSpecification) throws(NetworkError)

    /// Makes what the host needs for the network. One that is already there from before is taken over.
    func create(_ network: NetworkSpecification) throws(NetworkError)

    /// Removes it. What is already gone is no error.
    func remove(_ network: NetworkSpecification) throws(NetworkError)

    /// Connects a container: when this returns, the interface is up, with addresses and routes.
    func join(_ endpoint: EndpointSpecification, to network: NetworkSpecification, in sandbox: NetworkSandbox)
        throws(NetworkError) -> JoinedEndpoint

    /// Disconnects a running container. For one that has ended nothing is needed: its interfaces end with it.
    func leave(_ joined: JoinedEndpoint, in sandbox: NetworkSandbox) throws(NetworkError)
}

extension NetworkDriver {
    public func leave(_ joined: JoinedEndpoint, in sandbox: NetworkSandbox) throws(NetworkError) {
        try sandbox.deleteInterface(joined.interface)
    }
}
