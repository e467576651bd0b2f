import CommandLineKit
import EngineClient
import EngineModel
import JSON

/// What was asked for is so already: worth a word, but no failure.
private struct NothingToDo: Error {
    var reason: String
}

extension Commands {
    /// A command that does the same to each of its arguments and prints each when done.
    private static func each(
        _ name: String, _ summary: String, usage: String = "[OPTIONS] CONTAINER [CONTAINER...]",
        configure: @escaping (FlagSet) -> (Context, String) async throws -> Void
    ) -> Command<Action> {
        var command = Command<Action>(name, summary, usage: usage, arguments: .atLeast(1)) { flags in
            let act = configure(flags)
            return { context, arguments in
                try await context.forEach(arguments) { argument in
                    do {
                        try await act(context, argument)
                        Output.print(argument)
                    } catch let nothing as NothingToDo {
                        Output.error(nothing.reason)
                    }
                }
            }
        }
        command.spellings = ["% container \(name)", "% \(name)"]
        return command
    }

    private static func stopping(_ name: String, _ summary: String) -> Command<Action> {
        each(name, summary) { flags in
            let signal = flags.string("signal", "s", "Signal to send to the container")
            let timeout = flags.int("timeout", "t", "Seconds to wait before it is killed")
            let time = flags.int("time", "Seconds to wait before it is killed").deprecated("use --timeout instead")
            return { context, container in
                var query: [(String, String)] = []
                if !signal.value.isEmpty { query.append(("signal", signal.value)) }
                if timeout.isSet { query.append(("t", String(timeout.value))) }
                if time.isSet { query.append(("t", String(time.value))) }
                try await context.call("POST", "/containers/\(container)/\(name)", query)
            }
        }
    }

    static var stop: Command<Action> {
        stopping("stop", "Stop one or more running containers")
    }
    static var restart: Command<Action> {
        stopping("restart", "Restart one or more containers")
    }

    static var kill: Command<Action> {
        each("kill", "Kill one or more running containers") { flags in
            let signal = flags.string("signal", "s", "Signal to send to the container")
            return { context, container in
                try await context.call(
                    "POST", "/containers/\(container)/kill", signal.value.isEmpty ? [] : [("signal", signal.value)])
            }
        }
    }

    static var pause: Command<Action> {
        each(
            "pause", "Pause all processes within one or more containers", usage: "CONTAINER [CONTAINER...]"
        ) { _ in { context, container in try await context.call("POST", "/containers/\(container)/pause") } }
    }

    static var unpause: Command<Action> {
        each(
            "unpause", "Unpause all processes within one or more containers", usage: "CONTAINER [CONTAINER...]"
        ) { _ in { context, container in try await context.call("POST", "/containers/\(container)/unpause") } }
    }

    static var rm: Command<Action> {
        var command = each("rm", "Remove one or more containers") { flags in
            let force = flags.bool("force", "f", "Kill it if it runs")
            let link = flags.bool("link", "l", "Remove the link of this name")
            let volumes = flags.bool("volumes", "v", "Remove its anonymous volumes")
            return { context, container in
                guard !container.isEmpty, container != "/" else {
                    throw CommandLineError("container name cannot be empty")
                }
                let name = container.hasPrefix("/") ? String(container.dropFirst()) : container
                var query: [(String, String)] = []
                if force.value { query.append(("force", "1")) }
                if link.value { query.append(("link", "1")) }
                if volumes.value { query.append(("v", "1")) }
                do {
                    try await context.call("DELETE", "/containers/\(name)", query)
                } catch let error as EngineClientError where force.value && error.status == 404 {
                    throw NothingToDo(reason: "\(error)")
                }
            }
        }
        command.spellings = ["% container rm", "% container remove", "% rm"]
        return command
    }

    static var wait: Command<Action> {
        var command = Command<Action>(
            "wait", "Block until one or more containers stop, then print their exit codes",
            usage: "CONTAINER [CONTAINER...]", arguments: .atLeast(1)
        ) { _ in
            { context, arguments in
                try await context.forEach(arguments) { container in
                    let result = try await context.call(
                        "POST", "/containers/\(container)/wait", as: ContainerWaitResponse.self)
                    Output.print(String(result.statusCode))
                }
            }
        }
        command.spellings = ["% container wait", "% wait"]
        return command
    }

    static var rename: Command<Action> {
        var command = Command<Action>(
            "rename", "Rename a container", usage: "CONTAINER NEW_NAME", arguments: .exactly(2)
        ) { _ in
            { context, arguments in
                let (old, new) = (arguments[0].trimmed, arguments[1].trimmed)
                guard !old.isEmpty, !new.isEmpty else {
                    throw ExitStatus(1, "Error: Neither old nor new names may be empty")
                }
                do {
                    try await context.call("POST", "/containers/\(old)/rename", [("name", new)])
                } catch let error as EngineClientError where error.status != nil {
                    throw ExitStatus(1, "\(error)\nError: failed to rename container named \(old)")
                }
            }
        }
        command.spellings = ["% container rename", "% rename"]
        return command
    }

