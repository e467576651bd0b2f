import CommandLineKit
import EngineClient
import EngineModel
import JSON

extension Commands {
    static var exec: Command<Action> {
        var command = Command<Action>(
            "exec", "Execute a command in a running container", usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
            arguments: .atLeast(2), isInterspersed: false
        ) { flags in
            let detach = flags.bool("detach", "d", "Run the command in the background")
            let detachKeys = flags.string("detach-keys", "Keys that leave the command running")
            let env = flags.strings("env", "e", "Set environment variables") { (text) throws(FlagError) in
                try OptionText.environment(text)
            }
            let envFile = flags.strings("env-file", "Read environment variables from a file")
            let interactive = flags.bool("interactive", "i", "Keep standard input open even if not attached")
            let privileged = flags.bool("privileged", "Give the command all capabilities")
            let tty = flags.bool("tty", "t", "Give the command a terminal")
            let user = flags.string("user", "u", "Name or ID of the user (<name|uid>[:<group|gid>])")
            let workdir = flags.string("workdir", "w", "Working directory inside the container")
            return { context, arguments in
                var request = ExecCreateRequest()
                request.user = user.value
                request.privileged = privileged.value
                request.tty = tty.value
                request.cmd = Array(arguments.dropFirst())
                request.detach = detach.value
                request.workingDir = workdir.value
                request.detachKeys = detachKeys.value
                var environment: [String] = []
                do throws(FlagError) {
                    for path in envFile.value { environment += try OptionText.file(path, inherits: true) }
                } catch {
                    throw ExitStatus(1, error.message)
                }
                environment += env.value
                request.env = environment.isEmpty ? nil : environment
                if !detach.value {
                    request.attachStdout = true
                    request.attachStderr = true
                    request.attachStdin = interactive.value
                    if interactive.value, tty.value, !Terminal.isTerminal(0) {
                        throw ExitStatus(1, "the input device is not a TTY")
                    }
                }
                try await runExec(context, container: arguments[0], request)
            }
        }
        command.spellings = ["% container exec", "% exec"]
        command.group = "Common Commands"
        return command
    }

    private static func runExec(_ context: Context, container: String, _ request: ExecCreateRequest) async throws {
        var request = request
        let keys = try DetachKeys.parse(
            request.detachKeys.isEmpty ? context.configuration.detachKeys ?? "ctrl-p,ctrl-q" : request.detachKeys)
        if request.tty, let size = Terminal.size(1) { request.consoleSize = [size.height, size.width] }
        let client = try await context.client()
        let id = try await context.call(
            "POST", "/containers/\(container)/exec", body: request.json, as: IDResponse.self
        ).id
        var start = ExecStartRequest()
        start.detach = request.detach
        start.tty = request.tty
        start.consoleSize = request.consoleSize
        if request.detach {
            try await context.call("POST", "/exec/\(id)/start", body: start.json)
            return
        }
        let resize = request.tty ? "/exec/\(id)/resize" : nil
        if resize != nil { SessionSignals.listen(client, kill: nil, resize: resize) }
        let stream = try await client.hijack(EngineClient.Request("POST", "/exec/\(id)/start", body: start.json))
        if let resize { await SessionSignals.resizeNow(client, resize) }
        let session = Session(
            stream: stream, hasTerminal: request.tty, sendsInput: request.attachStdin, detachKeys: keys)
        if try await session.run() == .detached { throw ExitStatus(1, "read escape sequence") }
        let inspect = try await context.call("GET", "/exec/\(id)/json", as: ExecInspect.self)
        if let status = inspect.exitCode, status != 0 { throw ExitStatus(Int32(truncatingIfNeeded: status)) }
    }
}
