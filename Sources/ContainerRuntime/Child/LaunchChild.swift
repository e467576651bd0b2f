import Cgroups
import Kernel
import OCI

/// The child of a launch: executes a plan's steps and becomes the user's program.
///
/// It runs ordinary Swift in a copy of a single-threaded parent. It never returns into the parent's code: `run` ends
/// in exec or exit.
final class LaunchChild {
    /// Everything that the parent worked out for the child.
    struct Inheritance {
        var plan: LaunchPlan
        var options: LaunchOptions
        var channel: LaunchChannel
        var state: RuntimeState
        var seccomp: SeccompProgram?
        /// A bound datagram socket on which the word to start comes, if not over the channel.
        var startSocket: FileDescriptor?
        /// Mounts that only the parent could make, by the index of their step.
        var preparedMounts: [Int: FileDescriptor] = [:]
        /// The way into the cgroup, unless the parent places the process.
        var entrance: CgroupEntrance?
        /// For the container's own view of cgroups: what the host has, and the container's directories by controller.
        var cgroupHost: CgroupHost?
        var cgroupPaths: [String: String] = [:]
        /// Whether the parent has to do something before the child may go on.
        var awaitsPlacement = true
        /// The container to join.
        var container: ProcessDescriptor?
        /// Sockets that the parent connected, because their paths are outside the container.
        var consoleSocket: FileDescriptor?
    }

    var inherited: Inheritance
    var plan: LaunchPlan { inherited.plan }
    var channel: LaunchChannel { inherited.channel }
    /// The root of the container's file system, until the pivot.
    var root = FileDescriptor(borrowing: -1)
    /// The slave end of the terminal.
    var terminal: FileDescriptor?
    /// The path of the program, once found.
    var executable = ""
    var environment: [String]
    /// The first masked directory's empty file system; later ones are copies of it.
    var emptyDirectory: FileDescriptor?
    /// Namespaces that can be joined only from inside the user namespace.
    var postponedNamespaces: [(FileDescriptor, NamespaceKind)] = []
    /// Where everything after the start is reported, when the start came over the start socket.
    var starter: LaunchChannel?

    init(_ inheritance: Inheritance) {
        inherited = inheritance
        environment = inheritance.plan.environment
    }

    /// Executes every step. On failure the parent is told and the process exits.
    func run() -> Never {
        _ = SignalSet.empty.block()
        // The clone has reset what has a handler; what the parent ignores for itself the program must not.
        for signal in [Signal.pipe, .child] { signal.restoreDefault() }
        _ = setFileModeMask(0)
        // Not to be looked into by what may already live in a pid namespace that is joined. A new user namespace's maps
        // are written by way of this process's /proc first, perhaps without root.
        if !plan.namespaces.created.contains(.user) { try? ProcessControl.setDumpable(false) }
        for (index, step) in plan.steps.enumerated() {
            do {
                try execute(step, at: index)
            } catch {
                fail(error)
            }
        }
        exitImmediately(1)
    }

    func fail(_ error: any Error) -> Never {
        let error = RuntimeError(any: error)
        try? (starter ?? channel).report(.failed(error))
        exitImmediately(error.exitCode ?? 1)
    }

