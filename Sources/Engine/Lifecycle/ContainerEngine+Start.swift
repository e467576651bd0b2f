import EngineModel
import Glibc
import JSON
import Kernel
import Monitor
import OCI
import Storage

extension ContainerEngine {
    /// Starts a container that does not run.
    /// - Throws: `EngineError.notModified` when it runs; with an exit code of 126 or 127 when its program cannot be
    ///   started.
    public func startContainer(_ name: String) async throws {
        let container = try registry.find(name)
        var hasFailed = false
        do throws(EngineError) {
            try await container.lock.withLock { () async throws(EngineError) in
                switch container.status.phase {
                case .running: throw EngineError(.notModified, "container \(container.id) is already running")
                case .paused: throw EngineError(.conflict, "cannot start a paused container, try unpause instead")
                case .removing:
                    throw EngineError(.conflict, "container is marked for removal and cannot be started")
                case .created, .restarting, .exited, .dead: break
                }
                cancelRestart(of: container)
                container.change { $0.restartDelay.reset() }
                do throws(EngineError) { try await launch(container, isRestart: false) } catch {
                    hasFailed = true
                    throw error
                }
            }
        } catch {
            if hasFailed, container.record.hostConfig.autoRemove {
                try? await removeContainer(container.id, force: true, removesVolumes: true)
            }
            throw error
        }
    }

    /// Starts a container; its lock is held.
    ///
    /// The order matters: the exit is watched before it can happen, networks are joined (while the monitor mounts) and
    /// clients that wait are attached before the first byte, and only then the program runs.
    func launch(_ container: Container, isRestart: Bool) async throws(EngineError) {
        if isClosed { throw EngineError(.unavailable, "the daemon is shutting down") }
        let waiting = container.change { state in
            defer { state.waitingAttachments = [] }
            return state.waitingAttachments
        }
        defer { for attachment in waiting { Glibc.close(attachment.descriptor) } }
        let signals = RunSignals(
            whenOutOfMemory: { [weak self, weak container] in
                guard let self, let container else { return }
                container.change { $0.status.isOOMKilled = true }
                self.post(container, "oom")
            },
            whenExecExited: { [weak self] id, code in self?.execExited(id, code) })
        var monitor: MonitorConnection?
        do {
            let (connection, specification) = try await blocking { try self.spawn(container, signals) }
            monitor = connection
            if let network = container.read({ $0.network }), !network.record.endpoints.isEmpty {
                do {
                    let process = try await answer(signals.networkExists)
                    try await joinNetworks(container, network, process)
                } catch {
                    // If the creation fails meanwhile, that is the reason, also why there is no network to join.
                    _ = try await answer(signals.created)
                    throw error
                }
            }
            let processID = try await answer(signals.created)
            let run = ContainerRun(
                connection: connection, processID: processID, isTerminal: container.record.config.tty,
                cgroupsPath: specification.linux?.cgroupsPath ?? "")
            for attachment in waiting {
                _ = try await connection.attach(attachment.request, stream: attachment.descriptor)
            }
            try await connection.start()
            let status = container.change { state in
                state.run = run
                state.isStopping = false
                state.status.phase = .running
                state.status.processID = processID
                state.status.startedAt = Timestamp.now.nanosecondsSince1970
                state.status.finishedAt = isRestart ? state.status.finishedAt : 0
                state.status.exitCode = 0
                state.status.error = ""
                state.status.isOOMKilled = false
                state.status.wasStopped = false
                if !isRestart { state.status.restartCount = 0 }
                return state.status
            }
            watch(run, signals, of: container)
            try await blocking { try self.store.update(container.id, status) }
            post(container, "start")
            startHealthChecks(container, run)
        } catch {
            throw await startFailed(container, monitor, signals, EngineError(wrapping: error))
        }
    }

    private func answer<Value>(_ value: AsyncValue<Result<Value, MonitorError>>) async throws -> Value {
        // Creating is mounting and making namespaces: seconds at most, but a slow disk is no reason to give up.
        guard let result = try await value.get(within: .seconds(120)) else {
            throw EngineError(.system, "the monitor of the container did not answer for 120 s")
        }
        return try result.get()
    }

