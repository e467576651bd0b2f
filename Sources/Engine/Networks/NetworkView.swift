import ContainerNetwork
import EngineModel

/// A container's networks, as `inspect` and `ps` show them.
extension ContainerEngine {
    func networkSettings(_ container: Container) -> NetworkSettings {
        let (record, status, run) = container.read { ($0.record, $0.status, $0.network?.record) }
        var settings = NetworkSettings()
        settings.networks = endpointSettings(record, run)
        settings.sandboxID = run?.sandboxID ?? ""
        if status.isRunning, ContainerReference(record.hostConfig.networkMode) == nil {
            // No name is given to a container's namespace: it ends with the container's processes.
            settings.sandboxKey = "/proc/\(status.processID)/ns/net"
            settings.ports = ports(record, run)
        }
        // What Docker still shows at the top is the default network's.
        if let bridge = settings.networks?["bridge"] {
            settings.endpointID = bridge.endpointID
            settings.gateway = bridge.gateway
            settings.ipAddress = bridge.ipAddress
            settings.ipPrefixLen = bridge.ipPrefixLen
            settings.ipv6Gateway = bridge.ipv6Gateway
            settings.globalIPv6Address = bridge.globalIPv6Address
            settings.globalIPv6PrefixLen = bridge.globalIPv6PrefixLen
            settings.macAddress = bridge.macAddress
        }
        return settings
    }

    /// By the network's name.
    private func endpointSettings(_ record: ContainerRecord, _ run: RunNetworkRecord?) -> [String: EndpointSettings] {
        var result: [String: EndpointSettings] = [:]
        let mode = record.hostConfig.networkMode
        if EndpointRequests.isNone(record) || mode == "host" {
            var settings = EndpointSettings()
            settings.networkID = networks.network(named: mode)?.id ?? ""
            return [mode: settings]
        }
        for (name, request) in EndpointRequests.of(record) {
            var settings = request
            let network = try? networks.find(name)
            settings.networkID = network?.id ?? ""
            if let endpoint = run?.endpoints.first(where: { $0.networkName == name }) {
                settings.networkID = endpoint.networkID
                settings.endpointID = endpoint.endpointID
                settings.macAddress = endpoint.macAddress
                settings.gateway = endpoint.address4.isEmpty || network?.isInternal == true ? "" : endpoint.gateway4
                settings.ipAddress = endpoint.prefix4?.address.description ?? ""
                settings.ipPrefixLen = endpoint.prefix4?.length ?? 0
                settings.ipv6Gateway = endpoint.address6.isEmpty || network?.isInternal == true ? "" : endpoint.gateway6
                settings.globalIPv6Address = endpoint.prefix6?.address.description ?? ""
                settings.globalIPv6PrefixLen = endpoint.prefix6?.length ?? 0
            }
            if network?.hasNames ?? (name != "bridge") { settings.dnsNames = dnsNames(record, name) }
            result[network?.name ?? name] = settings
        }
        return result
    }

    /// Published ports with where they are, exposed ones with nothing.
    private func ports(_ record: ContainerRecord, _ run: RunNetworkRecord?) -> [String: [PortBinding]?] {
        var result: [String: [PortBinding]?] = [:]
        guard run?.endpoints.isEmpty == false else { return result }
        for name in (try? PortPlan(record.config, record.hostConfig))?.unpublished ?? [] {
            result.updateValue(nil, forKey: name)
        }
        for port in run?.ports ?? [] {
            let name = "\(port.containerPort)/\(port.networkProtocol)"
            var bindings = (result[name] ?? nil) ?? []
            if port.hostPort != 0 {
                bindings.append(PortBinding(hostIP: port.hostAddress, hostPort: "\(port.hostPort)"))
            }
            result.updateValue(bindings, forKey: name)
        }
        return result
    }

    /// The part of `ps` that is about networks.
    func addNetworks(of container: Container, to summary: inout ContainerSummary) {
        let (record, run) = container.read { ($0.record, $0.network?.record) }
        summary.names += linkNames(of: record)
        var part = ContainerSummary.NetworkPart()
        part.networks = endpointSettings(record, run)
        summary.networkSettings = part
        for (name, bindings) in ports(record, run) {
            guard let (networkProtocol, port) = try? PortPlan.port(name) else { continue }
            var shown = ContainerSummary.Port()
            shown.privatePort = port
            shown.type = "\(networkProtocol)"
            guard let bindings, !bindings.isEmpty else {
                summary.ports.append(shown)
                continue
            }
            for binding in bindings {
                shown.ip = binding.hostIP
                shown.publicPort = UInt16(binding.hostPort) ?? 0
                summary.ports.append(shown)
            }
        }
    }

    /// What others call a container by links of the default bridge, as in `/web/db`.
    private func linkNames(of record: ContainerRecord) -> [String] {
        var names: [String] = []
        for other in registry.all.map(\.record) where other.hostConfig.networkMode == "bridge" {
            guard let links = other.hostConfig.links, !links.isEmpty else { continue }
            for (alias, name) in Self.links(links) where name == record.name || record.id.hasPrefix(name) {
                names.append("/\(other.name)/\(alias)")
            }
        }
        return names.sorted()
    }

    /// The names and whole IDs of the networks that a container is, or is to be, on.
    func networkNames(_ record: ContainerRecord) -> Set<String> {
        let mode = record.hostConfig.networkMode
        var names: Set<String> = []
        for name in EndpointRequests.of(record).map(\.network) + [mode] where ContainerReference(name) == nil {
            names.insert(name)
            if let network = try? networks.find(name) { names.formUnion([network.name, network.id]) }
        }
        return names
    }
}
