import CommandLineKit
import ContainerRuntime
import Kernel

/// What every command knows: the flags before it.
struct Surroundings {
    let runtime: OCIRuntime
    let log: Log
    let root: String
    let usesSystemdCgroup: Bool
    let isRootless: Bool
    /// The whole command line, to execute it again.
    let words: [String]

    /// The program must not be writable from inside a container that it enters.
    func seal() throws(RuntimeError) {
        try SealedExecutable.ensure(arguments: words)
    }

    var seccompCache: String { root + "/.seccomp" }
}

/// What a command does: with its arguments, to an exit status.
typealias Action = (Surroundings, [String]) throws -> Int32

/// The command line of an OCI runtime, with runc's commands and flags.
enum RuntimeProgram {
    static let name = "dhow-runtime"
    static let version = "0.1.0"

    static func run(_ words: [String]) -> Int32 {
        var tree = CommandTree<Action>(
            name: name,
            commands: [
                Commands.create, Commands.delete, Commands.events, Commands.exec, Commands.features, Commands.kill,
                Commands.list, Commands.pause, Commands.plan, Commands.ps, Commands.resume, Commands.run, Commands.spec,
                Commands.start, Commands.state, Commands.update,
            ])
        tree.summary = "Runs containers from OCI bundles"
        tree.flagErrorStatus = 1
        tree.globalFlags = { flags in _ = GlobalFlags(flags) }
        let flags = FlagSet(isInterspersed: false)
        let global = GlobalFlags(flags)
        let log = Log()
        do {
            let rest = try flags.parse(words.dropFirst())
            if global.version.value || rest.first == "version" {
                print(versionText)
                return 0
            }
            try log.configure(path: global.log.value, format: global.logFormat.value, isDebug: global.debug.value)
            switch try tree.resolve(rest) {
            case .help(let text):
                print(text)
                return 0
            case .run(let action, let arguments, _, _):
                return try action(global.surroundings(words, log), arguments)
            }
        } catch let error as CommandFailure {
            log.fatal(error.message)
            return error.status
        } catch let error as FlagError {
            if case .help = error.code {
                print(tree.help())
                return 0
            }
            log.fatal("Incorrect Usage: \(error.message)")
            return 1
        } catch let error as CommandLineError {
            log.fatal(error.message)
            return error.exitStatus
        } catch {
            log.fatal("\(error)")
            return 1
        }
    }

    static var versionText: String {
        "\(name) version \(version)\nspec: \(RuntimeInformation.specificationVersion)\n"
            + "libseccomp: \(RuntimeInformation.seccompVersion)"
    }
}

/// A failure with an exit status of its own.
struct CommandFailure: Error {
    let message: String
    let status: Int32
}

/// The flags before the command.
struct GlobalFlags {
    let debug: Flag<Bool>
    let log: Flag<String>
    let logFormat: Flag<String>
    let root: Flag<String>
    let systemdCgroup: Flag<Bool>
    let rootless: Flag<String>
    let version: Flag<Bool>

    init(_ flags: FlagSet) {
        debug = flags.bool("debug", "Enable debug logging")
        log = flags.string("log", "Set the log file to write logs to (default is standard error)")
        logFormat = flags.string("log-format", default: "text", "Set the log format (text or json)")
        root = flags.string("root", "Directory for the state of containers; on a tmpfs")
        systemdCgroup = flags.bool("systemd-cgroup", "Make cgroups through systemd")
        rootless = flags.string("rootless", default: "auto", "Ignore cgroup permission errors (true, false or auto)")
        version = flags.bool("version", "v", "Print the version")
        flags.string("criu", "Ignored").hidden()
    }

    func surroundings(_ words: [String], _ log: Log) throws -> Surroundings {
        let isRootless: Bool
        switch rootless.value {
        case "auto": isRootless = Credentials.effectiveUserID != 0
        case "true": isRootless = true
        case "false": isRootless = false
        default: throw CommandFailure(message: "invalid boolean value \"\(rootless.value)\" for --rootless", status: 1)
        }
        var directory = root.value
        if directory.isEmpty {
            directory = "/run/dhow-runtime"
            if Credentials.effectiveUserID != 0, let runtime = Environment["XDG_RUNTIME_DIR"], !runtime.isEmpty {
                directory = runtime + "/dhow-runtime"
            }
        } else if !directory.hasPrefix("/") {
            directory = try workingDirectory() + "/" + directory
        }
        var runtime = OCIRuntime(root: directory)
        runtime.warn = { log.warn($0) }
        return Surroundings(
            runtime: runtime, log: log, root: directory, usesSystemdCgroup: systemdCgroup.value,
            isRootless: isRootless, words: words)
    }
}
