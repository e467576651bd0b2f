import EngineModel
import Glibc
import Monitor

extension ContainerEngine {
    /// Asks a container to end, and kills it when it has not after a while.
    /// - Parameters:
    ///   - signal: a name or number; empty for the container's.
    ///   - timeout: seconds before the kill; -1 for never, `nil` for the container's.
    /// - Throws: `EngineError.notModified` when it does not run.
    public func stopContainer(_ name: String, signal: String, timeout: Int?) async throws {
        let container = try registry.find(name)
        guard container.status.isActive else {
            throw EngineError(.notModified, "container \(container.id) is already stopped")
        }
        try await stop(container, signal: signal, timeout: timeout)
    }

    func stop(_ container: Container, signal: String, timeout: Int?) async throws(EngineError) {
        let record = container.record
        let word = signal.isEmpty ? (record.config.stopSignal.isEmpty ? "TERM" : record.config.stopSignal) : signal
        let number = try Signals.number(word)
        let seconds = timeout ?? record.config.stopTimeout ?? configuration.stopTimeout
        let (run, isPaused) = container.change { state in
            state.isStopping = true
            state.status.wasStopped = true
            return (state.run, state.status.phase == .paused)
        }
        guard let run else {
            try await endRestarting(container)
            return
        }
        try? await blocking { try self.save(container) }
        await send(number, to: run, of: container)
        // What is frozen cannot obey.
        if isPaused { try? await resume(container, run) }
        do {
            if seconds < 0 {
                _ = try await run.exit.get()
            } else if try await run.exit.get(within: .seconds(seconds)) == nil {
                logger.info(
                    "a container did not end in time and is killed",
                    metadata: ["id": "\(container.id)", "signal": "\(word)", "seconds": "\(seconds)"])
                try await kill(run, of: container)
            }
        } catch {
            throw EngineError(wrapping: error)
        }
        post(container, "stop")
    }

    // It only waits for its next start.
    private func endRestarting(_ container: Container) async throws(EngineError) {
        try await container.lock.withLock { () async throws(EngineError) in
            if let run = container.run {
                // The restart was quicker.
                container.change { $0.status.wasStopped = true }
                await send(SIGKILL, to: run, of: container)
                return
            }
            cancelRestart(of: container)
            try await blocking { try self.save(container) }
            settle(container, ExitOutcome(exitCode: container.status.exitCode))
            post(container, "stop")
            if container.record.hostConfig.autoRemove { await removeQuietly(container, removesVolumes: true) }
        }
    }

    private func send(_ signal: Int32, to run: ContainerRun, of container: Container) async {
        do throws(MonitorError) {
            try await run.connection.signal(MonitorRequest.Signal(signal))
            post(container, "kill", ["signal": "\(signal)"])
        } catch {
            // It may just have ended by itself.
            logger.debug("cannot signal a container", metadata: ["id": "\(container.id)", "error": "\(error)"])
        }
    }

    /// Kills a run and waits for its end.
    func kill(_ run: ContainerRun, of container: Container) async throws {
        await send(SIGKILL, to: run, of: container)
        if container.status.phase == .paused { try? await resume(container, run) }
        if try await run.exit.get(within: .seconds(10)) != nil { return }
        // The monitor, or the kernel, is in trouble: take the cgroup from below.
        try await blocking { self.destroyCgroup(run.cgroupsPath, of: container.id) }
        if try await run.exit.get(within: .seconds(10)) != nil { return }
        throw EngineError(
            .system,
            "tried to kill container, but did not receive an exit event: a process of \(container.id) does not end; it may "
                + "wait for a device or a network file system")
    }

    public func restartContainer(_ name: String, signal: String, timeout: Int?) async throws {
        let container = try registry.find(name)
        // A container that removes itself when it ends could not be started again.
        let removesItself = container.record.hostConfig.autoRemove
        if removesItself { container.change { $0.record.hostConfig.autoRemove = false } }
        defer { if removesItself { container.change { $0.record.hostConfig.autoRemove = true } } }
        if container.status.isActive { try await stop(container, signal: signal, timeout: timeout) }
        try await container.lock.withLock { () async throws(EngineError) in
            guard !container.status.isRunning else { return }
            cancelRestart(of: container)
            container.change { $0.restartDelay.reset() }
            try await launch(container, isRestart: false)
        }
        post(container, "restart")
    }

    /// Sends a signal to a container's first process.
    public func killContainer(_ name: String, signal: String) async throws {
        let container = try registry.find(name)
        let number = try Signals.number(signal.isEmpty ? "KILL" : signal)
        func notRunning() -> EngineError {
            EngineError(
                .conflict, "cannot kill container: \(name): container \(container.id) is not running")
        }
        guard let run = container.run else {
            if container.status.phase == .restarting {
                container.change { $0.status.wasStopped = true }
                return try await endRestarting(container)
            }
            throw notRunning()
        }
        let isPaused = container.change { state in
            // With a stop signal of its own, other signals are not meant to stop it.
            let stopSignal = state.record.config.stopSignal
            if stopSignal.isEmpty || number == SIGKILL || (try? Signals.number(stopSignal)) == number {
                state.status.wasStopped = true
            }
            return state.status.phase == .paused
        }
        do throws(MonitorError) {
            try await run.connection.signal(MonitorRequest.Signal(number))
        } catch {
            if container.run !== run || error.code == .lost { throw notRunning() }
            throw EngineError(error)
        }
        try? await blocking { try self.save(container) }
        post(container, "kill", ["signal": "\(number)"])
        guard number == SIGKILL else { return }
        // Docker's clients expect a killed container to be gone when the answer comes.
        if isPaused { try? await resume(container, run) }
        _ = try await run.exit.get(within: .seconds(10))
    }

    // MARK: Freezing

    public func pauseContainer(_ name: String) async throws {
        let container = try registry.find(name)
        try await container.lock.withLock {
            let run = try runOf(container)
            if container.status.phase == .paused {
                throw EngineError(.conflict, "container \(container.id) is already paused")
            }
            do throws(MonitorError) { try await run.connection.pause() } catch { throw EngineError(error) }
            container.change { state in
                if state.run === run { state.status.phase = .paused }
            }
            try await blocking { try self.save(container) }
            post(container, "pause")
        }
    }

    public func unpauseContainer(_ name: String) async throws {
        let container = try registry.find(name)
        try await container.lock.withLock {
            let run = try runOf(container)
            guard container.status.phase == .paused else {
                throw EngineError(.conflict, "Container \(container.id) is not paused")
            }
            try await resume(container, run)
        }
    }

    func resume(_ container: Container, _ run: ContainerRun) async throws(EngineError) {
        do throws(MonitorError) { try await run.connection.resume() } catch { throw EngineError(error) }
        container.change { state in
            if state.run === run, state.status.phase == .paused { state.status.phase = .running }
        }
        try await blocking { try self.save(container) }
        post(container, "unpause")
    }

    /// The run of a container.
    /// - Throws: `EngineError.conflict` when there is none.
    func runOf(_ container: Container) throws(EngineError) -> ContainerRun {
        if let run = container.run { return run }
        if container.status.phase == .restarting {
            throw EngineError(
                .conflict, "Container \(container.id) is restarting, wait until the container is running")
        }
        throw .notRunning(container.id)
    }
}
