import Cgroups
import JSON
import Kernel
import OCI

/// The operations of an OCI runtime on containers that are kept in a store (runtime.md, Operations).
public struct OCIRuntime: Sendable {
    public let store: ContainerStore
    /// Takes sentences for the log: what went wrong without making the operation fail.
    public var warn: @Sendable (String) -> Void = { _ in }

    public init(root: String) { store = ContainerStore(root: root) }

    /// Reads a bundle's specification.
    /// - Returns: it, and its text.
    public static func specification(ofBundle bundle: String) throws(RuntimeError) -> (RuntimeSpec, [UInt8]) {
        let path = bundle + "/config.json"
        let bytes: [UInt8]
        do throws(KernelError) {
            bytes = try FileDescriptor.currentDirectory.readFile(path)
        } catch {
            if error.code == .notFound {
                throw RuntimeError(.invalidSpecification, "JSON specification file config.json not found in \(bundle)")
            }
            throw RuntimeError(error)
        }
        do throws(JSONError) {
            return (try RuntimeSpec(parsing: bytes), bytes)
        } catch {
            throw RuntimeError(.invalidSpecification, "\(path): \(error)")
        }
    }

    /// Makes a container that `start` will start, and its record.
    public func create(
        _ specification: RuntimeSpec, text: [UInt8], _ options: LaunchOptions
    ) throws(RuntimeError) -> CreatedContainer {
        var options = options
        options.startSocket = StoredContainer.startSocket(in: store.directory(of: options.id))
        let created = try launch(specification, text: text, options)
        do throws(RuntimeError) {
            try register(created, specification, options)
        } catch {
            created.destroy()
            try? store.remove(options.id)
            throw error
        }
        return created
    }

    /// Makes a container that the caller starts and then registers: nobody can ask for what does not run yet, and its
    /// program need not wait for the record to be written.
    public func launch(
        _ specification: RuntimeSpec, text: [UInt8], _ options: LaunchOptions
    ) throws(RuntimeError) -> CreatedContainer {
        let directory = try store.reserve(options.id)
        do throws(RuntimeError) {
            do throws(KernelError) {
                try FileDescriptor.currentDirectory.writeFile(
                    StoredContainer.specificationPath(in: directory), text, creating: true, mode: 0o600)
            } catch {
                throw RuntimeError(error)
            }
            return try ContainerLauncher.create(specification, options)
        } catch {
            try? store.remove(options.id)
            throw error
        }
    }

    /// Writes the record by which the other operations find a container.
    public func register(
        _ created: CreatedContainer, _ specification: RuntimeSpec, _ options: LaunchOptions
    ) throws(RuntimeError) {
        var record = ContainerRecord()
        record.id = options.id
        record.ociVersion = specification.ociVersion
        record.bundle = options.bundle
        record.rootfs = joinedPath(specification.root?.path ?? "", in: options.bundle)
        let now = Timestamp.now
        record.created = DateTime(seconds: now.seconds, nanoseconds: Int64(now.nanoseconds)).description
        record.pid = created.pid
        record.startTime = (try? ProcessFiles.statistics(of: created.pid).startTime) ?? 0
        record.cgroup = created.cgroup.reference
        record.annotations = specification.annotations
        try store.save(record)
    }

    /// Starts a created container, and returns when its program has been executed.
    public func start(_ id: String) throws(RuntimeError) {
        try store.locked(id) { () throws(RuntimeError) in
            let container = try store.container(id)
            switch container.status() {
            case .created: break
            case .stopped: throw RuntimeError(.wrongState, "cannot start a container that has stopped")
            case .running, .paused:
                throw RuntimeError(.wrongState, "cannot start an already running container")
            case .creating: throw RuntimeError(.wrongState, "cannot start a container in the creating state")
            }
            let specification = try container.specification()
            let channel: LaunchChannel
            do throws(KernelError) {
                let ends = try LaunchChannel.pair()
                let socket = try Socket.connect(to: container.startSocket, kind: .datagram)
                _ = try socket.send([0x73], descriptors: [ends.child.socket])
                try FileDescriptor.currentDirectory.unlinkIfPresent(container.startSocket)
                channel = ends.parent
            } catch {
                throw RuntimeError(error)
            }
            var state = container.state()
            state.status = "running"
            state.pid = Int(container.record.pid)
            let seccomp = try listenerProgram(specification)
            try CreatedContainer.awaitExecution(channel, state: state, seccomp: seccomp)
            do throws(RuntimeError) {
                try HookRunner.run(HookKind.poststart.hooks(in: specification.hooks), .poststart, state: state)
            } catch {
                try? container.process().send(signal: .kill)
                throw error
            }
        }
    }

    /// Only where it sends its listener matters here.
    private func listenerProgram(_ specification: RuntimeSpec) throws(RuntimeError) -> SeccompProgram? {
        guard let profile = specification.linux?.seccomp, let path = profile.listenerPath, !path.isEmpty else {
            return nil
        }
        return SeccompProgram(
            instructions: [], flags: [], listenerPath: path, listenerMetadata: profile.listenerMetadata)
    }

