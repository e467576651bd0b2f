import EngineModel
import Storage

extension ContainerEngine {
    public func inspectContainer(_ name: String, size: Bool) async throws -> ContainerInspect {
        let container = try registry.find(name)
        let (record, status, health) = container.read { ($0.record, $0.status, $0.health) }
        var result = ContainerInspect()
        result.id = record.id
        result.created = ContainerStatus.text(record.created)
        result.path = record.command.first ?? ""
        result.args = Array(record.command.dropFirst())
        result.state = Self.state(status, health)
        result.image = record.imageID
        let files = storage.containers.directory(of: record.id)
        if status.startedAt != 0 {
            var owner = files
            if let other = ContainerReference(record.hostConfig.networkMode) {
                owner = storage.containers.directory(of: other.name)
            }
            result.resolvConfPath = owner + "/resolv.conf"
            result.hostnamePath = owner + "/hostname"
            result.hostsPath = owner + "/hosts"
        }
        if ["json-file", "local"].contains(record.hostConfig.logConfig.type) { result.logPath = logPath(record) }
        result.name = "/" + record.name
        result.restartCount = status.restartCount
        result.driver = record.driver
        result.platform = "linux"
        result.appArmorProfile =
            host.hasAppArmor ? (record.hostConfig.privileged ? "unconfined" : "docker-default") : ""
        let running = execs.running(inContainer: record.id)
        result.execIDs = running.isEmpty ? nil : running
        result.hostConfig = record.hostConfig
        if record.hostConfig.networkMode == "bridge" {
            // As Docker shows links of the default bridge, whose names are paths.
            result.hostConfig.links = record.hostConfig.links.map { links in
                Self.links(links).map { "/\($0.value):/\(record.name)/\($0.key)" }.sorted()
            }
        }
        result.mounts = record.mounts.filter { $0.kind != .tmpfs || $0.isFromMounts }.map(\.mountPoint)
        result.config = record.config
        result.networkSettings = networkSettings(container)
        let (graph, bytes) = try await blocking {
            (
                try self.graphDriver(record.id, record.driver),
                size ? try self.storage.containers.size(of: record.id) : nil
            )
        }
        result.graphDriver = graph
        result.sizeRw = bytes?.writable
        result.sizeRootFs = bytes?.total
        return result
    }

    private func graphDriver(_ id: String, _ driver: String) throws -> DriverData {
        switch try storage.containers.root(of: id) {
        case .overlay(let overlay):
            return DriverData(
                name: driver,
                data: [
                    "ID": id,
                    "LowerDir": overlay.lowerDirectories.joined(separator: ":"),
                    "UpperDir": overlay.upperDirectory,
                    "WorkDir": overlay.workDirectory,
                    // Mounted nowhere on the host; this is where Docker's would be.
                    "MergedDir": storage.containers.directory(of: id) + "/merged",
                ])
        case .directory(let path): return DriverData(name: driver, data: ["Dir": path])
        }
    }

    private static func state(_ status: ContainerStatus, _ health: Health?) -> ContainerState {
        var state = ContainerState()
        state.status = status.phase.rawValue
        // A container that is about to be restarted counts as running, in all its life.
        state.running = status.isActive
        state.paused = status.phase == .paused
        state.restarting = status.phase == .restarting
        state.oomKilled = status.isOOMKilled
        state.dead = status.phase == .dead
        state.pid = Int(status.processID)
        state.exitCode = status.exitCode
        state.error = status.error
        state.startedAt = ContainerStatus.text(status.startedAt)
        state.finishedAt = ContainerStatus.text(status.finishedAt)
        state.health = health
        return state
    }

