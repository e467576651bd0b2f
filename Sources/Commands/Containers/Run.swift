import CommandLineKit
import EngineClient
import EngineModel
import Glibc
import JSON

extension Commands {
    static var run: Command<Action> {
        var command = Command<Action>(
            "run", "Create and run a new container from an image", usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
            arguments: .atLeast(1), isInterspersed: false
        ) { flags in
            let create = CreateFlags(flags)
            let detach = flags.bool("detach", "d", "Run in the background and print the container's ID")
            let signalProxy = flags.bool("sig-proxy", default: true, "Pass signals on to the process")
            let detachKeys = flags.string("detach-keys", "Keys that leave the container running")
            return { context, arguments in
                let run = RunCommand(
                    context: context, flags: create, detach: detach.value, signalProxy: signalProxy.value,
                    detachKeys: detachKeys.value)
                try await run(arguments)
            }
        }
        command.spellings = ["% container run", "% run"]
        command.group = "Common Commands"
        return command
    }

    static var create: Command<Action> {
        var command = Command<Action>(
            "create", "Create a new container", usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]", arguments: .atLeast(1),
            isInterspersed: false
        ) { flags in
            let create = CreateFlags(flags)
            return { context, arguments in
                let request = try RunCommand.request(context, create, arguments)
                do {
                    Output.print(try await ContainerCreation(context: context, flags: create).create(request.request))
                } catch let error as CommandLineError {
                    throw ExitStatus(1, error.message)
                }
            }
        }
        command.spellings = ["% container create", "% create"]
        return command
    }
}

/// `run`: create, attach and wait at once, start, copy the streams, leave with the process's status.
struct RunCommand {
    let context: Context
    let flags: CreateFlags
    let detach: Bool
    let signalProxy: Bool
    let detachKeys: String

    static func request(
        _ context: Context, _ flags: CreateFlags, _ arguments: [String]
    ) throws -> CreateRequest {
        guard ["always", "missing", "never", "if-not-present"].contains(flags.pull.value) else {
            throw context.usageError(
                "invalid pull option: '\(flags.pull.value)': must be one of \"always\", \"missing\" or \"never\"")
        }
        do throws(CommandLineError) {
            return try CreateRequest(
                flags, arguments: arguments, variables: context.configuration.proxyVariables(host: "default"))
        } catch {
            throw context.usageError(error.message)
        }
    }

    func callAsFunction(_ arguments: [String]) async throws {
        var request = try Self.request(context, flags, arguments).request
        let hasTerminal = request.config.tty
        if detach {
            guard flags.attach.value.isEmpty else {
                throw ExitStatus(1, "conflicting options: cannot specify both --attach and --detach")
            }
            request.config.attachStdin = false
            request.config.attachStdout = false
            request.config.attachStderr = false
            request.config.stdinOnce = false
        } else if request.config.attachStdin, hasTerminal, !Terminal.isTerminal(0) {
            throw ExitStatus(1, "the input device is not a TTY")
        }
        if hasTerminal, let size = Terminal.size(1) { request.hostConfig?.consoleSize = [size.height, size.width] }
        let keys = try DetachKeys.parse(
            detachKeys.isEmpty ? context.configuration.detachKeys ?? "ctrl-p,ctrl-q" : detachKeys)
        let id: String
        do {
            id = try await ContainerCreation(context: context, flags: flags).create(request)
        } catch let error as CommandLineError {
            throw context.usageError(error.message, status: Self.exitStatus(for: error.message))
        }
        let client = try await context.client()
        if detach {
            try await start(id, client)
            Output.print(id)
            return
        }
        let removes = request.hostConfig?.autoRemove ?? false
        let config = request.config
        let isAttached = config.attachStdin || config.attachStdout || config.attachStderr
        if signalProxy || hasTerminal {
            SessionSignals.listen(
                client, kill: signalProxy ? "/containers/\(id)/kill" : nil,
                resize: hasTerminal ? "/containers/\(id)/resize" : nil)
        }
        // Both must be in place before the process can run; neither needs the other.
        async let waiting = client.stream(
            EngineClient.Request(
                "POST", "/containers/\(id)/wait", [("condition", removes ? "removed" : "next-exit")]))
        let attach = isAttached ? Self.attachRequest(id, config, detachKeys) : nil
        async let attaching = Self.hijack(client, attach)
        let stream = try await attaching
        let wait = try await waiting
        do {
            try await start(id, client)
        } catch {
            if removes { _ = try? await Self.status(wait) }
            throw error
        }
        if let stream {
            if hasTerminal { await SessionSignals.resizeNow(client, "/containers/\(id)/resize") }
            let session = Session(
                stream: stream, hasTerminal: hasTerminal, sendsInput: config.attachStdin, detachKeys: keys,
                showsOutput: config.attachStdout, showsError: config.attachStderr)
            if try await session.run() == .detached { return }
        } else {
            Output.print(id)
        }
        let status = try await Self.status(wait)
        if status != 0 { throw ExitStatus(status) }
    }

    private static func hijack(
        _ client: EngineClient, _ request: EngineClient.Request?
    ) async throws -> DuplexStream? {
        guard let request else { return nil }
        return try await client.hijack(request)
    }

