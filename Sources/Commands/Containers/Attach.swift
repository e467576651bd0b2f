import CommandLineKit
import EngineClient
import EngineModel
import JSON

extension Commands {
    static var attach: Command<Action> {
        var command = Command<Action>(
            "attach", "Attach this terminal's input and output to a running container", usage: "[OPTIONS] CONTAINER",
            arguments: .exactly(1)
        ) { flags in
            let noStdin = flags.bool("no-stdin", "Do not attach standard input")
            let signalProxy = flags.bool("sig-proxy", default: true, "Pass signals on to the process")
            let detachKeys = flags.string("detach-keys", "Keys that leave the container running")
            return { context, arguments in
                let client = try await context.client()
                let inspect = try await context.call(
                    "GET", "/containers/\(arguments[0])/json", as: ContainerInspect.self)
                if !inspect.state.running {
                    throw ExitStatus(1, "You cannot attach to a stopped container, start it first")
                }
                if inspect.state.paused {
                    throw ExitStatus(1, "You cannot attach to a paused container, unpause it first")
                }
                if inspect.state.restarting {
                    throw ExitStatus(1, "You cannot attach to a restarting container, wait until it is running")
                }
                var config = inspect.config
                config.attachStdin = !noStdin.value && config.openStdin
                config.attachStdout = true
                config.attachStderr = true
                if config.attachStdin, config.tty, !Terminal.isTerminal(0) {
                    throw ExitStatus(1, "the input device is not a TTY")
                }
                let status = try await Attachment(
                    context: context, id: inspect.id, config: config, signalProxy: signalProxy.value && !config.tty,
                    detachKeys: detachKeys.value
                ).run(client, condition: "", start: nil)
                if let status, status != 0 { throw ExitStatus(status) }
            }
        }
        command.spellings = ["% container attach", "% attach"]
        return command
    }

    static var start: Command<Action> {
        var command = Command<Action>(
            "start", "Start one or more stopped containers", usage: "[OPTIONS] CONTAINER [CONTAINER...]",
            arguments: .atLeast(1)
        ) { flags in
            let attach = flags.bool("attach", "a", "Attach standard output and error and pass signals on")
            let interactive = flags.bool("interactive", "i", "Attach the container's standard input")
            let detachKeys = flags.string("detach-keys", "Keys that leave the container running")
            let checkpoint = flags.string("checkpoint", "Restore from this checkpoint").hidden()
            flags.string("checkpoint-dir", "Where checkpoints are").hidden()
            return { context, arguments in
                if !checkpoint.value.isEmpty { throw ExitStatus(1, "checkpoints are not supported") }
                guard attach.value || interactive.value else {
                    var failed: [String] = []
                    for name in arguments {
                        do {
                            try await context.call("POST", "/containers/\(name)/start")
                            Output.print(name)
                        } catch let error as EngineClientError where error.status != nil {
                            Output.error("\(error)")
                            failed.append(name)
                        }
                    }
                    if failed.isEmpty { return }
                    throw ExitStatus(1, "Error: failed to start containers: \(failed.joined(separator: ", "))")
                }
                guard arguments.count == 1 else {
                    throw ExitStatus(1, "you cannot start and attach multiple containers at once")
                }
                let client = try await context.client()
                let inspect = try await context.call(
                    "GET", "/containers/\(arguments[0])/json", as: ContainerInspect.self)
                var config = inspect.config
                config.attachStdin = interactive.value && config.openStdin
                config.attachStdout = true
                config.attachStderr = true
                if config.attachStdin, config.tty, !Terminal.isTerminal(0) {
                    throw ExitStatus(1, "the input device is not a TTY")
                }
                let status = try await Attachment(
                    context: context, id: inspect.id, config: config, signalProxy: !config.tty,
                    detachKeys: detachKeys.value
                ).run(
                    client, condition: inspect.hostConfig.autoRemove ? "removed" : "next-exit",
                    start: "/containers/\(inspect.id)/start")
                if let status, status != 0 { throw ExitStatus(status) }
            }
        }
        command.spellings = ["% container start", "% start"]
        return command
    }
}

/// Attaching to a container that exists already.
struct Attachment {
    let context: Context
    let id: String
    let config: ContainerConfig
    let signalProxy: Bool
    let detachKeys: String

    /// - Parameter start: the path of the request that starts it, once attached.
    /// - Returns: the exit status; `nil` when the user detached.
    func run(_ client: EngineClient, condition: String, start: String?) async throws -> Int32? {
        let keys = try DetachKeys.parse(
            detachKeys.isEmpty ? context.configuration.detachKeys ?? "ctrl-p,ctrl-q" : detachKeys)
        let resize = config.tty ? "/containers/\(id)/resize" : nil
        SessionSignals.listen(client, kill: signalProxy ? "/containers/\(id)/kill" : nil, resize: resize)
        let awaitExit = EngineClient.Request(
            "POST", "/containers/\(id)/wait", condition.isEmpty ? [] : [("condition", condition)])
        let attach = RunCommand.attachRequest(id, config, detachKeys)
        async let waiting = client.stream(awaitExit)
        async let attaching = client.hijack(attach)
        let stream = try await attaching
        let wait = try await waiting
        if let start { try await client.call(EngineClient.Request("POST", start)) }
        if let resize {
            // A program that is already running only draws its screen anew when the size changes.
            if start == nil { await SessionSignals.resizeNow(client, resize, by: 1) }
            await SessionSignals.resizeNow(client, resize)
        }
        let session = Session(
            stream: stream, hasTerminal: config.tty, sendsInput: config.attachStdin, detachKeys: keys)
        if try await session.run() == .detached { return nil }
        return try await RunCommand.status(wait)
    }
}
