import Cgroups
import Kernel
import Monitor
import OCI

/// The parent's part of a launch.
struct Launch {
    private let plan: LaunchPlan
    private let specification: RuntimeSpec
    private let options: LaunchOptions
    private let cgroup: any Cgroup
    private let cgroupHost: CgroupHost
    private let networkExists: ((Int32) -> Void)?
    private var state: RuntimeState
    private var seccomp: SeccompProgram?

    private var pid: Int32 = -1
    private var process: ProcessDescriptor?
    private var console: FileDescriptor?

    init(
        _ plan: LaunchPlan, _ specification: RuntimeSpec, _ options: LaunchOptions, _ cgroup: any Cgroup,
        _ cgroupHost: CgroupHost, networkExists: ((Int32) -> Void)?
    ) throws(RuntimeError) {
        self.plan = plan
        self.specification = specification
        self.options = options
        self.cgroup = cgroup
        self.cgroupHost = cgroupHost
        self.networkExists = networkExists
        state = RuntimeState(
            ociVersion: specification.ociVersion, id: options.id, status: "creating", pid: nil, bundle: options.bundle,
            annotations: specification.annotations)
        seccomp = try SeccompCache.program(for: plan.seccomp, cache: options.seccompCache)
    }

    mutating func run() throws(RuntimeError) -> CreatedContainer {
        try PreservedDescriptors.check(options.preservedDescriptors)
        try refuseUsedCgroup()
        let existed = cgroup.exists
        do {
            return try create()
        } catch {
            // Nothing may be left of a launch that failed; the cgroup only if it was there before.
            if let process {
                try? process.send(signal: .kill)
                _ = try? process.wait()
            }
            if !existed {
                if cgroup.exists { try? cgroup.killAll() }
                try? cgroup.destroy()
            }
            if let path = options.startSocket { try? FileDescriptor.currentDirectory.unlinkIfPresent(path) }
            throw RuntimeError(any: error)
        }
    }

    private func refuseUsedCgroup() throws(RuntimeError) {
        guard cgroup.exists, let processes = try? cgroup.processes(), !processes.isEmpty else { return }
        // A host without limits for it may have everything in the root cgroup.
        guard specification.linux?.cgroupsPath != "/" else { return }
        throw RuntimeError(
            .containerExists, "container's cgroup is not empty: \(processes.count) process(es) found")
    }

    private mutating func create() throws -> CreatedContainer {
        let channels = try LaunchChannel.pair()
        var inheritance = LaunchChild.Inheritance(
            plan: plan, options: options, channel: channels.child, state: state, seccomp: seccomp)
        inheritance.cgroupHost = cgroupHost
        inheritance.cgroupPaths = cgroup.directories
        inheritance.preparedMounts = try PreparedMounts.make(for: plan, specification)
        if plan.hasTerminal, let path = options.consoleSocket {
            inheritance.consoleSocket = try Socket.connect(to: path)
        }
        if let path = options.startSocket { inheritance.startSocket = try Socket.listen(at: path, kind: .datagram) }

        let resources = ContainerLauncher.resources(of: specification)
        inheritance.entrance = try openCgroup(resources)
        let isPlacedByParent = inheritance.entrance == nil
        inheritance.awaitsPlacement =
            isPlacedByParent || plan.makesUserNamespace || plan.oomScoreAdjustment != nil || !plan.rlimits.isEmpty
            || specification.linux?.intelRdt != nil
        try clone(inheritance, parentEnd: channels.parent)
        try channels.child.socket.close()

        try writeIdentity()
        try tolerant { () throws(CgroupError) in
            if isPlacedByParent { try cgroup.create(placing: pid, resources: resources) }
            try cgroup.apply(resources)
        }
        if let rdt = specification.linux?.intelRdt { try ResourceDirector.place(pid, rdt, id: options.id) }
        for limit in plan.rlimits { try limit.apply(to: pid) }
        if inheritance.awaitsPlacement { try channels.parent.send(.placed) }
        try follow(channels.parent)
        guard let process else { throw RuntimeError(.system, "the container has no process") }
        return CreatedContainer(
            pid: pid, process: process, console: console, cgroup: cgroup, channel: channels.parent, plan: plan,
            state: state, seccomp: seccomp)
    }

