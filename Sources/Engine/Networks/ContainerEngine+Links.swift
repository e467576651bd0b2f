import ContainerNetwork
import EngineModel

extension ContainerEngine {
    /// Removes a link of the default bridge.
    /// - Parameter name: the container that has it and the name it gives to the other, as in `web/db`.
    public func removeLink(_ name: String) async throws {
        let parts = name.split(separator: "/").map(String.init)
        guard parts.count == 2 else {
            throw EngineError(.conflict, "Conflict, cannot remove the default link name of the container")
        }
        let container = try registry.find(parts[0])
        try await container.lock.withLock { () async throws -> Void in
            var record = container.record
            let before = record
            record.hostConfig.links = before.hostConfig.links?.filter { Self.links([$0])[parts[1]] == nil }
            guard record.hostConfig.links != before.hostConfig.links else { throw EngineError.noSuchContainer(name) }
            let after = record
            try await blocking {
                try self.store.update(after)
                if container.run != nil { try self.updateHosts(from: before, to: after) }
                container.change { $0.record.hostConfig.links = after.hostConfig.links }
                try self.openLinkedPorts()
            }
        }
    }

    /// Where the default bridge's containers do not communicate, opens the exposed ports of those that run to those that
    /// link to them; blocks.
    func openLinkedPorts() throws(NetworkError) {
        guard !configuration.network.allowsCommunication else { return }
        func address(_ container: Container) -> IPv4Address? {
            let endpoints = container.read { $0.network?.record.endpoints } ?? []
            guard case .v4(let address)? = endpoints.first(where: { $0.networkName == "bridge" })?.prefix4?.address
            else { return nil }
            return address
        }
        try hostNetworking.firewall.link {
            var ports: Set<LinkedPort> = []
            for container in registry.all {
                let links = Self.links(container.record.hostConfig.links ?? [])
                guard !links.isEmpty, let source = address(container) else { continue }
                for name in links.values {
                    guard let other = try? registry.find(name), let target = address(other) else { continue }
                    for (networkProtocol, port) in (other.record.config.exposedPorts ?? [:]).keys.compactMap({
                        try? PortPlan.port($0)
                    }) {
                        ports.insert(LinkedPort(from: source, to: target, networkProtocol, port))
                    }
                }
            }
            return ports
        }
    }
}
