import Kernel

/// Networks on which each container is a station of its own, with its own MAC address, on the link of a host's interface.
public struct MacvlanDriver: ParentedDriver {
    public static let name = "macvlan"

    private enum ModeName: String, CaseIterable { case bridge, `private`, vepa, passthru }

    let parent: ParentInterface

    /// In the calling thread's network namespace.
    /// - Parameter owner: see `InterfaceMark`.
    public init(owner: String = "") throws(NetworkError) { parent = try ParentInterface(owner: owner) }

    static func mode(_ network: NetworkSpecification) throws(NetworkError) -> LinkKind.MacvlanMode {
        switch try DriverOptions(values: network.options).choice("macvlan_mode", ModeName.self) ?? .bridge {
        case .bridge: .bridge
        case .private: .private
        case .vepa: .vepa
        case .passthru: .passthru
        }
    }

    public func join(_ endpoint: EndpointSpecification, to network: NetworkSpecification, in sandbox: NetworkSandbox)
        throws(NetworkError) -> JoinedEndpoint
    {
        let mode = try Self.mode(network)
        let below = try parent.make(network)
        return try parent.join(
            .macvlan(parent: below, mode: mode), endpoint, to: network, in: sandbox,
            // In passthru mode the parent's own address is used.
            macAddress: mode == .passthru ? endpoint.macAddress : endpoint.macAddress ?? .random(), routesOnLink: false)
    }
}
