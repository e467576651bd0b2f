/// Protocols that have ports.
public enum PortProtocol: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case tcp = 6
    case udp = 17
    case sctp = 132

    /// As Docker writes it.
    public init?(_ name: some StringProtocol) {
        switch name.lowercased() {
        case "tcp": self = .tcp
        case "udp": self = .udp
        case "sctp": self = .sctp
        default: return nil
        }
    }

    public var description: String {
        switch self {
        case .tcp: "tcp"
        case .udp: "udp"
        case .sctp: "sctp"
        }
    }
}

/// One port of a container that the outside reaches.
public struct PublishedPort: Hashable, Sendable {
    public var networkProtocol: PortProtocol
    /// On which of the host's addresses; 0.0.0.0 or :: for all of its family.
    public var hostAddress: IPAddress
    public var hostPort: UInt16
    /// The container's address: of the same family as the host's.
    public var target: IPAddress
    public var targetPort: UInt16

    public init(
        _ networkProtocol: PortProtocol, host: IPAddress, _ hostPort: UInt16, to target: IPAddress, _ targetPort: UInt16
    ) {
        self.networkProtocol = networkProtocol
        hostAddress = host
        self.hostPort = hostPort
        self.target = target
        self.targetPort = targetPort
    }

    /// Where this port is in the table, on a network in this mode.
    func element(_ mode: GatewayMode) -> FirewallElement? {
        let family = target.family.rawValue
        switch mode {
        case .isolated: return nil
        case .routed:
            return FirewallElement("open\(family)", .address(target), .protocol(networkProtocol), .port(targetPort))
        case .nat, .natUnprotected:
            let destination = FirewallElement.Value.fields([.address(target), .port(targetPort)])
            if hostAddress.isUnspecified {
                return FirewallElement(
                    "wildcard\(family)", .protocol(networkProtocol), .port(hostPort), value: destination)
            }
            return FirewallElement(
                "published\(family)", .address(hostAddress), .protocol(networkProtocol), .port(hostPort),
                value: destination)
        }
    }
}
