import Cgroups
import EngineModel
import Glibc
import JSON
import Kernel
import Monitor
import OCI
import Synchronization

extension ContainerEngine {
    /// Deals with the end of a run when it comes.
    func watch(_ run: ContainerRun, _ signals: RunSignals, of container: Container) {
        Task {
            guard let end = try? await signals.ended.get(), !isClosed else { return }
            await container.lock.withLock { await finish(container, run, end) }
        }
    }

    /// Records how a run ended, tells everyone, and decides what comes next; the container's lock is held.
    func finish(_ container: Container, _ run: ContainerRun, _ end: RunSignals.End) async {
        guard container.run === run else { return }
        let directory = runDirectory(container.id)
        var exit: ExitRecord?
        if case .exited(let record) = end { exit = record }
        if exit == nil { exit = try? await blocking { try ExitRecord.read(directory: directory) } }
        if exit == nil {
            // Its monitor was killed, and with it whoever could have said how the container ended.
            try? await blocking { self.destroyRemains(directory, of: container.id) }
        }
        let outcome = record(exit, of: container)
        container.change { $0.run = nil }
        run.connection.close()
        stopHealthChecks(container)
        execs.end(ofContainer: container.id)
        await releaseNetwork(of: container)
        let status = container.status
        let restarts = shouldRestart(container)
        if restarts { container.change { $0.status.phase = .restarting } }
        do {
            // One that removes itself is gone before anyone could ask; until then the exit is on record with its run.
            if !container.record.hostConfig.autoRemove { try await blocking { try self.save(container) } }
        } catch {
            logger.error(
                "cannot record the exit of a container", metadata: ["id": "\(container.id)", "error": "\(error)"])
        }
        let duration = max(0, (status.finishedAt - status.startedAt) / 1_000_000_000)
        post(container, "die", ["exitCode": "\(outcome.exitCode)", "execDuration": "\(duration)"])
        settle(container, outcome)
        run.exit.set(outcome)
        if restarts {
            scheduleRestart(of: container)
        } else if container.record.hostConfig.autoRemove {
            await removeQuietly(container, removesVolumes: true)
        }
    }

    /// Enters an exit into the status. Without a record the container is dead: nobody knows how it ended.
    func record(_ exit: ExitRecord?, of container: Container) -> ExitOutcome {
        container.change { state in
            state.status.processID = 0
            state.isStopping = false
            if let exit {
                state.status.phase = .exited
                state.status.exitCode = Int(exit.exitCode)
                state.status.isOOMKilled = exit.oomKilled
                state.status.error = exit.error ?? ""
                state.status.finishedAt = exit.finishedAt
                if exit.startedAt > 0 { state.status.startedAt = exit.startedAt }
            } else {
                state.status.phase = .dead
                state.status.exitCode = 137
                state.status.error =
                    "the container's monitor was killed, so the container was killed too; how it ended is not known"
                state.status.finishedAt = Timestamp.now.nanosecondsSince1970
            }
            return ExitOutcome(exitCode: state.status.exitCode, error: nil)
        }
    }

    /// Tells those who wait for the next exit.
    func settle(_ container: Container, _ outcome: ExitOutcome) {
        let waiting = container.change { state in
            defer { state.nextExit = AsyncValue() }
            return state.nextExit
        }
        waiting.set(outcome)
    }

    /// Kills what is left of a container whose monitor is gone, and removes its cgroup; blocks.
    func destroyRemains(_ directory: String, of id: String) {
        guard let text = HostFiles.text(directory + "/config.json"),
            let json = try? JSONValue(parsing: text)
        else { return }
        destroyCgroup(json["linux"]?["cgroupsPath"]?.string, of: id)
    }

    func destroyCgroup(_ path: String?, of id: String) {
        // A path that does not name the container is not ours to kill.
        guard let path, path.hasSuffix(id) else { return }
        do throws(CgroupError) {
            let cgroup = try cgroups.cgroup(path: path, containerID: id, driver: cgroupDriver)
            if cgroup.exists { try cgroup.killAll() }
            try cgroup.destroy()
        } catch {
            logger.warning("cannot remove a cgroup", metadata: ["path": "\(path)", "error": "\(error)"])
        }
    }

    // MARK: Restarting

    private func shouldRestart(_ container: Container) -> Bool {
        container.read { state in
            RestartDecision.restarts(
                state.record.restartPolicy, exitCode: state.status.exitCode, count: state.status.restartCount,
                wasStopped: state.status.wasStopped)
        }
    }

    /// Starts the container again after its delay.
    func scheduleRestart(of container: Container, immediately: Bool = false) {
        let delay = container.change { state -> Duration in
            let ran = Double(state.status.finishedAt - state.status.startedAt) / 1e9
            return immediately ? .zero : state.restartDelay.next(afterRunning: ran)
        }
        let task = Task { [weak self] in
            if delay > .zero { try? await Task.sleep(for: delay) }
            guard let self, !Task.isCancelled else { return }
            await container.lock.withLock {
                guard !Task.isCancelled, !self.isClosed, container.status.phase == .restarting else { return }
                container.change { state in
                    state.restart = nil
                    state.status.restartCount += 1
                }
                do throws(EngineError) {
                    try await self.launch(container, isRestart: true)
                } catch {
                    self.logger.warning(
                        "cannot restart a container", metadata: ["id": "\(container.id)", "error": "\(error)"])
                    await self.restartFailed(container)
                }
            }
        }
        container.change { $0.restart = task }
    }

    // A program that cannot be started is tried again like one that fails.
    private func restartFailed(_ container: Container) async {
        container.change { $0.status.finishedAt = Timestamp.now.nanosecondsSince1970 }
        guard shouldRestart(container), !isClosed else { return }
        container.change { state in
            state.status.phase = .restarting
            state.status.startedAt = state.status.finishedAt
        }
        try? await blocking { try self.save(container) }
        scheduleRestart(of: container)
    }

    /// Gives up a restart that is waited for.
    /// - Returns: whether there was one.
    @discardableResult
    func cancelRestart(of container: Container) -> Bool {
        let task = container.change { state -> Task<Void, Never>? in
            defer { state.restart = nil }
            if state.status.phase == .restarting { state.status.phase = .exited }
            return state.restart
        }
        task?.cancel()
        return task != nil
    }
}

/// Docker's rules for when a container that ended is started again.
package enum RestartDecision {
    package static func restarts(_ policy: RestartPolicy, exitCode: Int, count: Int, wasStopped: Bool) -> Bool {
        if wasStopped { return false }
        switch policy.name {
        case "always", "unless-stopped": return true
        case "on-failure": return exitCode != 0 && (policy.maximumRetryCount == 0 || count < policy.maximumRetryCount)
        default: return false
        }
    }

    /// The same for one that is found stopped when the daemon starts: `always` means it.
    package static func restartsWithDaemon(
        _ policy: RestartPolicy, exitCode: Int, count: Int, wasStopped: Bool, wasStarted: Bool
    ) -> Bool {
        guard wasStarted else { return false }
        if policy.name == "always" { return true }
        return restarts(policy, exitCode: exitCode, count: count, wasStopped: wasStopped)
    }
}