    private func execute(_ step: LaunchStep, at index: Int) throws {
        switch step {
        case .joinNamespace(let kind, let path): try joinNamespace(kind, path)
        case .enterCgroup: try inherited.entrance?.enter()
        case .awaitPlacement: if inherited.awaitsPlacement { try awaitOrder(.placed) }
        case .becomeRoot: try become(uid: 0, gid: 0)
        case .becomeUser(let uid, let gid): try become(uid: uid, gid: gid)
        case .unshare(let kinds): try unshare(kinds)
        case .unshareTime(let offsets): try unshareTime(offsets)
        case .joinContainer(let kinds, let pid): try joinContainer(kinds, pid: pid)
        case .fork: try fork()
        case .startSession: try Processes.startSession()
        case .joinSessionKeyring(let name): try joinSessionKeyring(name)
        case .setHostname(let name): try ProcessControl.setHostName(name)
        case .setDomainname(let name): try ProcessControl.setDomainName(name)
        case .bringUpLoopback: try bringLoopbackUp()
        case .setPropagation(let flags): try Kernel.Mount.mount(nil, on: "/", flags: flags)
        case .mountRoot(let mount, let path): try mountRoot(mount, at: path, prepared: inherited.preparedMounts[index])
        case .bindRoot(let path): try bindRoot(path)
        case .mount(let plan): try mount(plan, prepared: inherited.preparedMounts[index])
        case .makeDevice(let plan): try makeDevice(plan)
        case .link(let target, let path): try link(target, at: path)
        case .awaitRuntimeHooks:
            try channel.report(.namespacesReady)
            try awaitOrder(.hooksDone)
        case .runHooks(let kind): try runHooks(kind)
        case .setSysctl(let name, let value): try setSysctl(name, value)
        case .openConsole(let width, let height, let mounts):
            try openConsole(width: width, height: height, mounts: mounts)
        case .makeMountReadOnly(let path): try makeMountReadOnly(path)
        case .makeReadOnly(let path): try makeReadOnly(path)
        case .mask(let path): try mask(path)
        case .pivotRoot: try pivotRoot()
        case .moveRoot: try moveRoot()
        case .changeRoot: try changeRoot()
        case .makeRootReadOnly(let recursively): try makeRootReadOnly(recursively)
        case .setUmask(let mask): _ = setFileModeMask(mask)
        case .setLimit(let limit): try limit.apply()
        case .setAppArmorProfile(let name): try SecurityLabels.setAppArmorProfile(name)
        case .setSELinuxLabel(let label): try SecurityLabels.setSELinuxLabel(label)
        case .setNoNewPrivileges: try ProcessControl.setNoNewPrivileges()
        case .setScheduler(let plan):
            try Scheduling.set(
                plan.policy, nice: plan.nice, priority: plan.priority, flags: plan.flags, runtime: plan.runtime,
                deadline: plan.deadline, period: plan.period)
        case .setAffinity(let processors): try Scheduling.setAffinity(processors)
        case .setIOPriority(let kind, let level): try Scheduling.setInputOutputPriority(kind, level: level)
        case .setPersonality(let persona): try ProcessControl.setPersonality(persona)
        case .setMemoryPolicy(let mode, let nodes): try Scheduling.setMemoryPolicy(mode: mode, nodes: nodes)
        case .loadSeccomp: try loadSeccomp()
        case .setStandardStreams: try setStandardStreams()
        case .closeDescriptorsOnExec: try closeDescriptorsOnExec()
        case .dropPrivileges(let plan): try dropPrivileges(plan)
        case .setParentDeathSignal(let signal):
            try ProcessControl.setParentDeathSignal(signal)
        case .findExecutable:
            executable = try ExecutableSearch.find(
                inherited.options.executable ?? plan.arguments.first ?? "", in: environment)
        case .awaitStart: try awaitStart()
        case .execute: try executeProgram()
        }
    }

    func awaitOrder(_ expected: LaunchChannel.Order) throws {
        let order = try channel.awaitOrder()
        // The parent is gone: nobody is left to report to.
        guard order == expected else { exitImmediately(1) }
    }

    /// Says that the container is created, and waits for its start.
    private func awaitStart() throws {
        try channel.report(.created)
        guard let socket = inherited.startSocket else { return try awaitOrder(.start) }
        // The creator leaves now; whoever starts the container sends a socket for the result along.
        let message = try socket.receive(count: 1, maximumDescriptors: 1)
        starter = message.descriptors.first.map { LaunchChannel(socket: $0) }
    }

    private func closeDescriptorsOnExec() throws {
        try FileDescriptor.closeAll(from: 3 + inherited.options.preservedDescriptors, onExecOnly: true)
        for number in 0..<inherited.options.preservedDescriptors {
            try? FileDescriptor(borrowing: 3 + number).setCloseOnExec(false)
        }
    }

    private func executeProgram() throws {
        do {
            try Processes.execute(executable, arguments: plan.arguments, environment: environment)
        } catch {
            throw ExecutableSearch.error(executing: executable, error)
        }
    }
}

extension RuntimeError {
    /// What the kernel refused.
    init(_ error: KernelError) {
        self.init(.system, error.description, errno: error.code.rawValue)
    }
}
