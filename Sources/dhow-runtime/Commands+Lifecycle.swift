import CommandLineKit
import ContainerRuntime
import Kernel
import OCI

/// The commands, a property each.
enum Commands {}

/// The flags that `create` and `run` share.
struct LaunchFlags {
    let bundle: Flag<String>
    let consoleSocket: Flag<String>
    let pidFile: Flag<String>
    let noPivot: Flag<Bool>
    let noNewKeyring: Flag<Bool>
    let preserve: Flag<Int64>

    init(_ flags: FlagSet) {
        bundle = flags.string("bundle", "b", "Path to the bundle; the working directory by default")
        consoleSocket = flags.string("console-socket", "Path to a unix socket that receives the terminal's master end")
        pidFile = flags.string("pid-file", "File to write the process id to")
        noPivot = flags.bool("no-pivot", "Do not use pivot_root, for a root on a ramdisk")
        noNewKeyring = flags.bool("no-new-keyring", "Do not create a new session keyring for the container")
        preserve = flags.int("preserve-fds", type: "N", "Pass N additional file descriptors to the container")
        flags.bool("no-subreaper", "Ignored").hidden()
    }

    /// Reads the bundle.
    func load(_ id: String, _ surroundings: Surroundings, isDetached: Bool) throws -> Launchable {
        var directory = try workingDirectory()
        if !bundle.value.isEmpty {
            directory = bundle.value.hasPrefix("/") ? bundle.value : directory + "/" + bundle.value
            // Relative names in the specification, of hooks for instance, start here.
            try changeWorkingDirectory(to: directory)
            directory = try workingDirectory()
        }
        var (specification, text) = try OCIRuntime.specification(ofBundle: directory)
        let hasTerminal = specification.process?.terminal ?? false
        if isDetached, hasTerminal, consoleSocket.value.isEmpty {
            throw RuntimeError(
                .usage, "cannot allocate tty if runc will detach without setting console socket")
        }
        if !consoleSocket.value.isEmpty, !hasTerminal || !isDetached {
            throw RuntimeError(
                .usage, "cannot use console socket if runc will not detach or allocate tty")
        }
        guard let count = Int32(exactly: preserve.value), count >= 0 else {
            throw RuntimeError(.usage, "--preserve-fds \(preserve.value) is no number of descriptors")
        }
        var options = LaunchOptions(id: id, bundle: directory)
        options.consoleSocket = consoleSocket.value.isEmpty ? nil : consoleSocket.value
        options.usesSystemdCgroup = surroundings.usesSystemdCgroup
        options.isRootless = surroundings.isRootless
        options.noPivot = noPivot.value
        options.noNewKeyring = noNewKeyring.value
        options.preservedDescriptors = count + ListenDescriptors.pass(to: &specification)
        options.seccompCache = surroundings.seccompCache
        return Launchable(specification: specification, text: text, options: options)
    }

    func writePIDFile(_ pid: Int32) throws { try PIDFile.write(pid, to: pidFile.value) }
}

/// A bundle that has been read.
struct Launchable {
    var specification: RuntimeSpec
    var text: [UInt8]
    var options: LaunchOptions
}

/// Sockets that systemd has opened for a service (sd_listen_fds(3)).
enum ListenDescriptors {
    /// Tells the container about them.
    /// - Returns: how many there are.
    static func pass(to specification: inout RuntimeSpec) -> Int32 {
        guard let text = Environment["LISTEN_FDS"], let count = Int32(text), count > 0 else { return 0 }
        var environment = specification.process?.env ?? []
        environment += ["LISTEN_FDS=\(count)", "LISTEN_PID=1"]
        if let names = Environment["LISTEN_FDNAMES"], !names.isEmpty { environment.append("LISTEN_FDNAMES=\(names)") }
        specification.process?.env = environment
        return count
    }
}

enum PIDFile {
    /// Writes it in one step, so that nobody reads half a number.
    static func write(_ pid: Int32, to path: String) throws {
        guard !path.isEmpty else { return }
        try FileDescriptor.currentDirectory.replaceFile(path, with: "\(pid)", mode: 0o666)
    }
}