    /// Cleans up after a start that failed, and gives the error in Docker's words.
    /// - Parameter monitor: of the container, if there was one.
    private func startFailed(
        _ container: Container, _ monitor: MonitorConnection?, _ signals: RunSignals, _ error: EngineError
    ) async -> EngineError {
        // What was made is unmade, also what already runs but is not recorded.
        try? await monitor?.shutdown()
        // The monitor cleans up by itself; when it does not, or was lost, its cgroup is taken from under it.
        if monitor != nil, case .exited? = try? await signals.ended.get(within: .seconds(5)) {
        } else {
            let directory = runDirectory(container.id)
            try? await blocking { self.destroyRemains(directory, of: container.id) }
        }
        await releaseNetwork(of: container)
        var error = error
        let code = error.exitCode ?? 128
        let words = error.message
        if code == 127, !words.contains("executable file not found"), !words.contains("no such file or directory") {
            error.message += ": executable file not found in $PATH"
        }
        if code == 126, !words.contains("permission denied"), !words.contains("is a directory") {
            error.message += ": permission denied"
        }
        if code == 126 || code == 127 || error.exitCode != nil {
            error.message =
                "failed to create task for container: failed to start container: \(error.message)"
        }
        let message = error.message
        let status = container.change { state in
            state.run = nil
            state.status.phase = state.status.startedAt == 0 ? .created : .exited
            state.status.processID = 0
            state.status.exitCode = Int(code)
            state.status.error = message
            return state.status
        }
        try? await blocking { try self.store.update(container.id, status) }
        // Clients tell of an error of the wait beside the one of the start.
        settle(container, ExitOutcome(exitCode: Int(code)))
        return error
    }

    /// Makes everything that a start needs, and starts the monitor; blocks.
    private func spawn(
        _ container: Container, _ signals: RunSignals
    ) throws -> (MonitorConnection, RuntimeSpec) {
        let record = container.record
        let network = try takeNetwork(for: container)
        container.change { $0.network = network }
        let inputs = try specificationInputs(record, network?.record)
        let specification = try inputs.makeSpecification()
        let directory = runDirectory(record.id)
        try FileDescriptor.currentDirectory.makeDirectories(directory, mode: 0o700)
        if record.hostConfig.ipcMode == "shareable" { try makeSharedMemory(directory) }
        let connection = try monitors.spawn(
            directory: directory, configuration: try monitorConfiguration(record), specification: specification,
            events: { signals.deliver($0) })
        return (connection, specification)
    }

    // A directory on the exec root's tmpfs, because a file system of its own could not be bound into a second
    // container without being mounted on the host.
    private func makeSharedMemory(_ directory: String) throws {
        let path = directory + "/shm"
        try FileDescriptor.currentDirectory.makeDirectories(path, mode: 0o777)
        try FileDescriptor.currentDirectory.changeMode(of: path, to: 0o1777)
        // The way to it must be passable for the container's users; its other files are for root alone.
        try FileDescriptor.currentDirectory.changeMode(of: directory, to: 0o711)
    }

    private func monitorConfiguration(_ record: ContainerRecord) throws -> MonitorConfiguration {
        var monitor = MonitorConfiguration()
        monitor.id = record.id
        monitor.name = record.name
        monitor.imageName = record.config.image
        monitor.imageID = record.imageID
        switch try storage.containers.rootToMount(of: record.id, isTransient: record.hostConfig.autoRemove) {
        case .directory(let path): monitor.rootMount = .bind(path)
        case .overlay(let root):
            var overlay = RootMount.Overlay()
            overlay.lowerDirectories = root.lowerDirectories
            overlay.upperDirectory = root.upperDirectory
            overlay.workDirectory = root.workDirectory
            overlay.options = root.options
            monitor.rootMount = .overlay(overlay)
        }
        monitor.openStdin = record.config.openStdin
        monitor.stdinOnce = record.config.stdinOnce
        let size = record.hostConfig.consoleSize
        if size.count == 2 {
            monitor.consoleHeight = UInt16(clamping: size[0])
            monitor.consoleWidth = UInt16(clamping: size[1])
        }
        monitor.log = logConfiguration(record)
        monitor.cgroupDriver = cgroupDriver.rawValue
        monitor.labels = record.config.labels ?? [:]
        return monitor
    }

    // MARK: What the specification needs