    static func attachRequest(_ id: String, _ config: ContainerConfig, _ detachKeys: String) -> EngineClient.Request {
        var query: [(String, String)] = detachKeys.isEmpty ? [] : [("detachKeys", detachKeys)]
        if config.attachStderr { query.append(("stderr", "1")) }
        if config.attachStdin { query.append(("stdin", "1")) }
        if config.attachStdout { query.append(("stdout", "1")) }
        query.append(("stream", "1"))
        return EngineClient.Request("POST", "/containers/\(id)/attach", query)
    }

    /// The exit status that a wait request ends with.
    static func status(_ wait: ResponseStream) async throws -> Int32 {
        var bytes: [UInt8] = []
        while let buffer = try await wait.next() { bytes.append(contentsOf: buffer.readableBytesView) }
        let result: ContainerWaitResponse
        do throws(JSONError) {
            result = try ContainerWaitResponse(parsing: bytes)
        } catch {
            throw ExitStatus(125, "Error waiting for container: \(error)")
        }
        if let failure = result.error, !failure.message.isEmpty {
            throw ExitStatus(125, "Error waiting for container: \(failure.message)")
        }
        return Int32(truncatingIfNeeded: result.statusCode)
    }

    private func start(_ id: String, _ client: EngineClient) async throws {
        do throws(EngineClientError) {
            try await client.call(EngineClient.Request("POST", "/containers/\(id)/start"))
        } catch {
            throw context.usageError("\(error)", status: Self.exitStatus(for: error.message))
        }
    }

    /// The status for a process that could not be started: the shell's for a program that is missing or no program.
    static func exitStatus(for message: String) -> Int32 {
        let message = message.lowercased()
        let missing = [
            "executable file not found", "no such file or directory", "system cannot find the file specified",
        ]
        if missing.contains(where: message.contains) { return 127 }
        let refused = ["permission denied", "is a directory", "exec format error"]
        return refused.contains(where: message.contains) ? 126 : 125
    }
}

extension Context {
    /// An error of `run` or `create`, with the hint at the help text.
    func usageError(_ message: String, status: Int32 = 125) -> ExitStatus {
        let full = ([programName] + path).joined(separator: " ")
        return ExitStatus(status, "\(programName): \(message)\n\nRun '\(full) --help' for more information")
    }
}

/// Creating a container, with what surrounds it: the ID file, a missing image, warnings.
struct ContainerCreation {
    let context: Context
    let flags: CreateFlags

    /// - Returns: the new container's ID.
    func create(_ request: ContainerCreateRequest) async throws -> String {
        let path = flags.cidfile.value
        var file: Int32 = -1
        if !path.isEmpty {
            file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
            guard file >= 0 else {
                throw CommandLineError(
                    errno == EEXIST
                        ? "container ID file found, make sure the other container isn't running or delete \(path)"
                        : "failed to create the container ID file: open \(path): \(File.lastError().lowercased())")
            }
        }
        var isCreated = false
        defer {
            if file >= 0 {
                close(file)
                if !isCreated { unlink(path) }
            }
        }
        let platform = context.platform(flags.platform.value)
        let client = try await context.client()
        if flags.pull.value == "always" { try await pull(request.config.image, platform) }
        var query: [(String, String)] = []
        if !flags.name.value.isEmpty { query.append(("name", flags.name.value)) }
        if !platform.isEmpty { query.append(("platform", platform)) }
        let create = EngineClient.Request("POST", "/containers/create", query, body: request.json)
        let response: ContainerCreateResponse
        do {
            response = try await self.create(create, client) {
                let name = (try? context.imageReference(request.config.image))?.withDefaultTag.familiarName
                if !flags.quiet.value {
                    Output.error("Unable to find image '\(name ?? request.config.image)' locally")
                }
                try await pull(request.config.image, platform)
            }
        } catch let error as EngineClientError {
            throw CommandLineError("\(error)")
        }
        for warning in response.warnings { Output.error("WARNING: \(warning)") }
        if file >= 0 {
            var id = response.id
            let isWritten = id.withUTF8 { Output.write(UnsafeRawBufferPointer($0), to: file) }
            guard isWritten else {
                throw CommandLineError("failed to write the container ID (\(path)): \(File.lastError())")
            }
        }
        isCreated = true
        return response.id
    }

    private func create(
        _ request: EngineClient.Request, _ client: EngineClient, missing: () async throws -> Void
    ) async throws -> ContainerCreateResponse {
        do throws(EngineClientError) {
            return try await client.call(request, as: ContainerCreateResponse.self)
        } catch {
            guard isMissing(error) else { throw error }
        }
        try await missing()
        return try await client.call(request, as: ContainerCreateResponse.self)
    }

    /// Whether an image must be fetched, and may be.
    private func isMissing(_ error: EngineClientError) -> Bool {
        guard flags.pull.value != "never" else { return false }
        // Also an image that is here for another platform than the one asked for.
        return error.status == 404 && error.message.contains("No such image")
            || error.message.contains("does not provide the specified platform")
    }

    /// The standard output is the container's, or its ID's.
    private func pull(_ image: String, _ platform: String) async throws {
        do {
            try await context.pull(
                context.imageReference(image).withDefaultTag, platform: platform, quiet: flags.quiet.value, to: 2)
        } catch let error as EngineClientError {
            throw CommandLineError("\(error)")
        } catch let error as ExitStatus {
            throw CommandLineError(error.message ?? "cannot pull \(image)")
        }
    }
}
