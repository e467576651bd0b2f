import ContainerNetwork
import EngineModel

/// Ports of a container that are to be published: what `--publish`, `--publish-all` and `--expose` amount to.
package struct PortPlan: Equatable, Sendable {
    package struct Mapping: Equatable, Sendable {
        package var networkProtocol: PortProtocol
        package var containerPort: UInt16
        /// `nil` where none was named.
        package var hostAddress: IPAddress?
        /// The first free of these; `nil` for any.
        package var hostPorts: ClosedRange<UInt16>?

        package init(
            networkProtocol: PortProtocol, containerPort: UInt16, hostAddress: IPAddress? = nil,
            hostPorts: ClosedRange<UInt16>? = nil
        ) {
            self.networkProtocol = networkProtocol
            self.containerPort = containerPort
            self.hostAddress = hostAddress
            self.hostPorts = hostPorts
        }
    }

    package var mappings: [Mapping] = []
    /// Exposed ports that are not published, as in `80/tcp`.
    package var unpublished: [String] = []

    /// - Throws: `EngineError.invalidParameter`, with Docker's sentences.
    package init(_ config: ContainerConfig, _ host: HostConfig) throws(EngineError) {
        let bindings = host.portBindings ?? [:]
        for name in bindings.keys.sorted(by: Self.isBefore) {
            let (networkProtocol, port) = try Self.port(name)
            for binding in bindings[name].flatMap({ $0 }) ?? [] {
                mappings.append(
                    Mapping(
                        networkProtocol: networkProtocol, containerPort: port,
                        hostAddress: try Self.address(binding.hostIP), hostPorts: try Self.range(binding.hostPort)))
            }
        }
        for name in (config.exposedPorts ?? [:]).keys.sorted(by: Self.isBefore) {
            let (networkProtocol, port) = try Self.port(name)
            if mappings.contains(where: { $0.containerPort == port && $0.networkProtocol == networkProtocol }) {
                continue
            }
            if host.publishAllPorts {
                mappings.append(Mapping(networkProtocol: networkProtocol, containerPort: port))
            } else {
                unpublished.append("\(port)/\(networkProtocol)")
            }
        }
    }

    private static func isBefore(_ left: String, _ right: String) -> Bool {
        let numbers = (Int(left.prefix { $0 != "/" }) ?? 0, Int(right.prefix { $0 != "/" }) ?? 0)
        return numbers.0 == numbers.1 ? left < right : numbers.0 < numbers.1
    }

    /// `80/tcp`, or `80`.
    package static func port(_ text: String) throws(EngineError) -> (PortProtocol, UInt16) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let number = UInt16(parts[0]), number > 0 else {
            throw .invalid("invalid port specification: \"\(text)\"")
        }
        guard parts.count == 1 || !parts[1].isEmpty else { throw .invalid("invalid port specification: \"\(text)\"") }
        guard let networkProtocol = PortProtocol(parts.count == 2 ? parts[1] : "tcp") else {
            throw .invalid("invalid port specification: \"\(text)\": the protocol must be tcp, udp or sctp")
        }
        return (networkProtocol, number)
    }

    private static func address(_ text: String) throws(EngineError) -> IPAddress? {
        if text.isEmpty { return nil }
        var bare = text[...]
        if bare.hasPrefix("["), bare.hasSuffix("]") { bare = bare.dropFirst().dropLast() }
        guard let address = IPAddress(bare) else { throw .invalid("invalid IP address: \(text)") }
        return address
    }

    /// A port, or two with a dash; 0 and nothing are any.
    package static func range(_ text: String) throws(EngineError) -> ClosedRange<UInt16>? {
        if text.isEmpty || text == "0" { return nil }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first > 0,
            first <= last
        else { throw .invalid("invalid port specification: \"\(text)\"") }
        return first...last
    }
}
