/// A port of one container that another one may use on a network whose containers do not communicate otherwise.
public struct LinkedPort: Hashable, Sendable {
    public var source: IPv4Address
    public var target: IPv4Address
    public var networkProtocol: PortProtocol
    /// The target's.
    public var port: UInt16

    public init(from source: IPv4Address, to target: IPv4Address, _ networkProtocol: PortProtocol, _ port: UInt16) {
        self.source = source
        self.target = target
        self.networkProtocol = networkProtocol
        self.port = port
    }

    var element: FirewallElement {
        FirewallElement(
            "linked4", .address(.v4(source)), .address(.v4(target)), .protocol(networkProtocol), .port(port))
    }
}
