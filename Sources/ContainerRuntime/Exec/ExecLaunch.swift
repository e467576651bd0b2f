import Cgroups
import Kernel
import OCI

/// The parent's part of starting a process in a container.
struct ExecLaunch {
    private let plan: LaunchPlan
    private let target: ExecTarget
    private let options: ExecOptions
    private let launchOptions: LaunchOptions
    private let container: ProcessDescriptor
    private var state: RuntimeState
    private let seccomp: SeccompProgram?
    private var pid: Int32 = -1
    private var process: ProcessDescriptor?
    private var console: FileDescriptor?

    init(_ process: OCI.Process, _ target: ExecTarget, _ options: ExecOptions) throws(RuntimeError) {
        try Validation.check(process)
        try PreservedDescriptors.check(options.preservedDescriptors)
        self.target = target
        self.options = options
        do throws(KernelError) {
            container = try ProcessDescriptor(processID: target.pid)
        } catch {
            throw RuntimeError(.notRunning, "cannot exec in a stopped container", errno: error.code.rawValue)
        }
        var launch = LaunchOptions(id: target.id, bundle: "/")
        launch.standardStreams = options.standardStreams
        launch.consoleSocket = options.consoleSocket
        launch.preservedDescriptors = options.preservedDescriptors
        launch.parentDeathSignal = options.parentDeathSignal
        launch.isRootless = options.isRootless
        launchOptions = launch
        plan = try ExecPlan.compile(process, target, container, launch)
        seccomp = try SeccompCache.program(for: plan.seccomp, cache: options.seccompCache)
        state = RuntimeState(
            ociVersion: target.specification.ociVersion, id: target.id, status: "running", pid: nil, bundle: "/",
            annotations: target.specification.annotations)
    }

    mutating func run() throws(RuntimeError) -> ExecProcess {
        do {
            return try start()
        } catch {
            if let process {
                try? process.send(signal: .kill)
                _ = try? process.wait()
            }
            throw RuntimeError(any: error)
        }
    }

    private mutating func start() throws -> ExecProcess {
        let channels = try LaunchChannel.pair()
        var inheritance = LaunchChild.Inheritance(
            plan: plan, options: launchOptions, channel: channels.child, state: state, seccomp: seccomp)
        inheritance.container = container
        inheritance.entrance = try openCgroup()
        let isPlacedByParent = inheritance.entrance == nil && target.cgroup != nil
        inheritance.awaitsPlacement = isPlacedByParent || plan.oomScoreAdjustment != nil || !plan.rlimits.isEmpty
        if plan.hasTerminal, let path = options.consoleSocket {
            inheritance.consoleSocket = try Socket.connect(to: path)
        }
        try clone(inheritance, parentEnd: channels.parent)
        try channels.child.socket.close()
        try place(isPlacedByParent)
        for limit in plan.rlimits { try limit.apply(to: pid) }
        if inheritance.awaitsPlacement { try channels.parent.send(.placed) }
        try follow(channels.parent)
        try channels.parent.send(.start)
        try CreatedContainer.awaitExecution(channels.parent, state: state, seccomp: seccomp)
        guard let process else { throw RuntimeError(.system, "the process does not exist") }
        return ExecProcess(pid: pid, process: process, console: console)
    }

    private mutating func clone(_ inheritance: LaunchChild.Inheritance, parentEnd: LaunchChannel) throws {
        var cloneOptions = CloneOptions()
        cloneOptions.clearsSignalHandlers = true
        cloneOptions.cgroup = inheritance.entrance?.cloneTarget
        var surroundings: Surroundings?
        if plan.entersPIDNamespaceByParent { surroundings = try Surroundings(pidNamespaceOf: container) }
        let result = try CgroupClone.clone(cloneOptions)
        guard case .parent(let pid, let descriptor) = result else {
            try? parentEnd.socket.close()
            LaunchChild(inheritance).run()
        }
        self.pid = pid
        process = ProcessDescriptor(descriptor)
        state.pid = Int(pid)
        try surroundings?.restore()
    }