extension Commands {
    static var create: Command<Action> {
        Command(
            "create", "Create a container", usage: "[OPTIONS] CONTAINER", arguments: .exactly(1), isInterspersed: false
        ) { flags in
            let launch = LaunchFlags(flags)
            return { surroundings, arguments in
                do {
                    try surroundings.seal()
                    let ready = try launch.load(arguments[0], surroundings, isDetached: true)
                    let created = try surroundings.runtime.create(
                        ready.specification, text: ready.text, ready.options)
                    do {
                        try launch.writePIDFile(created.pid)
                    } catch {
                        created.destroy()
                        try? surroundings.runtime.forget(arguments[0])
                        throw error
                    }
                    return 0
                } catch {
                    throw CommandFailure(message: "create failed: \(error)", status: 1)
                }
            }
        }
    }

    static var run: Command<Action> {
        Command(
            "run", "Create and run a container", usage: "[OPTIONS] CONTAINER", arguments: .exactly(1),
            isInterspersed: false
        ) { flags in
            let launch = LaunchFlags(flags)
            let detach = flags.bool("detach", "d", "Detach from the container's process")
            let keep = flags.bool("keep", "Do not delete the container after it exits")
            let executable = flags.string("executable", "File to execute in place of the one that args[0] names")
            let dependent = flags.bool(
                "die-with-parent", "Kill the container when this program's parent ends, or asks this program to")
            return { surroundings, arguments in
                do {
                    try surroundings.seal()
                    let id = arguments[0]
                    var ready = try launch.load(id, surroundings, isDetached: detach.value)
                    if !executable.value.isEmpty { ready.options.executable = executable.value }
                    if dependent.value {
                        ready.options.parentDeathSignal = .kill
                        try ProcessControl.setParentDeathSignal(.terminate)
                    }
                    // Before the process exists, so that no signal is lost.
                    let foreground = detach.value ? nil : try Foreground(killsWhenAsked: dependent.value)
                    let created = try surroundings.runtime.launch(
                        ready.specification, text: ready.text, ready.options)
                    do {
                        try launch.writePIDFile(created.pid)
                        let relay = try created.console.flatMap { try foreground?.attach(to: $0) }
                        try created.beginRelease()
                        try surroundings.runtime.register(created, ready.specification, ready.options)
                        try created.finishRelease()
                        guard let foreground else { return 0 }
                        let status = try foreground.wait(for: created.process, relay)
                        if keep.value { return status }
                        for problem in created.destroy() { surroundings.log.warn(problem) }
                        try surroundings.runtime.forget(id)
                        return status
                    } catch {
                        created.destroy()
                        try? surroundings.runtime.forget(id)
                        throw error
                    }
                } catch {
                    throw CommandFailure(message: "run failed: \(error)", status: 1)
                }
            }
        }
    }

    static var start: Command<Action> {
        Command(
            "start", "Execute the user's process in a created container", usage: "CONTAINER", arguments: .exactly(1)
        ) { _ in
            { surroundings, arguments in
                try surroundings.runtime.start(arguments[0])
                return 0
            }
        }
    }

    static var kill: Command<Action> {
        Command(
            "kill", "Send a signal to a container's first process (SIGTERM by default)",
            usage: "[OPTIONS] CONTAINER [SIGNAL]",
            arguments: .between(1, 2)
        ) { flags in
            let all = flags.bool("all", "a", "Send the signal to all processes of the container")
            return { surroundings, arguments in
                let name = arguments.count > 1 ? arguments[1] : "SIGTERM"
                guard let signal = Int32(name).map({ Signal(rawValue: $0) }) ?? Signal(name: name),
                    (0...64).contains(signal.rawValue)
                else { throw RuntimeError(.usage, "unknown signal \"\(name)\"") }
                try surroundings.runtime.kill(arguments[0], signal, all: all.value)
                return 0
            }
        }
    }

    static var delete: Command<Action> {
        Command(
            "delete", "Delete what a container holds", usage: "[OPTIONS] CONTAINER", arguments: .exactly(1)
        ) { flags in
            let force = flags.bool("force", "f", "Kill the container if it still runs")
            return { surroundings, arguments in
                try surroundings.runtime.delete(arguments[0], force: force.value)
                return 0
            }
        }
    }

    static var pause: Command<Action> {
        Command(
            "pause", "Suspend all processes of a container", usage: "CONTAINER", arguments: .exactly(1)
        ) { _ in
            { surroundings, arguments in
                try surroundings.runtime.pause(arguments[0])
                return 0
            }
        }
    }

    static var resume: Command<Action> {
        Command(
            "resume", "Resume all processes of a paused container", usage: "CONTAINER", arguments: .exactly(1)
        ) { _ in
            { surroundings, arguments in
                try surroundings.runtime.resume(arguments[0])
                return 0
            }
        }
    }
}
