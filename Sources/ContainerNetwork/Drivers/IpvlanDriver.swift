import Kernel

/// Networks on which containers share the MAC address of a host's interface: switched (l2) or routed (l3, l3s).
public struct IpvlanDriver: ParentedDriver {
    public static let name = "ipvlan"

    private enum ModeName: String, CaseIterable { case l2, l3, l3s }
    private enum Flag: String, CaseIterable { case bridge, `private`, vepa }

    let parent: ParentInterface

    /// In the calling thread's network namespace.
    /// - Parameter owner: see `InterfaceMark`.
    public init(owner: String = "") throws(NetworkError) { parent = try ParentInterface(owner: owner) }

    static func mode(_ network: NetworkSpecification) throws(NetworkError)
        -> (LinkKind.IpvlanMode, LinkKind.IpvlanFlag)
    {
        let options = DriverOptions(values: network.options)
        let mode: LinkKind.IpvlanMode =
            switch try options.choice("ipvlan_mode", ModeName.self) ?? .l2 {
            case .l2: .l2
            case .l3: .l3
            case .l3s: .l3s
            }
        let flag: LinkKind.IpvlanFlag =
            switch try options.choice("ipvlan_flag", Flag.self) ?? .bridge {
            case .bridge: .bridge
            case .private: .private
            case .vepa: .vepa
            }
        return (mode, flag)
    }

    /// - Throws: `.invalidArgument` for an endpoint with a MAC address: ipvlan has none of its own.
    public func join(_ endpoint: EndpointSpecification, to network: NetworkSpecification, in sandbox: NetworkSandbox)
        throws(NetworkError) -> JoinedEndpoint
    {
        if endpoint.macAddress != nil {
            throw NetworkError(
                .invalidArgument, "an endpoint of an ipvlan network cannot have a MAC address of its own")
        }
        let (mode, flag) = try Self.mode(network)
        let below = try parent.make(network)
        return try parent.join(
            .ipvlan(parent: below, mode: mode, flag: flag), endpoint, to: network, in: sandbox, macAddress: nil,
            routesOnLink: mode != .l2)
    }
}