    static var top: Command<Action> {
        var command = Command<Action>(
            "top", "Display the running processes of a container", usage: "CONTAINER [ps OPTIONS]",
            arguments: .atLeast(1), isInterspersed: false
        ) { _ in
            { context, arguments in
                let options = arguments.dropFirst().joined(separator: " ")
                let result = try await context.call(
                    "GET", "/containers/\(arguments[0])/top", options.isEmpty ? [] : [("ps_args", options)],
                    as: ContainerTop.self)
                var table = Table(minimumWidth: 20)
                table.add(result.titles)
                for process in result.processes { table.add(process) }
                Output.write(table.rendered())
            }
        }
        command.spellings = ["% container top", "% top"]
        return command
    }

    static var port: Command<Action> {
        var command = Command<Action>(
            "port", "List port mappings or a specific mapping for the container",
            usage: "CONTAINER [PRIVATE_PORT[/PROTO]]", arguments: .between(1, 2)
        ) { _ in
            { context, arguments in
                let inspect = try await context.call(
                    "GET", "/containers/\(arguments[0])/json", as: ContainerInspect.self)
                let ports = inspect.networkSettings.ports ?? [:]
                func address(_ binding: PortBinding) -> String {
                    (binding.hostIP.contains(":") ? "[\(binding.hostIP)]" : binding.hostIP) + ":" + binding.hostPort
                }
                if arguments.count == 2 {
                    let wanted = arguments[1].contains("/") ? arguments[1] : arguments[1] + "/tcp"
                    guard let bindings = ports[wanted] ?? nil else {
                        throw ExitStatus(1, "Error: No public port '\(arguments[1])' published for \(arguments[0])")
                    }
                    for binding in bindings { Output.print(address(binding)) }
                    return
                }
                let lines = ports.flatMap { port, bindings in
                    (bindings ?? []).map { "\(port) -> \(address($0))" }
                }
                for line in lines.sorted() { Output.print(line) }
            }
        }
        command.spellings = ["% container port", "% port"]
        return command
    }

    static var diff: Command<Action> {
        var command = Command<Action>(
            "diff", "Inspect changes to files or directories on a container's filesystem", usage: "CONTAINER",
            arguments: .exactly(1)
        ) { flags in
            let format = flags.string("format", "How to print the changes").hidden()
            return { context, arguments in
                let changes = try await context.call(
                    "GET", "/containers/\(arguments[0])/changes", as: [FilesystemChange]?.self)
                let list = ListFormat(
                    defaultTable: "{{.Type}}\t{{.Path}}", headers: ["Type": "CHANGE TYPE", "Path": "PATH"],
                    typeName: "*formatter.diffContext")
                let rows = (changes ?? []).map { change in
                    ListRow([
                        ("Type", .string(change.kind == 0 ? "C" : change.kind == 1 ? "A" : "D")),
                        ("Path", .string(change.path)),
                    ])
                }
                Output.write(try list.render(rows, format: format.value.isEmpty ? "{{.Type}} {{.Path}}" : format.value))
            }
        }
        command.spellings = ["% container diff", "% diff"]
        return command
    }

    static var containerPrune: Command<Action> {
        prune(
            "Remove all stopped containers", path: "/containers/prune",
            warning: "This will remove all stopped containers.", heading: "Deleted Containers:"
        ) { $0["ContainersDeleted"]?.array?.compactMap(\.string) ?? [] }
    }

    /// `prune` of one kind of thing.
    static func prune(
        _ summary: String, path: String, warning: String, heading: String,
        deleted: @escaping @Sendable (JSONValue) -> [String]
    ) -> Command<Action> {
        Command<Action>("prune", summary, usage: "[OPTIONS]", arguments: ArgumentCount.none) { flags in
            let force = flags.bool("force", "f", "Do not ask for confirmation")
            let filter = FilterFlag(flags, "Remove only what fits (for instance until=<timestamp>)", shorthand: nil)
            return { context, _ in
                if !force.value, !Prompt.confirm("WARNING! \(warning)\nAre you sure you want to continue?") { return }
                let report = try await context.call("POST", path, filter.query())
                let names = deleted(report)
                if !names.isEmpty { Output.print(heading + "\n" + names.joined(separator: "\n") + "\n") }
                Output.print("Total reclaimed space: \(ByteSize.decimal(report["SpaceReclaimed"]?.integer ?? 0))")
            }
        }
    }
}

/// Questions on the terminal.
enum Prompt {
    /// Whether the user answers yes.
    static func confirm(_ question: String) -> Bool {
        Output.write(question + " [y/N] ")
        let answer = readLine() ?? ""
        return ["y", "yes"].contains(answer.lowercased().trimmed)
    }
}
