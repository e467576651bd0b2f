import Cgroups
import EngineModel
import JSON
import Kernel
import Monitor
import Storage

extension ContainerEngine {
    /// Brings memory, database, processes and disk to one truth after a start: whatever happened to the last daemon.
    func recover() async throws {
        let (rows, failures) = try await blocking { try self.store.load() }
        for failure in failures { logger.error("cannot read a container's row", metadata: ["row": "\(failure)"]) }
        for (record, status) in rows { registry.insert(Container(record, status)) }
        let containers = registry.all
        try await blocking { try self.recoverNetworks(containers) }
        // A row that cannot be read still owns what it names: nothing is swept then.
        let mayCleanUp = failures.isEmpty
        await withTaskGroup(of: Void.self) { group in
            for container in registry.all { group.addTask { await self.recover(container) } }
        }
        if try await blocking({ try self.swarmStore.isLeaving() }) {
            do { try await finishLeaving() } catch {
                logger.error("cannot end the swarm; the next start will", metadata: ["error": "\(error)"])
            }
        }
        if mayCleanUp {
            await sweepRunDirectories()
            try await blocking {
                self.sweepCgroups()
                try self.sweepLayers()
                try self.sweepNetworks()
                try self.sweepVolumes()
            }
        }
        for container in registry.all { await resumePolicy(container) }
    }

    // MARK: One container

    private func recover(_ container: Container) async {
        let directory = runDirectory(container.id)
        let status = container.status
        let signals = RunSignals(
            whenOutOfMemory: { [weak self, weak container] in
                guard let self, let container else { return }
                container.change { $0.status.isOOMKilled = true }
                self.post(container, "oom")
            },
            whenExecExited: { [weak self] id, code in self?.execExited(id, code) })
        if let (connection, state) = try? await connect(directory, signals) {
            if await adopt(container, connection, state, signals) { return }
        }
        try? await blocking { self.forgetNetwork(of: container.id) }
        let exit = try? await blocking { try ExitRecord.read(directory: directory) }
        if let exit, exit.finishedAt > status.finishedAt || status.isRunning {
            _ = record(exit, of: container)
        } else if status.isRunning {
            try? await blocking { self.destroyRemains(directory, of: container.id) }
            _ = record(nil, of: container)
            logger.warning(
                "the monitor of a container was lost while the daemon was away", metadata: ["id": "\(container.id)"])
        } else {
            try? await blocking { self.destroyRemains(directory, of: container.id) }
            return
        }
        try? await blocking { try self.save(container) }
        post(container, "die", ["exitCode": "\(container.status.exitCode)"])
    }

    private func connect(
        _ directory: String, _ signals: RunSignals
    ) async throws -> (MonitorConnection, MonitorState) {
        try await monitors.connect(directory: directory, timeout: .seconds(10)) { signals.deliver($0) }
    }

    /// Takes over a container that runs.
    /// - Returns: whether it does.
    private func adopt(
        _ container: Container, _ connection: MonitorConnection, _ state: MonitorState, _ signals: RunSignals
    ) async -> Bool {
        guard state.status == .running || state.status == .paused else {
            // Created and never started: the daemon was killed in the middle of a start that nobody was told of.
            if state.status != .stopped { try? await connection.shutdown() }
            _ = try? await signals.ended.get(within: .seconds(5))
            return false
        }
        let specification = HostFiles.text(runDirectory(container.id) + "/config.json").flatMap {
            try? JSONValue(parsing: $0)
        }
        let run = ContainerRun(
            connection: connection, processID: state.processID, isTerminal: container.record.config.tty,
            cgroupsPath: specification?["linux"]?["cgroupsPath"]?.string ?? "")
        container.change { inner in
            inner.run = run
            inner.status.phase = state.status == .paused ? .paused : .running
            inner.status.processID = state.processID
            inner.status.isOOMKilled = state.oomKilled
            if state.startedAt > 0 { inner.status.startedAt = state.startedAt }
        }
        await adoptNetwork(of: container, processID: state.processID)
        execs.adopt(state.execs, container: container)
        try? await blocking { try self.save(container) }
        watch(run, signals, of: container)
        startHealthChecks(container, run)
        return true
    }

