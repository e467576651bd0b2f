import Cgroups
import Kernel
import OCI

/// A container whose process waits to execute the user's program.
public final class CreatedContainer {
    /// The process, in the caller's pid namespace; a child of the caller, who must reap it.
    public let pid: Int32
    /// Readable once the process has ended.
    public let process: ProcessDescriptor
    /// The master end of the terminal, when the process has one and no console socket was given.
    public let console: FileDescriptor?
    /// The container's cgroup.
    public let cgroup: any Cgroup
    /// Becomes readable once the start has succeeded or failed; then `finishRelease` does not block.
    public var startResult: FileDescriptor { channel.socket }

    private let channel: LaunchChannel
    private let hooks: Hooks?
    private var state: RuntimeState
    private let seccomp: SeccompProgram?
    /// Whether its processes all end with the first one.
    private let hasPIDNamespace: Bool
    private var isDestroyed = false

    init(
        pid: Int32, process: ProcessDescriptor, console: FileDescriptor?, cgroup: any Cgroup, channel: LaunchChannel,
        plan: LaunchPlan, state: RuntimeState, seccomp: SeccompProgram?
    ) {
        self.pid = pid
        self.process = process
        self.console = console
        self.cgroup = cgroup
        self.channel = channel
        hooks = plan.hooks
        hasPIDNamespace = plan.namespaces.created.contains(.pid)
        self.state = state
        self.seccomp = seccomp
    }

    /// Lets the process execute the user's program, and returns when it did and the `poststart` hooks have run.
    /// - Throws: when the program could not be executed; the process is then ending, and `RuntimeError.exitCode` is
    ///   the code to report. Also when a `poststart` hook failed: the process is killed.
    public func release() throws(RuntimeError) {
        try beginRelease()
        try finishRelease()
    }

    /// The first half of `release`: the word to go on.
    public func beginRelease() throws(RuntimeError) {
        do throws(KernelError) {
            try channel.send(.start)
        } catch {
            throw RuntimeError(
                .notRunning, "cannot start the container: its process has ended", errno: error.code.rawValue)
        }
    }

    /// The second half of `release`: waits for the result.
    public func finishRelease() throws(RuntimeError) {
        try Self.awaitExecution(channel, state: state, seccomp: seccomp)
        state.status = "running"
        do throws(RuntimeError) {
            try HookRunner.run(HookKind.poststart.hooks(in: hooks), .poststart, state: state)
        } catch {
            try? process.send(signal: .kill)
            throw error
        }
    }

    static func awaitExecution(
        _ channel: LaunchChannel, state: RuntimeState, seccomp: SeccompProgram?
    ) throws(RuntimeError) {
        while true {
            let report: LaunchChannel.Report
            do throws(KernelError) { report = try channel.nextReport() } catch { throw RuntimeError(error) }
            switch report {
            case .closed: return
            case .failed(let error): throw error
            case .seccompListener(let listener): try SeccompListener.send(listener, for: seccomp, state: state)
            case .namespacesReady, .created, .console, .successor: continue
            }
        }
    }

    /// Kills every process of the container, reaps its first one, removes its cgroup and runs the `poststop` hooks.
    /// Harmless when repeated. Call it also after the process has ended by itself.
    /// - Returns: what could not be undone, and hooks that failed, as sentences for a log.
    @discardableResult
    public func destroy() -> [String] {
        guard !isDestroyed else { return [] }
        isDestroyed = true
        var problems: [String] = []
        if (try? process.hasExited) != true {
            try? process.send(signal: .kill)
            // A frozen process would die only when it is thawed.
            if (try? cgroup.isFrozen()) == true { try? cgroup.thaw() }
        }
        _ = try? process.wait()
        do throws(CgroupError) {
            if !hasPIDNamespace, cgroup.exists { try cgroup.killAll() }
        } catch {
            problems.append(error.message)
        }
        do throws(CgroupError) { try cgroup.destroy() } catch { problems.append(error.message) }
        state.status = "stopped"
        state.pid = nil
        for hook in HookKind.poststop.hooks(in: hooks) {
            // Every one of them gets its turn.
            do throws(RuntimeError) { try HookRunner.run([hook], .poststop, state: state) } catch {
                problems.append(error.message)
            }
        }
        return problems
    }
}
