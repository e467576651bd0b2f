import CommandLineKit
import EngineClient
import Glibc
import JSON

/// The commands, each in a file of its own, here in the order of help texts: sorting them would be half of a start.
enum Commands {
    /// Where a command stands in a group, perhaps under another name.
    private static func inGroup(_ command: Command<Action>, as name: String? = nil, aliases: [String] = []) -> Command<
        Action
    > {
        var command = command
        command.name = name ?? command.name
        command.aliases = aliases
        command.group = "Commands"
        return command
    }

    private static var containerGroup: Command<Action> {
        var group = Command<Action>(
            "container", "Manage containers",
            subcommands: [
                inGroup(attach), inGroup(commit), inGroup(copy), inGroup(create), inGroup(diff), inGroup(exec),
                inGroup(export),
                inspect(
                    "Display detailed information on one or more containers", usage: "CONTAINER",
                    prefix: "/containers/", suffix: "/json"),
                inGroup(kill), inGroup(logs), inGroup(ps, as: "ls", aliases: ["list", "ps"]), inGroup(pause),
                inGroup(port),
                containerPrune, inGroup(rename), inGroup(restart), inGroup(rm, aliases: ["remove"]), inGroup(run),
                inGroup(start), inGroup(stats), inGroup(stop), inGroup(top), inGroup(unpause), inGroup(update),
                inGroup(wait),
            ])
        group.group = "Management Commands"
        return group
    }

    private static var imageGroup: Command<Action> {
        var group = Command<Action>(
            "image", "Manage images",
            subcommands: [
                inGroup(history), inGroup(`import`),
                inspect(
                    "Display detailed information on one or more images", usage: "IMAGE", prefix: "/images/",
                    suffix: "/json"),
                inGroup(load), inGroup(images, as: "ls", aliases: ["list"]), imagePrune, inGroup(pull), inGroup(push),
                inGroup(rmi, as: "rm", aliases: ["remove"]), inGroup(save), inGroup(tag),
            ])
        group.group = "Management Commands"
        return group
    }

    /// At the top level `list` and `remove` are no commands.
    private static func atTop(_ command: Command<Action>) -> Command<Action> {
        var command = command
        command.aliases = []
        return command
    }

    static var all: [Command<Action>] {
        let daily = [
            // Those that are used most, in Docker's order.
            run, exec, atTop(ps), pull, push, atTop(images), login, logout, search, version, info,
            // The others, by their names.
            attach, commit, copy, create, diff, events, export, history, `import`, inspect, kill, load, logs, pause,
            port, rename, restart, atTop(rm), atTop(rmi), save, start, stats, stop, tag, top, unpause, update, wait,
        ]
        let groups = [
            containerGroup, contextGroup, imageGroup, manifestGroup, networkGroup, swarmGroup, systemGroup,
            volumeGroup,
        ]
        return daily + copyVerbs + groups
    }
}

/// The `dhow` program.
public enum Program {
    /// Runs a command line and returns the status to exit with.
    /// - Parameter arguments: with the program's name first.
    public static func run(_ arguments: [String]) async -> Int32 {
        // A reader of our output that goes away is noticed when writing; see `Output`.
        signal(SIGPIPE, SIG_IGN)
        let called = arguments.first.map { String($0.split(separator: "/").last ?? "dhow") } ?? "dhow"
        let name = called == "docker" ? called : "dhow"
        do {
            try await dispatch(name, Array(arguments.dropFirst()))
            return 0
        } catch let error as ExitStatus {
            Terminal.restore()
            if let message = error.message, !message.isEmpty { Output.error(message) }
            return error.status
        } catch let error as CommandLineError {
            Terminal.restore()
            Output.error(error.message)
            return error.exitStatus
        } catch {
            Terminal.restore()
            Output.error("\(error)")
            return 1
        }
    }

    private static func dispatch(_ name: String, _ arguments: [String]) async throws {
        var tree = CommandTree(name: name, commands: Commands.all)
        tree.summary = "Containers from images, run, inspected and kept in order"
        tree.groupOrder = ["Common Commands", "Management Commands", "Commands", "Copying Commands"]
        tree.width = Terminal.size(1)?.width ?? 80
        var globals: GlobalOptions?
        tree.globalFlags = { globals = GlobalOptions.declare($0) }
        let (_, rest) = try tree.parseGlobal(arguments)
        guard let globals else { return }
        if globals.version.value, rest.isEmpty {
            Output.print("Dhow version \(Commands.programVersion)")
            return
        }
        // Help texts declare the flags anew; what was parsed must stay.
        tree.globalFlags = { _ = GlobalOptions.declare($0) }
        switch try tree.resolve(rest, warn: { Output.error($0) }) {
        case .help(let text): Output.write(text)
        case .run(let action, let arguments, _, let path):
            let context = Context(programName: name, environment: environment(), globals: globals)
            context.path = path
            do {
                try await action(context, arguments)
            } catch let error as EngineClientError {
                // Failures of `run` must not look like those of the container's process.
                if path == ["run"] || path == ["container", "run"] { throw context.usageError("\(error)") }
                throw ExitStatus(1, "\(error)")
            }
        }
    }

    private static func environment() -> [String: String] {
        var result: [String: String] = [:]
        var at = environ
        while let entry = at.pointee {
            let text = String(cString: entry)
            if let (name, value) = OptionText.cut(text, "=") { result[name] = value }
            at += 1
        }
        return result
    }
}