    /// Starts what should run, and removes what should not be there any more.
    private func resumePolicy(_ container: Container) async {
        await container.lock.withLock {
            let (record, status) = (container.record, container.status)
            guard !status.isRunning else { return }
            let restarts =
                status.phase == .restarting
                || RestartDecision.restartsWithDaemon(
                    record.restartPolicy, exitCode: status.exitCode, count: status.restartCount,
                    wasStopped: status.wasStopped, wasStarted: status.startedAt > 0)
            if restarts {
                container.change { $0.status.phase = .restarting }
                scheduleRestart(of: container, immediately: true)
            } else if record.hostConfig.autoRemove, status.startedAt > 0 {
                await removeQuietly(container, removesVolumes: true)
            }
        }
    }

    // MARK: Remains

    /// Ends monitors of containers that do not exist, and removes their directories and cgroups.
    private func sweepRunDirectories() async {
        let top = configuration.execRoot + "/containers"
        guard
            let names = try? await blocking({
                try FileDescriptor.currentDirectory.entries(of: top).map(\.name)
            })
        else { return }
        for name in names where registry.container(id: name) == nil {
            let directory = "\(top)/\(name)"
            let signals = RunSignals(whenOutOfMemory: {}, whenExecExited: { _, _ in })
            if let (connection, _) = try? await connect(directory, signals) {
                try? await connection.shutdown()
                _ = try? await signals.ended.get(within: .seconds(10))
            }
            try? await blocking {
                self.destroyRemains(directory, of: name)
                try FileDescriptor.currentDirectory.removeTree(directory)
            }
        }
    }

    /// Removes the cgroups below our own parent that no running container has; blocks.
    private func sweepCgroups() {
        let running = Set(registry.all.filter { $0.run != nil }.map(\.id))
        let parent = configuration.cgroupParent ?? (cgroupDriver == .systemd ? "system.slice" : "/dhow")
        var found: Set<String> = []
        let hierarchies = cgroups.hierarchies + (cgroups.unified.map { [$0] } ?? [])
        for hierarchy in hierarchies {
            let directory = PathText.join(hierarchy.mountPoint, parent)
            for entry in (try? FileDescriptor.currentDirectory.entries(of: directory)) ?? [] {
                var name = entry.name
                if cgroupDriver == .systemd {
                    guard name.hasPrefix("dhow-"), name.hasSuffix(".scope") else { continue }
                    name = String(name.dropFirst(5).dropLast(6))
                }
                guard name.utf8.count == 64, Names.isHexadecimal(name), !running.contains(name) else { continue }
                // Another daemon may be about to put its container's first process into one that is new.
                if registry.container(id: name) == nil, isYoung(PathText.join(directory, entry.name)) { continue }
                found.insert(name)
            }
        }
        for id in found {
            // Another daemon's containers may have the same parent: only our own instance's are known to be ours.
            guard registry.container(id: id) != nil || !isOwnedElsewhere(id) else { continue }
            destroyCgroup(
                cgroupDriver == .systemd ? "\(parent):dhow:\(id)" : PathText.join("/" + parent, id), of: id)
        }
    }

    /// Whether a directory was made in the last minute.
    private func isYoung(_ path: String) -> Bool {
        guard let status = try? FileDescriptor.currentDirectory.status(of: path) else { return true }
        return Timestamp.now.seconds - status.modified.seconds < 60
    }

    /// Whether a cgroup has processes that no monitor of ours answers for: then another daemon's may.
    private func isOwnedElsewhere(_ id: String) -> Bool {
        let path =
            cgroupDriver == .systemd
            ? "\(configuration.cgroupParent ?? "system.slice"):dhow:\(id)"
            : PathText.join("/" + (configuration.cgroupParent ?? "/dhow"), id)
        guard let cgroup = try? cgroups.cgroup(path: path, containerID: id, driver: cgroupDriver) else { return true }
        return !((try? cgroup.processes())?.isEmpty ?? true)
    }

    private func sweepLayers() throws {
        for id in try storage.containers.list() where registry.container(id: id) == nil {
            try storage.containers.remove(id)
        }
    }

    private func sweepVolumes() throws {
        try removeOwedVolumes(try store.owedVolumes())
        let unfinished = try store.unfinishedCreations()
        guard let first = unfinished.first else { return }
        // What was made for a container that never came to be: anonymous, used by none, not older than the attempt.
        for volume in try storage.volumes.list()
        where volume.isAnonymous && EngineModel.Timestamp(seconds: first.began / 1_000_000_000 - 1) <= volume.created
            && containers(usingVolume: volume.name).isEmpty
        {
            try storage.volumes.remove(volume.name, force: true)
        }
        for creation in unfinished { try store.abandonCreation(creation.id) }
    }
}
