import CommandLineKit
import ContainerRuntime
import JSON
import Kernel
import OCI

extension Commands {
    static var exec: Command<Action> {
        Command(
            "exec", "Execute a new process in a container", usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
            arguments: .atLeast(1), isInterspersed: false
        ) { flags in
            let exec = ExecFlags(flags)
            return { surroundings, arguments in
                do {
                    try surroundings.seal()
                    return try exec.run(surroundings, arguments)
                } catch {
                    throw CommandFailure(message: "exec failed: \(error)", status: 255)
                }
            }
        }
    }
}

/// The flags of `exec`.
struct ExecFlags {
    private let consoleSocket: Flag<String>
    private let cwd: Flag<String>
    private let env: Flag<[String]>
    private let tty: Flag<Bool>
    private let user: Flag<String>
    private let additionalGids: Flag<[String]>
    private let process: Flag<String>
    private let detach: Flag<Bool>
    private let pidFile: Flag<String>
    private let processLabel: Flag<String>
    private let apparmor: Flag<String>
    private let noNewPrivileges: Flag<Bool>
    private let capabilities: Flag<[String]>
    private let preserve: Flag<Int64>
    private let cgroup: Flag<[String]>
    private let ignorePaused: Flag<Bool>

    init(_ flags: FlagSet) {
        consoleSocket = flags.string("console-socket", "Path to a unix socket that receives the terminal's master end")
        cwd = flags.string("cwd", "Working directory in the container")
        env = flags.strings("env", "e", "Set an environment variable")
        tty = flags.bool("tty", "t", "Allocate a terminal")
        user = flags.string("user", "u", "UID, or UID:GID")
        additionalGids = flags.strings("additional-gids", "g", "Additional group of the process")
        process = flags.string("process", "p", "Path to a process.json")
        detach = flags.bool("detach", "d", "Detach from the process")
        pidFile = flags.string("pid-file", "File to write the process id to")
        processLabel = flags.string("process-label", "SELinux label of the process")
        apparmor = flags.string("apparmor", "AppArmor profile of the process")
        noNewPrivileges = flags.bool("no-new-privs", "Set no_new_privs for the process")
        capabilities = flags.strings("cap", "c", "Add a capability to the process")
        preserve = flags.int("preserve-fds", type: "N", "Pass N additional file descriptors to the process")
        cgroup = flags.strings("cgroup", "Run the process in this cgroup below the container's ([CONTROLLER:]PATH)")
        ignorePaused = flags.bool("ignore-paused", "Allow exec in a paused container")
        flags.bool("no-subreaper", "Ignored").hidden()
    }

    func run(_ surroundings: Surroundings, _ arguments: [String]) throws -> Int32 {
        let id = arguments[0]
        let container = try surroundings.runtime.store.container(id)
        let process = try process(arguments, container)
        let hasTerminal = process.terminal ?? false
        if detach.value, hasTerminal, consoleSocket.value.isEmpty {
            throw RuntimeError(.usage, "cannot allocate tty if runc will detach without setting console socket")
        }
        if !consoleSocket.value.isEmpty, !hasTerminal || !detach.value {
            throw RuntimeError(.usage, "cannot use console socket if runc will not detach or allocate tty")
        }
        var options = ExecOptions()
        options.consoleSocket = consoleSocket.value.isEmpty ? nil : consoleSocket.value
        options.cgroupSubpath = try subpath()
        options.preservedDescriptors = Int32(clamping: max(0, preserve.value))
        options.seccompCache = surroundings.seccompCache
        options.isRootless = surroundings.isRootless
        let foreground = detach.value ? nil : try Foreground()
        let started = try surroundings.runtime.exec(id, process, options, ignoresPause: ignorePaused.value)
        do {
            try PIDFile.write(started.pid, to: pidFile.value)
            guard let foreground else { return 0 }
            let relay = try started.console.flatMap { try foreground.attach(to: $0) }
            return try foreground.wait(for: started.process, relay)
        } catch {
            try? started.process.send(signal: .kill)
            _ = try? started.process.wait()
            throw error
        }
    }

    private func subpath() throws -> String {
        var path = ""
        for text in cgroup.value {
            // One controller's own path would tear the process apart on v2; on v1 all follow the same.
            path = text.split(separator: ":", maxSplits: 1).last.map(String.init) ?? ""
        }
        guard !path.splitBytes("/").contains("..") else {
            throw RuntimeError(.usage, "\(path) is not a sub cgroup path")
        }
        return path.splitBytes("/").joined(separator: "/")
    }

    private func process(_ arguments: [String], _ container: StoredContainer) throws -> OCI.Process {
        if process.isSet {
            return try OCI.Process(parsing: try FileDescriptor.currentDirectory.readFile(process.value))
        }
        guard arguments.count > 1 else { throw RuntimeError(.usage, "process args cannot be empty") }
        guard var process = try container.specification().process else {
            throw RuntimeError(.invalidSpecification, "process property must not be empty")
        }
        process.args = Array(arguments.dropFirst())
        if !cwd.value.isEmpty { process.cwd = cwd.value }
        if !apparmor.value.isEmpty { process.apparmorProfile = apparmor.value }
        if !processLabel.value.isEmpty { process.selinuxLabel = processLabel.value }
        if noNewPrivileges.isSet { process.noNewPrivileges = noNewPrivileges.value }
        // The terminal's size is the caller's, not that of the container's first process.
        process.terminal = tty.value
        process.consoleSize = nil
        process.env = (process.env ?? []) + env.value
        try setUser(of: &process)
        addCapabilities(to: &process)
        return process
    }

    private func setUser(of process: inout OCI.Process) throws {
        if !user.value.isEmpty {
            let parts = user.value.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let uid = UInt32(parts[0]) else {
                throw RuntimeError(.usage, "parsing \(parts[0]) as int for uid failed: not a number")
            }
            process.user.uid = uid
            if parts.count > 1 {
                guard let gid = UInt32(parts[1]) else {
                    throw RuntimeError(.usage, "parsing \(parts[1]) as int for gid failed: not a number")
                }
                process.user.gid = gid
            }
        }
        for text in additionalGids.value {
            guard let gid = UInt32(text) else {
                throw RuntimeError(.usage, "parsing \(text) as int for additional gid failed: not a number")
            }
            process.user.additionalGids = (process.user.additionalGids ?? []) + [gid]
        }
    }

    private func addCapabilities(to process: inout OCI.Process) {
        guard !capabilities.value.isEmpty else { return }
        var sets = process.capabilities ?? LinuxCapabilities()
        let names = capabilities.value.map { Capability(name: $0)?.name ?? $0 }
        func adding(_ list: [String]?) -> [String] { (list ?? []) + names.filter { !(list ?? []).contains($0) } }
        sets.bounding = adding(sets.bounding)
        sets.effective = adding(sets.effective)
        sets.permitted = adding(sets.permitted)
        process.capabilities = sets
    }
}