    /// Sends a signal to a container's first process, or with `all` to every process of it.
    public func kill(_ id: String, _ signal: Signal, all: Bool) throws(RuntimeError) {
        let container = try store.container(id)
        if all {
            // A container whose first process is gone may still have others, if it has no pid namespace of its own.
            do throws(CgroupError) {
                if signal == .kill { try container.cgroup.killAll() } else { try container.cgroup.send(signal: signal) }
            } catch {
                if container.isAlive { throw RuntimeError(error) }
            }
            return
        }
        let process = try container.process()
        do throws(KernelError) {
            try process.send(signal: signal)
            // A frozen process would die only when it is thawed.
            if signal == .kill, (try? container.cgroup.isFrozen()) == true { try? container.cgroup.thaw() }
        } catch {
            if error.code == .noSuchProcess { throw RuntimeError(.notRunning, "container not running") }
            throw RuntimeError(error)
        }
    }

    /// Removes a container.
    ///
    /// One that was only created is killed; one that runs is refused unless `force` is set. With `force` it is no
    /// error that the container does not exist.
    public func delete(_ id: String, force: Bool) throws(RuntimeError) {
        let container: StoredContainer
        do throws(RuntimeError) {
            container = try store.container(id)
        } catch {
            guard error.code == .noSuchContainer else { throw error }
            // What a killed `create` left.
            if force || store.exists(id) {
                try ContainerStore.check(id)
                try store.remove(id)
            }
            if force { return }
            throw error
        }
        try store.locked(id) { () throws(RuntimeError) in
            let status = container.status()
            guard status == .stopped || status == .created || status == .creating || force else {
                throw RuntimeError(
                    .wrongState, "cannot delete container \(id) that is not stopped: \(status.rawValue)")
            }
            try destroy(container)
        }
    }

    private func destroy(_ container: StoredContainer) throws(RuntimeError) {
        if let process = try? container.process() {
            try? process.send(signal: .kill)
            if (try? container.cgroup.isFrozen()) == true { try? container.cgroup.thaw() }
            // Not a child of ours, so it cannot be reaped here: its end shows in its descriptor.
            _ = try? poll([PollRequest(process.descriptor, .readable)], timeoutMilliseconds: 10_000)
        }
        do throws(CgroupError) {
            if container.cgroup.exists { try container.cgroup.killAll() }
            try container.cgroup.destroy()
        } catch {
            throw RuntimeError(error)
        }
        var state = container.state()
        state.status = "stopped"
        state.pid = nil
        let hooks = (try? container.specification())?.hooks
        try store.remove(container.id)
        for hook in HookKind.poststop.hooks(in: hooks) {
            do throws(RuntimeError) { try HookRunner.run([hook], .poststop, state: state) } catch {
                warn(error.message)
            }
        }
    }

    /// Removes the record of a container that `created` has destroyed.
    public func forget(_ id: String) throws(RuntimeError) { try store.remove(id) }

    public func pause(_ id: String) throws(RuntimeError) {
        try store.locked(id) { () throws(RuntimeError) in
            let container = try store.container(id)
            let status = container.status()
            guard status == .running || status == .created else {
                throw RuntimeError(.wrongState, "container not running or created: \(status.rawValue)")
            }
            do throws(CgroupError) { try container.cgroup.freeze() } catch { throw RuntimeError(error) }
        }
    }

    public func resume(_ id: String) throws(RuntimeError) {
        try store.locked(id) { () throws(RuntimeError) in
            let container = try store.container(id)
            guard container.status() == .paused else { throw RuntimeError(.wrongState, "container not paused") }
            do throws(CgroupError) { try container.cgroup.thaw() } catch { throw RuntimeError(error) }
        }
    }

    /// Changes limits; what `resources` does not mention stays.
    public func update(_ id: String, _ resources: LinuxResources) throws(RuntimeError) {
        try store.locked(id) { () throws(RuntimeError) in
            let container = try store.container(id)
            guard container.status() != .stopped else { throw RuntimeError(.notRunning, "container not running") }
            do throws(CgroupError) { try container.cgroup.apply(resources) } catch { throw RuntimeError(error) }
        }
    }

    /// Starts a process in a running container.
    public func exec(
        _ id: String, _ process: OCI.Process, _ options: ExecOptions, ignoresPause: Bool
    ) throws(RuntimeError) -> ExecProcess {
        let container = try store.container(id)
        switch container.status() {
        case .stopped: throw RuntimeError(.notRunning, "cannot exec in a stopped container")
        case .paused where !ignoresPause:
            throw RuntimeError(
                .wrongState, "cannot exec in a paused container (use --ignore-paused to override)")
        default: break
        }
        let target = ExecTarget(
            id: id, pid: container.record.pid, specification: try container.specification(), cgroup: container.cgroup)
        return try ExecLauncher.exec(process, into: target, options)
    }
}
