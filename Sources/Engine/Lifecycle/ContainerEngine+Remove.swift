import EngineModel
import GRDB
import Glibc
import Kernel

extension ContainerEngine {
    /// Removes a container with its writable layer and log.
    /// - Parameters:
    ///   - force: kills it first when it runs.
    ///   - removesVolumes: removes the anonymous volumes that were made for it as well.
    public func removeContainer(_ name: String, force: Bool, removesVolumes: Bool) async throws {
        let container = try registry.find(name)
        let status = container.status
        if status.isActive, !force {
            let advice =
                status.phase == .paused
                ? "container is paused and must be unpaused first"
                : "stop the container before removing or force remove"
            throw EngineError(
                .conflict,
                "cannot remove container \"/\(container.name)\": container is \(status.phase.rawValue): \(advice)")
        }
        for _ in 0..<5 {
            if let run = container.run {
                container.change { $0.status.wasStopped = true }
                try await kill(run, of: container)
            }
            // An automatic removal may have come first.
            if container.removal.current != nil { return }
            let isDone = try await container.lock.withLock { () async throws -> Bool in
                if container.removal.current != nil { return true }
                if container.run != nil { return false }
                cancelRestart(of: container)
                try await remove(container, removesVolumes: removesVolumes)
                return true
            }
            if isDone { return }
        }
        throw EngineError(.conflict, "container \(container.id) is started again and again; stop it first")
    }

    /// As `remove`, for a container that removes itself.
    func removeQuietly(_ container: Container, removesVolumes: Bool) async {
        do {
            try await remove(container, removesVolumes: removesVolumes)
        } catch {
            logger.error("cannot remove a container", metadata: ["id": "\(container.id)", "error": "\(error)"])
        }
    }

    /// Removes a container that does not run; its lock is held.
    private func remove(_ container: Container, removesVolumes: Bool) async throws(EngineError) {
        let waiting = container.change { state in
            state.status.phase = .removing
            defer { state.waitingAttachments = [] }
            return state.waitingAttachments
        }
        for attachment in waiting { Glibc.close(attachment.descriptor) }
        try await blocking { try self.erase(container, removesVolumes: removesVolumes) }
        execs.remove(ofContainer: container.id)
        registry.remove(container)
        post(container, "destroy")
        let outcome = ExitOutcome(exitCode: container.status.exitCode)
        settle(container, outcome)
        container.removal.set(outcome.exitCode)
    }

    private func erase(_ container: Container, removesVolumes: Bool) throws {
        let record = container.record
        let volumes = removesVolumes ? record.mounts.filter(\.isAnonymous).map(\.name) : []
        try store.delete(record.id, owing: volumes)
        // From here on the next start would finish it.
        try? FileDescriptor.currentDirectory.removeTree(runDirectory(record.id))
        // Who has to ask for it may want the space; nobody waits for the files of one that removes itself.
        try storage.containers.remove(record.id, waits: !record.hostConfig.autoRemove)
        try removeOwedVolumes(volumes)
    }

    /// Removes volumes that a removed container left; one that another container uses by now stays.
    func removeOwedVolumes(_ names: [String]) throws {
        guard !names.isEmpty else { return }
        for name in names where containers(usingVolume: name).isEmpty {
            try storage.volumes.remove(name, force: true)
            events.post(type: "volume", action: "destroy", id: name, attributes: ["driver": "local"])
        }
        try store.settle(volumes: names)
    }

    /// Removes all containers that do not run and that the filters choose.
    public func pruneContainers(_ filters: Filters) async throws -> ContainerPruneReport {
        let filter = try PruneFilter(filters)
        var report = ContainerPruneReport()
        for container in registry.all {
            let (record, status) = (container.record, container.status)
            guard !status.isActive, status.phase != .removing else { continue }
            guard filter.includes(labels: record.config.labels ?? [:], created: record.created) else { continue }
            let size = (try? await blocking { try self.storage.containers.size(of: record.id).writable }) ?? 0
            do {
                try await removeContainer(record.id, force: false, removesVolumes: false)
                report.containersDeleted = (report.containersDeleted ?? []) + [record.id]
                report.spaceReclaimed += UInt64(clamping: size)
            } catch {
                logger.warning("cannot prune a container", metadata: ["id": "\(record.id)", "error": "\(error)"])
            }
        }
        events.post(
            type: "container", action: "prune", id: "", attributes: ["reclaimed": "\(report.spaceReclaimed)"])
        return report
    }
}
