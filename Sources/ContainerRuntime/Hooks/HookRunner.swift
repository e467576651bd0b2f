import JSON
import Kernel
import OCI

/// Runs hooks: programs that get the container's state on standard input.
enum HookRunner {
    /// Runs hooks in order and stops at the first that fails.
    /// - Throws: `.hookFailed`, with what the hook wrote.
    static func run(_ hooks: [Hook], _ kind: HookKind, state: RuntimeState) throws(RuntimeError) {
        guard !hooks.isEmpty else { return }
        let input = Array(state.json.serialized().utf8)
        for (index, hook) in hooks.enumerated() {
            try run(hook, kind, "error running \(kind.rawValue) hook #\(index)", input)
        }
    }

    private static func run(
        _ hook: Hook, _ kind: HookKind, _ what: String, _ input: [UInt8]
    ) throws(RuntimeError) {
        // Without one of its own a hook has the runtime's environment, but not inside the container.
        let environment = hook.env ?? (kind == .startContainer ? [] : nil)
        var configuration = Subprocess.Configuration(
            hook.path, arguments: hook.args?.isEmpty == false ? hook.args : [hook.path], environment: environment)
        configuration.startsSession = false
        let output: Subprocess.Output
        do throws(KernelError) {
            output = try Subprocess.run(
                configuration, input: input, timeoutMilliseconds: hook.timeout.map { min($0, 1_000_000_000) * 1000 },
                outputLimit: 16 << 10)
        } catch {
            throw RuntimeError(.hookFailed, "\(what): cannot run \(hook.path): \(error.code)")
        }
        if output.timedOut {
            throw RuntimeError(.hookFailed, "\(what): hook ran past specified timeout of \(hook.timeout ?? 0)s")
        }
        guard output.status.isSuccess else {
            let ending =
                switch output.status {
                case .exited(let code): "exit status \(code)"
                case .signaled(let signal, _): "signal: \(Signal(rawValue: signal))"
                }
            let streams =
                "stdout: \(String(decoding: output.standardOutput, as: UTF8.self)), stderr: \(output.standardErrorText)"
            throw RuntimeError(.hookFailed, "\(what): \(ending), \(streams)")
        }
    }
}

extension LaunchChild {
    /// Runs hooks in the container's namespaces, where the process has another number.
    func runHooks(_ kind: HookKind) throws {
        let hooks = kind.hooks(in: plan.hooks)
        guard !hooks.isEmpty else { return }
        var state = inherited.state
        state.pid = Int(Processes.currentID)
        state.status = kind == .startContainer ? "created" : "creating"
        try HookRunner.run(hooks, kind, state: state)
    }
}