    /// Makes the cgroup before the process, so that the process can be born there or move there by itself, which is
    /// much cheaper than to be moved.
    /// - Returns: `nil` when only the parent can place the process: systemd makes its cgroups around one.
    private func openCgroup(_ resources: LinuxResources) throws(RuntimeError) -> CgroupEntrance? {
        guard !options.usesSystemdCgroup else { return nil }
        do throws(CgroupError) {
            try cgroup.create(placing: nil, resources: resources)
            return try cgroup.openEntrance()
        } catch {
            guard options.isRootless, error.code == .notPermitted || error.code == .noHierarchy else {
                throw RuntimeError(error)
            }
            return nil
        }
    }

    /// What a caller without root may fail at and go on.
    private func tolerant(_ body: () throws(CgroupError) -> Void) throws(RuntimeError) {
        do throws(CgroupError) {
            try body()
        } catch {
            if options.isRootless, error.code == .notPermitted || error.code == .noHierarchy { return }
            throw RuntimeError(error)
        }
    }

    private mutating func clone(
        _ inheritance: LaunchChild.Inheritance, parentEnd: LaunchChannel
    ) throws {
        var cloneOptions = CloneOptions()
        cloneOptions.clearsSignalHandlers = true
        cloneOptions.namespaces = plan.cloneFlags
        cloneOptions.cgroup = inheritance.entrance?.cloneTarget
        let surroundings = try Surroundings(plan, isRootless: options.isRootless)
        let result = try CgroupClone.clone(cloneOptions)
        guard case .parent(let pid, let descriptor) = result else {
            try? parentEnd.socket.close()
            LaunchChild(inheritance).run()
        }
        self.pid = pid
        process = ProcessDescriptor(descriptor)
        state.pid = Int(pid)
        try surroundings.restore()
        if plan.hasNetworkOnceCloned { networkExists?(pid) }
    }

    /// Writes what must be known of a process from outside its user namespace.
    private func writeIdentity() throws {
        if plan.makesUserNamespace {
            try IDMapWriter.write(uids: plan.uidMappings, gids: plan.gidMappings, of: pid)
        }
        if let score = plan.oomScoreAdjustment {
            do throws(KernelError) {
                try ProcessFiles.setOutOfMemoryScore(score, of: "\(pid)")
            } catch {
                if options.isRootless, error.code == .accessDenied || error.code == .notPermitted { return }
                throw RuntimeError(
                    .system, "unable to start container process: cannot set oom_score_adj to \(score): \(error.code)",
                    errno: error.code.rawValue)
            }
        }
    }

    /// Follows the child until it waits for its start.
    private mutating func follow(_ channel: LaunchChannel) throws {
        while true {
            switch try channel.nextReport() {
            case .namespacesReady:
                try runRuntimeHooks()
                try channel.send(.hooksDone)
            case .console(let master): console = master
            case .seccompListener(let listener): try SeccompListener.send(listener, for: seccomp, state: state)
            case .successor(let pid, let descriptor):
                // The process so far has done its part: it made the namespaces that it could not enter itself.
                _ = try process?.wait()
                self.pid = pid
                process = ProcessDescriptor(descriptor)
                state.pid = Int(pid)
            // It was forked after the placement, so it is in the right cgroup.
            case .created:
                state.status = "created"
                return
            case .failed(let error): throw error
            case .closed:
                let status = try process?.wait()
                let ending = status.map { "\($0)" } ?? "an unknown status"
                throw RuntimeError(.system, "unable to start container process: its process ended early with \(ending)")
            }
        }
    }

    private func runRuntimeHooks() throws {
        for (name, device) in plan.netDevices.sorted(by: { $0.key < $1.key }) {
            try NetworkDevices.move(name, to: pid, as: device.name ?? name)
        }
        for kind in [HookKind.prestart, .createRuntime] {
            try HookRunner.run(kind.hooks(in: plan.hooks), kind, state: state)
        }
    }
}

extension RuntimeError {
    /// Whatever was thrown, in this module's form.
    init(any error: any Error) {
        switch error {
        case let error as RuntimeError: self = error
        case let error as KernelError: self.init(error)
        case let error as CgroupError: self.init(error)
        default: self.init(.system, "\(error)")
        }
    }
}
