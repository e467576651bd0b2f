import Kernel
import OCI

/// The steps that turn the prepared child into the user's program; the same for a container's first process and for
/// one that is started in it later.
enum ProcessSteps {
    /// - Parameter isFirst: whether it is the container's first process.
    static func compile(
        _ process: OCI.Process, linux: Linux, options: LaunchOptions, namespaces: NamespacePlan,
        isFirst: Bool = true
    ) throws(RuntimeError) -> [LaunchStep] {
        var steps: [LaunchStep] = [.setUmask(process.user.umask ?? 0o022)]
        let forbidsPrivileges = process.noNewPrivileges ?? false
        if forbidsPrivileges { steps.append(.setNoNewPrivileges) }
        if let scheduler = process.scheduler { steps.append(.setScheduler(try SchedulerPlan(scheduler))) }
        if let priority = process.ioPriority { steps.append(try ioPriority(priority)) }
        if let personality = linux.personality { steps.append(.setPersonality(try persona(personality))) }
        if let policy = linux.memoryPolicy {
            let mode = try memoryPolicy(policy)
            guard let nodes = parseProcessorList(policy.nodes) else {
                throw RuntimeError(.invalidSpecification, "invalid memory policy nodes \"\(policy.nodes)\"")
            }
            steps.append(.setMemoryPolicy(mode: mode, nodes: nodes))
        }
        steps += [.setStandardStreams, .closeDescriptorsOnExec]
        // Near the end, so that they do not get in the way of our own work.
        if !namespaces.contains(.user) {
            steps += try RlimitPlan.list(process.rlimits ?? []).map { .setLimit($0) }
        }
        // Without no_new_privs, loading a filter needs a capability, so it comes before they are dropped; with it, as
        // late as possible, so that the filter has to allow as little of ours as possible.
        if linux.seccomp != nil && !forbidsPrivileges { steps.append(.loadSeccomp) }
        var privileges = PrivilegePlan(process, namespaces: namespaces)
        privileges.makesWorkingDirectory = isFirst
        steps.append(.dropPrivileges(privileges))
        if let signal = options.parentDeathSignal { steps.append(.setParentDeathSignal(signal)) }
        steps += [.findExecutable, .awaitStart]
        if isFirst { steps.append(.runHooks(.startContainer)) }
        if linux.seccomp != nil && forbidsPrivileges { steps.append(.loadSeccomp) }
        steps.append(.execute)
        return steps
    }

    /// The labels that the kernel gives the program at exec. They are asked for through the runtime's own /proc, so
    /// before the root changes.
    static func labels(_ process: OCI.Process) -> [LaunchStep] {
        var steps: [LaunchStep] = []
        if let label = process.selinuxLabel, !label.isEmpty { steps.append(.setSELinuxLabel(label)) }
        if let profile = process.apparmorProfile, !profile.isEmpty { steps.append(.setAppArmorProfile(profile)) }
        return steps
    }

    private static func ioPriority(_ priority: LinuxIOPriority) throws(RuntimeError) -> LaunchStep {
        guard let kind = Scheduling.InputOutputClass(name: priority.class) else {
            throw RuntimeError(.invalidSpecification, "invalid ioPriority.Class: \(priority.class)")
        }
        guard (0...7).contains(priority.priority) else {
            throw RuntimeError(.invalidSpecification, "invalid ioPriority.Priority: \(priority.priority)")
        }
        return .setIOPriority(kind, level: Int32(priority.priority))
    }

    private static func persona(_ personality: LinuxPersonality) throws(RuntimeError) -> UInt {
        var flags: UInt = 0
        for flag in personality.flags ?? [] {
            // The specification has none; this one is what makes builds of Nix repeatable.
            guard flag == "ADDR_NO_RANDOMIZE" else {
                throw RuntimeError(.invalidSpecification, "personality flag \"\(flag)\" is not supported")
            }
            flags |= 0x4_0000
        }
        switch personality.domain {
        case "LINUX": return flags
        case "LINUX32": return 8 | flags
        default: throw RuntimeError(.invalidSpecification, "invalid personality domain \(personality.domain)")
        }
    }

    static let memoryPolicyModes: [String: Int32] = [
        "MPOL_DEFAULT": 0, "MPOL_PREFERRED": 1, "MPOL_BIND": 2, "MPOL_INTERLEAVE": 3, "MPOL_LOCAL": 4,
        "MPOL_PREFERRED_MANY": 5, "MPOL_WEIGHTED_INTERLEAVE": 6,
    ]
    static let memoryPolicyFlags: [String: Int32] = [
        "MPOL_F_STATIC_NODES": 1 << 15, "MPOL_F_RELATIVE_NODES": 1 << 14, "MPOL_F_NUMA_BALANCING": 1 << 13,
    ]

    private static func memoryPolicy(_ policy: LinuxMemoryPolicy) throws(RuntimeError) -> Int32 {
        guard var mode = memoryPolicyModes[policy.mode] else {
            throw RuntimeError(.invalidSpecification, "invalid memory policy mode \"\(policy.mode)\"")
        }
        for name in policy.flags ?? [] {
            guard let flag = memoryPolicyFlags[name] else {
                throw RuntimeError(.invalidSpecification, "invalid memory policy flag \"\(name)\"")
            }
            mode |= flag
        }
        return mode
    }
}

extension SchedulerPlan {
    init(_ scheduler: Scheduler) throws(RuntimeError) {
        guard let policy = Scheduling.Policy(name: scheduler.policy) else {
            throw RuntimeError(.invalidSpecification, "invalid scheduler policy: \(scheduler.policy)")
        }
        self.policy = policy
        flags = []
        for name in scheduler.flags ?? [] {
            guard let flag = Scheduling.Flags(name: name) else {
                throw RuntimeError(.invalidSpecification, "invalid scheduler flag: \(name)")
            }
            flags.insert(flag)
        }
        nice = scheduler.nice ?? 0
        guard (-20...19).contains(nice) else {
            throw RuntimeError(.invalidSpecification, "invalid scheduler.nice: \(nice)")
        }
        let priority = scheduler.priority ?? 0
        guard priority == 0 || policy == .fifo || policy == .roundRobin, let unsigned = UInt32(exactly: priority) else {
            throw RuntimeError(
                .invalidSpecification, "scheduler.priority can only be specified for SchedFIFO or SchedRR policy")
        }
        self.priority = unsigned
        runtime = scheduler.runtime ?? 0
        deadline = scheduler.deadline ?? 0
        period = scheduler.period ?? 0
        guard policy == .deadline || runtime == 0 && deadline == 0 && period == 0 else {
            throw RuntimeError(
                .invalidSpecification,
                "scheduler runtime/deadline/period can only be specified for SchedDeadline policy")
        }
    }
}

extension PrivilegePlan {
    init(_ process: OCI.Process, namespaces: NamespacePlan) {
        uid = process.user.uid
        gid = process.user.gid
        additionalGids = process.user.additionalGids ?? []
        workingDirectory = process.cwd
        capabilities = process.capabilities.map { CapabilitySets($0) }
    }
}