    /// As `Launch.openCgroup`; here the cgroup exists already.
    private func openCgroup() throws(RuntimeError) -> CgroupEntrance? {
        do throws(CgroupError) {
            return try target.cgroup?.openEntrance(subpath: options.cgroupSubpath)
        } catch {
            guard options.isRootless, error.code == .notPermitted || error.code == .noHierarchy else {
                throw RuntimeError(error)
            }
            return nil
        }
    }

    private func place(_ isPlacedByParent: Bool) throws {
        if let score = plan.oomScoreAdjustment {
            do throws(KernelError) {
                try ProcessFiles.setOutOfMemoryScore(score, of: "\(pid)")
            } catch {
                if !options.isRootless { throw error }
            }
        }
        guard isPlacedByParent, let cgroup = target.cgroup else { return }
        do throws(CgroupError) {
            try cgroup.add(pid, subpath: options.cgroupSubpath)
        } catch {
            if options.isRootless, error.code == .notPermitted || error.code == .noHierarchy { return }
            throw RuntimeError(error)
        }
    }

    private mutating func follow(_ channel: LaunchChannel) throws {
        while true {
            switch try channel.nextReport() {
            case .console(let master): console = master
            case .seccompListener(let listener): try SeccompListener.send(listener, for: seccomp, state: state)
            case .successor(let pid, let descriptor):
                _ = try process?.wait()
                self.pid = pid
                process = ProcessDescriptor(descriptor)
                state.pid = Int(pid)
            case .created: return
            case .failed(let error): throw error
            case .namespacesReady: continue
            case .closed:
                throw RuntimeError(.system, "unable to start container process: its process ended early")
            }
        }
    }
}

/// Compiles the plan of a process that joins a container.
enum ExecPlan {
    static func compile(
        _ process: OCI.Process, _ target: ExecTarget, _ container: ProcessDescriptor, _ options: LaunchOptions
    ) throws(RuntimeError) -> LaunchPlan {
        let linux = target.specification.linux ?? Linux()
        var plan = LaunchPlan()
        let declared = try NamespacePlan(linux.namespaces ?? [])
        for kind in NamespaceKind.allCases where declared.contains(kind) {
            plan.namespaces.joined[kind] = "/proc/\(target.pid)/ns/\(kind.procName)"
        }
        plan.arguments = process.args ?? []
        plan.environment = process.env ?? []
        plan.seccomp = linux.seccomp
        if declared.contains(.user) { plan.rlimits = try RlimitPlan.list(process.rlimits ?? []) }
        plan.oomScoreAdjustment = process.oomScoreAdj
        plan.hasTerminal = process.terminal ?? false

        // Without root the pid namespace can be entered only from inside the user namespace that owns it.
        let pidByParent = !options.isRootless && declared.contains(.pid)
        plan.entersPIDNamespaceByParent = pidByParent
        if let list = process.execCPUAffinity?.initial, !list.isEmpty {
            plan.steps.append(.setAffinity(try processors(list)))
        }
        plan.steps += [.enterCgroup, .awaitPlacement]
        if let list = process.execCPUAffinity?.final, !list.isEmpty {
            plan.steps.append(.setAffinity(try processors(list)))
        }
        plan.steps += ProcessSteps.labels(process)
        let kinds = NamespaceKind.allCases.filter { declared.contains($0) && !($0 == .pid && pidByParent) }
        plan.steps.append(.joinContainer(kinds, pid: target.pid))
        if declared.contains(.pid), !pidByParent { plan.steps.append(.fork) }
        if declared.contains(.user) { plan.steps.append(.becomeRoot) }
        plan.steps.append(.startSession)
        if !options.noNewKeyring { plan.steps.append(.joinSessionKeyring("_ses." + target.id)) }
        if plan.hasTerminal {
            plan.steps.append(
                .openConsole(
                    width: process.consoleSize?.width ?? 0, height: process.consoleSize?.height ?? 0, mounts: false))
        }
        plan.steps += try ProcessSteps.compile(
            process, linux: linux, options: options, namespaces: plan.namespaces, isFirst: false)
        return plan
    }

    private static func processors(_ list: String) throws(RuntimeError) -> [Int] {
        guard let numbers = parseProcessorList(list), !numbers.isEmpty else {
            throw RuntimeError(.invalidSpecification, "execCPUAffinity: \"\(list)\" is no list of processors")
        }
        return numbers
    }
}
