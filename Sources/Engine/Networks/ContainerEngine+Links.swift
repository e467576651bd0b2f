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
            }
            let links = record.hostConfig.links
            container.change { $0.record.hostConfig.links = links }
        }
    }
}
