import EngineModel
import JSON

/// The one node of the swarm.
extension ContainerEngine {
    public func nodes(_ filters: Filters) throws -> [SwarmNode] {
        let node = try node(try requireSwarm())
        do throws(InvalidFilter) {
            try filters.validate(["id", "label", "membership", "name", "node.label", "role"])
        } catch {
            throw EngineError.invalid("\(error)")
        }
        func any(_ name: String, _ test: (String) -> Bool) -> Bool {
            filters[name].isEmpty || filters[name].contains(where: test)
        }
        let isIncluded =
            any("id") { node.head.id.hasPrefix($0) } && any("name") { host.hostname.hasPrefix($0) }
            && any("role") { $0 == node.spec.role } && any("membership") { $0 == "accepted" }
            && filters.matchesLabels("node.label", node.spec.labels) && filters.matchesLabels("label", [:])
        return isIncluded ? [node] : []
    }

    /// - Throws: `EngineError.notFound` for any node but this one, by ID, name or the beginning of its ID.
    public func inspectNode(_ name: String) throws -> SwarmNode {
        let record = try requireSwarm()
        guard !name.isEmpty, record.nodeID.hasPrefix(name) || name == host.hostname else {
            throw EngineError(.notFound, "node \(name) not found")
        }
        return try node(record)
    }

    private func node(_ record: SwarmRecord) throws -> SwarmNode {
        var node = SwarmNode()
        node.head = SwarmObjectHead(
            id: record.nodeID, version: record.nodeVersion, createdAt: ContainerStatus.text(record.created),
            updatedAt: ContainerStatus.text(record.nodeUpdated))
        node.spec = record.node
        let plugins = [("Log", Self.logDrivers), ("Network", Self.networkDrivers), ("Volume", Self.volumeDrivers)]
            .flatMap { type, names in
                names.map { name -> JSONValue in ["Type": .string(type), "Name": .string(name)] }
            }
        node.description = JSONObject([
            ("Hostname", .string(host.hostname)),
            ("Platform", ["Architecture": .string(host.machine), "OS": "linux"]),
            ("Resources", ["NanoCPUs": (host.cpuCount * 1_000_000_000).json, "MemoryBytes": host.memory.json]),
            ("Engine", ["EngineVersion": .string(configuration.version), "Plugins": .array(plugins)]),
        ])
        node.status = JSONObject([("State", "ready"), ("Addr", .string(record.address))])
        node.managerStatus = JSONObject([
            ("Leader", true), ("Reachability", "reachable"), ("Addr", .string(managerAddress(record))),
        ])
        return node
    }

    /// Replaces what the user sets of the node. With no services to place, labels and availability only say something.
    public func updateNode(_ name: String, _ spec: SwarmNodeSpec, version: UInt64) async throws {
        try await networkLock.withLock { () async throws -> Void in
            _ = try inspectNode(name)
            var record = try requireSwarm()
            guard ["manager", "worker"].contains(spec.role) else {
                throw EngineError.invalid("invalid Role: \"\(spec.role)\"")
            }
            guard spec.role == "manager" else {
                throw EngineError.invalid("attempting to demote the last manager of the swarm")
            }
            try SwarmRecord.check(availability: spec.availability)
            try Self.check(version, record.nodeVersion)
            record.node = spec
            record.nodeVersion += 1
            record.nodeUpdated = Timestamp.now.nanosecondsSince1970
            try await keep(record)
            events.post(
                type: "node", action: "update", id: record.nodeID, attributes: ["name": host.hostname], scope: "swarm")
        }
    }
}
