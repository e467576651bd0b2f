import EngineModel

/// The variables that tell a container of those it is linked to on the default bridge, as dockerd set them up to
/// version 28: programs written for links read nothing else.
package enum LinkEnvironment {
    /// - Parameters:
    ///   - alias: what the other is called in this container.
    ///   - name: this container's.
    ///   - address: the other's.
    ///   - ports: the other's exposed ports, as in `80/tcp`.
    ///   - environment: the other's.
    package static func variables(
        alias: String, name: String, address: String, ports: [String], environment: [String]
    ) -> [String] {
        let prefix = alias.uppercased().replacing("-", with: "_")
        let sorted = ports.compactMap { try? PortPlan.port($0) }
            .sorted { ($0.1, $0.0.rawValue) < ($1.1, $1.0.rawValue) }
        var result: [String] = []
        if let (networkProtocol, port) = sorted.first {
            result.append("\(prefix)_PORT=\(networkProtocol)://\(address):\(port)")
        }
        for (networkProtocol, port) in sorted {
            let start = "\(prefix)_PORT_\(port)_\("\(networkProtocol)".uppercased())"
            result += [
                "\(start)=\(networkProtocol)://\(address):\(port)", "\(start)_ADDR=\(address)", "\(start)_PORT=\(port)",
                "\(start)_PROTO=\(networkProtocol)",
            ]
        }
        result.append("\(prefix)_NAME=/\(name)/\(alias)")
        for variable in environment {
            guard let equals = variable.firstIndex(of: "="), !["HOME", "PATH"].contains(variable[..<equals]) else {
                continue
            }
            result.append("\(prefix)_ENV_\(variable)")
        }
        return result
    }
}

extension ContainerEngine {
    /// The variables of all links of a container.
    func linkEnvironment(_ record: ContainerRecord) throws(EngineError) -> [String] {
        guard record.hostConfig.networkMode == "bridge" else { return [] }
        var result: [String] = []
        for (alias, name) in Self.links(record.hostConfig.links ?? []).sorted(by: { $0.key < $1.key }) {
            let other = try registry.find(name)
            let (theirs, run) = other.read { ($0.record, $0.network?.record) }
            guard let address = run?.endpoints.first(where: { $0.networkName == "bridge" })?.prefix4?.address else {
                continue
            }
            result += LinkEnvironment.variables(
                alias: alias, name: record.name, address: "\(address)",
                ports: (theirs.config.exposedPorts ?? [:]).keys.sorted(),
                environment: theirs.config.env ?? [])
        }
        return result
    }
}