    public func renameContainer(_ name: String, to newName: String) async throws {
        let container = try registry.find(name)
        let new = newName.hasPrefix("/") ? String(newName.dropFirst()) : newName
        guard !new.isEmpty else { throw EngineError.invalid("Neither old nor new names may be empty") }
        guard Names.isValid(new) else {
            throw EngineError.invalid("Invalid container name (\(new)), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        }
        try await container.lock.withLock { () async throws -> Void in
            let old = container.name
            if old == new {
                throw EngineError.invalid("Renaming a container with the same name as its current name")
            }
            if let owner = registry.reserve(new, for: container.id) {
                throw ContainerRegistry.nameInUse(new, by: owner)
            }
            do throws(EngineError) {
                var record = container.record
                record.name = new
                let changed = record
                try await blocking { try self.store.update(changed) }
            } catch {
                registry.release(new, of: container.id)
                throw error
            }
            container.change { $0.record.name = new }
            registry.release(old, of: container.id)
            if let run = container.read({ $0.network }) {
                for endpoint in run.record.endpoints { register(endpoint, of: container) }
            }
            post(container, "rename", ["oldName": "/" + old])
        }
    }

    public func updateContainer(_ name: String, _ update: ContainerUpdate) async throws -> ContainerUpdateResponse {
        let container = try registry.find(name)
        return try await container.lock.withLock { () async throws -> ContainerUpdateResponse in
            var record = container.record
            var asked = update.resources
            let warnings = try ResourceValidation.check(&asked, on: host, isUpdate: true)
            if !update.restartPolicy.name.isEmpty {
                try ContainerValidation.check(update.restartPolicy)
                guard !record.hostConfig.autoRemove || update.restartPolicy.name == "no" else {
                    throw EngineError.invalid(
                        "Restart policy cannot be updated because AutoRemove is enabled for the container")
                }
                record.hostConfig.restartPolicy = update.restartPolicy
            }
            try record.hostConfig.resources.change(by: asked)
            if let run = container.run {
                let resources = try record.hostConfig.resources.specification
                do { try await run.connection.update(resources: resources) } catch {
                    throw EngineError(wrapping: error)
                }
            }
            let changed = record
            try await blocking { try self.store.update(changed) }
            container.change { $0.record = changed }
            post(container, "update")
            return ContainerUpdateResponse(warnings: warnings)
        }
    }
}

extension Resources {
    /// Takes over what is set in `update`, by Docker's rules.
    mutating func change(by update: Resources) throws(EngineError) {
        if update.nanoCpus != 0, cpuPeriod != 0 || cpuQuota != 0 {
            throw EngineError(
                .conflict,
                "Conflicting options: Nano CPUs cannot be updated as CPU Period or Quota has already been set")
        }
        if update.cpuPeriod != 0 || update.cpuQuota != 0, nanoCpus != 0 {
            throw EngineError(
                .conflict,
                "Conflicting options: CPU Period and Quota cannot be updated as NanoCPUs has already been set")
        }
        if update.memory != 0, update.memorySwap == 0, memorySwap > 0, update.memory > memorySwap {
            throw .invalid(
                "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
            )
        }
        if update.blkioWeight != 0 { blkioWeight = update.blkioWeight }
        if update.nanoCpus != 0 { nanoCpus = update.nanoCpus }
        if update.cpuShares != 0 { cpuShares = update.cpuShares }
        if update.cpuPeriod != 0 { cpuPeriod = update.cpuPeriod }
        if update.cpuQuota != 0 { cpuQuota = update.cpuQuota }
        if !update.cpusetCpus.isEmpty { cpusetCpus = update.cpusetCpus }
        if !update.cpusetMems.isEmpty { cpusetMems = update.cpusetMems }
        if update.memory != 0 { memory = update.memory }
        if update.memorySwap != 0 { memorySwap = update.memorySwap }
        if update.memoryReservation != 0 { memoryReservation = update.memoryReservation }
        if update.cpuRealtimePeriod != 0 { cpuRealtimePeriod = update.cpuRealtimePeriod }
        if update.cpuRealtimeRuntime != 0 { cpuRealtimeRuntime = update.cpuRealtimeRuntime }
        if let limit = update.pidsLimit { pidsLimit = limit }
    }
}