    private func specificationInputs(
        _ record: ContainerRecord, _ network: RunNetworkRecord?
    ) throws -> SpecificationInputs {
        let host = record.hostConfig
        var inputs = SpecificationInputs(
            record: record, host: self.host, configuration: configuration,
            security: try SecurityOptions(host.securityOpt ?? []))
        inputs.cgroupDriver = cgroupDriver.rawValue
        inputs.seccompProfile = seccompProfile
        inputs.user = try users.database(for: record, in: storage)
            .resolve(record.config.user, additionalGroups: host.groupAdd ?? [])
        for (file, mode) in [("net", host.networkMode), ("pid", host.pidMode), ("ipc", host.ipcMode)] {
            guard let other = ContainerReference(mode) else { continue }
            inputs.joined[file] = try runningProcess(other.name, file)
        }
        inputs.shmDirectory = try sharedMemory(of: host.ipcMode, id: record.id)
        inputs.hostname = record.config.hostname
        inputs.etcFiles = try etcFiles(record, network)
        inputs.linkEnvironment = try linkEnvironment(record)
        for mount in record.mounts {
            switch mount.kind {
            case .volume:
                switch try storage.volumes.volume(mount.name).source {
                case .directory(let path): inputs.volumeSources[mount.name] = .directory(path)
                case .fileSystem(let type, let device, let options):
                    inputs.volumeSources[mount.name] = .fileSystem(type: type, device: device, options: options)
                }
            case .bind: try prepareBind(mount)
            case .tmpfs: break
            }
        }
        return inputs
    }

    private func runningProcess(_ id: String, _ file: String) throws(EngineError) -> Int32 {
        let other = try registry.find(id)
        let words = ["net": "network", "pid": "PID", "ipc": "IPC"]
        guard let run = other.run else {
            throw EngineError(
                .conflict, "cannot join \(words[file] ?? file) namespace of a non running container: \(other.id)")
        }
        if file == "ipc", !["shareable", "host"].contains(other.record.hostConfig.ipcMode),
            ContainerReference(other.record.hostConfig.ipcMode) == nil
        {
            throw .invalid("non-shareable IPC (hint: use IpcMode:shareable for the donor container)")
        }
        return run.processID
    }

    private func sharedMemory(of mode: String, id: String) throws(EngineError) -> String? {
        if mode == "shareable" { return runDirectory(id) + "/shm" }
        if mode == "host" { return "/dev/shm" }
        guard let other = ContainerReference(mode) else { return nil }
        let container = try registry.find(other.name)
        return try sharedMemory(of: container.record.hostConfig.ipcMode, id: container.id)
    }

    private func prepareBind(_ mount: ContainerMount) throws {
        if HostFiles.exists(mount.source) { return }
        guard mount.createsSource else {
            throw EngineError.invalid(
                "invalid mount config for type \"bind\": bind source path does not exist: \(mount.source)")
        }
        do throws(KernelError) {
            try FileDescriptor.currentDirectory.makeDirectories(mount.source)
        } catch {
            throw EngineError(.system, "error while creating mount source path '\(mount.source)': \(error)")
        }
    }

    /// Where and how the monitor logs.
    func logConfiguration(_ record: ContainerRecord) -> LogConfiguration {
        var log = LogConfiguration()
        let options = record.hostConfig.logConfig.config ?? [:]
        log.driver = LogConfiguration.Driver(rawValue: record.hostConfig.logConfig.type) ?? .jsonFile
        if log.driver == .jsonFile || log.driver == .local { log.path = logPath(record) }
        if let size = options["max-size"].flatMap(ByteCount.parse), size > 0 { log.maxSize = size }
        if let count = options["max-file"].flatMap(Int.init) { log.maxFiles = count }
        if let compress = options["compress"] { log.compress = ["true", "1", "t"].contains(compress.lowercased()) }
        if let tag = options["tag"] { log.tag = LogTag.expand(tag, record) }
        log.attributes = LogTag.attributes(options, record)
        if let tag = log.tag { log.attributes["tag"] = tag }
        for name in options.keys where name.hasPrefix("syslog-") { log.options[name] = options[name] }
        return log
    }

    func logPath(_ record: ContainerRecord) -> String {
        "\(storage.containers.directory(of: record.id))/\(record.id)-json.log"
    }
}
