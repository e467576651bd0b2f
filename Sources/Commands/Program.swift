import CommandLineKit
import EngineClient
import Glibc
import JSON

/// The commands, each in a file of its own.
enum Commands {
    /// Containers' commands at the top level, in Docker's order.
    private static var containerCommands: [Command<Action>] {
        [
            run, exec, ps, attach, commit, copy, create, diff, export, kill, logs, pause, port, rename, restart, rm,
            start, stats, stop, top, unpause, update, wait,
        ]
    }

    private static var imageCommands: [Command<Action>] { [images, history, `import`, load, pull, push, rmi, save, tag] }

    /// Where a command stands in a group under another name.
    private static func inGroup(_ command: Command<Action>, as name: String? = nil, aliases: [String] = []) -> Command<Action> {
        var command = command
        command.name = name ?? command.name
        command.aliases = aliases
        command.group = "Commands"
        return command
    }

    static var all: [Command<Action>] {
        var container = Command<Action>(
            "container", "Manage containers",
            subcommands: (containerCommands.filter { !["ps", "rm"].contains($0.name) }.map { inGroup($0) } + [
                inspect(
                    "Display detailed information on one or more containers", usage: "CONTAINER",
                    prefix: "/containers/", suffix: "/json"),
                inGroup(ps, as: "ls", aliases: ["list", "ps"]), inGroup(rm, aliases: ["remove"]), containerPrune,
            ]).sorted { $0.name < $1.name })
        container.group = "Management Commands"
        var image = Command<Action>(
            "image", "Manage images",
            subcommands: (imageCommands.filter { !["images", "rmi"].contains($0.name) }.map { inGroup($0) } + [
                inspect(
                    "Display detailed information on one or more images", usage: "IMAGE", prefix: "/images/",
                    suffix: "/json"),
                inGroup(images, as: "ls", aliases: ["list"]), inGroup(rmi, as: "rm", aliases: ["remove"]), imagePrune,
            ]).sorted { $0.name < $1.name })
        image.group = "Management Commands"
        var top = containerCommands + imageCommands + copyVerbs + [inspect, version, info, events, login, logout, search]
        top = top.map { command in
            var command = command
            // At the top level `list` and `remove` are no commands.
            command.aliases = []
            return command
        }
        let common = [
            "run", "exec", "ps", "pull", "push", "images", "login", "logout", "search", "version", "info",
        ]
        let order = { (command: Command<Action>) in common.firstIndex(of: command.name) ?? common.count }
        top.sort { (order($0), $0.name) < (order($1), $1.name) }
        return top + [container, contextGroup, image, manifestGroup, networkGroup, systemGroup, volumeGroup]
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
        tree.groupOrder = ["Common Commands", "Management Commands", "Commands"]
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
