import EngineModel
import Glibc
import Kernel
import Monitor
import OCI
import Storage

extension ContainerEngine {
    /// Prepares to run a program in a container that runs; returns the exec's ID.
    public func createExec(_ container: String, _ request: ExecCreateRequest) async throws -> String {
        let container = try registry.find(container)
        guard !(request.cmd?.isEmpty ?? true) else { throw EngineError.invalid("No exec command specified") }
        return try await createExec(in: container, request)
    }

    func createExec(in container: Container, _ request: ExecCreateRequest) async throws -> String {
        if container.status.phase == .paused {
            throw EngineError(.conflict, "Container \(container.id) is paused, unpause the container before exec")
        }
        _ = try runOf(container)
        for entry in request.env ?? [] where entry.isEmpty || entry.hasPrefix("=") {
            throw EngineError.invalid("invalid environment variable: \(entry)")
        }
        let record = ExecRecord(id: Names.newID(), containerID: container.id, request: request)
        execs.insert(record)
        post(container, "exec_create: \(Self.line(request.cmd))", ["execID": record.id])
        return record.id
    }

    private static func line(_ command: [String]?) -> String { (command ?? []).joined(separator: " ") }

    /// Starts an exec.
    /// - Returns: its stream; `nil` when it is detached.
    public func startExec(_ id: String, _ request: ExecStartRequest) async throws -> ProcessStream? {
        let record = try execs.find(id)
        guard let container = registry.container(id: record.containerID) else { throw EngineError.noSuchExec(id) }
        if container.status.phase == .paused {
            throw EngineError(.conflict, "Container \(container.id) is paused, unpause the container before exec")
        }
        let run = try runOf(container)
        let begins = execs.change(id) { exec -> Bool in
            guard exec.phase == .created else { return false }
            exec.phase = .starting
            return true
        }
        guard begins == true else {
            if case .exited = record.phase {
                throw EngineError(.conflict, "Error: Exec command \(id) has already run")
            }
            throw EngineError(.conflict, "Error: Exec command \(id) is already running")
        }
        do {
            return try await start(record, request, in: container, run)
        } catch {
            let error = EngineError(wrapping: error)
            execs.exited(id, Int(error.exitCode ?? 126))
            throw Self.inDockersWords(error)
        }
    }

    private func start(
        _ record: ExecRecord, _ request: ExecStartRequest, in container: Container, _ run: ContainerRun
    ) async throws -> ProcessStream? {
        let asked = record.request
        var exec = MonitorRequest.Exec()
        exec.execID = record.id
        exec.process = try await blocking { try self.process(for: asked, in: container.record, run).json }
        exec.stdin = asked.attachStdin
        if let size = request.consoleSize ?? asked.consoleSize, size.count == 2 {
            exec.consoleHeight = UInt16(clamping: size[0])
            exec.consoleWidth = UInt16(clamping: size[1])
        }
        let processID: Int32
        var result: ProcessStream?
        if request.detach {
            processID = try await run.connection.exec(exec)
        } else {
            var attach = MonitorRequest.Attach(
                stdin: asked.attachStdin, stdout: asked.attachStdout, stderr: asked.attachStderr)
            // As Docker: how the client wants to read it is said here, whatever the program has.
            attach.isRaw = request.tty
            exec.attach = attach
            let (process, stream) = try await run.connection.execAttached(exec)
            processID = process
            result = ProcessStream(descriptor: stream.release(), isTerminal: stream.isTerminal)
        }
        execs.change(record.id) { exec in
            if exec.phase == .starting { exec.phase = .running(processID) }
        }
        post(container, "exec_start: \(Self.line(asked.cmd))", ["execID": record.id])
        return result
    }

    /// The words that Docker puts before the reason.
    private static func inDockersWords(_ error: EngineError) -> EngineError {
        guard error.exitCode != nil else { return error }
        var error = error
        let words = "unable to start container process: "
        if !error.message.hasPrefix(words) { error.message = words + error.message }
        error.message = "OCI runtime exec failed: exec failed: \(error.message)"
        return error
    }

    /// The OCI process of an exec; blocks.
    private func process(
        for request: ExecCreateRequest, in record: ContainerRecord, _ run: ContainerRun
    ) throws -> OCI.Process {
        var inputs = SpecificationInputs(
            record: record, host: host, configuration: configuration,
            security: try SecurityOptions(record.hostConfig.securityOpt ?? []))
        inputs.hostname = record.config.hostname
        let user = request.user.isEmpty ? record.config.user : request.user
        let needsFiles = !user.isEmpty && user != "0" && user != "0:0"
        let database: UserDatabase
        if needsFiles {
            let root = try FileDescriptor.open("/proc/\(run.processID)/root", [.path, .directory])
            database = try UserCache.read(root)
        } else {
            database = try users.database(for: record, in: storage)
        }
        inputs.user = try database.resolve(user, additionalGroups: record.hostConfig.groupAdd ?? [])
        inputs.record.config.tty = request.tty
        var process = try inputs.makeProcess(environment: request.env ?? [])
        process.args = request.cmd
        process.terminal = request.tty ? true : nil
        if !request.workingDir.isEmpty {
            guard PathText.isAbsolute(request.workingDir) else {
                throw EngineError.invalid(
                    "the working directory '\(request.workingDir)' is invalid, it needs to be an "
                        + "absolute path")
            }
            process.cwd = PathText.clean(request.workingDir)
        }
        if request.privileged { process.capabilities = try inputs.processCapabilities(isPrivileged: true) }
        return process
    }

    public func resizeExec(_ id: String, height: Int, width: Int) async throws {
        let record = try execs.find(id)
        guard case .running = record.phase, let run = registry.container(id: record.containerID)?.run else {
            throw EngineError(.conflict, "exec \(id) is not running")
        }
        let size = MonitorRequest.Resize(
            width: UInt16(clamping: width), height: UInt16(clamping: height), execID: id)
        do throws(MonitorError) { try await run.connection.resize(size) } catch { throw EngineError(error) }
    }

    public func inspectExec(_ id: String) async throws -> ExecInspect {
        var record = try execs.find(id)
        if case .running = record.phase, let run = registry.container(id: record.containerID)?.run,
            let state = try? await run.connection.state(), let exec = state.execs.first(where: { $0.execID == id }),
            let code = exec.exitCode
        {
            // The stream's end may overtake the news of the exit; clients ask for the code right after it.
            execs.exited(id, Int(code))
            record = try execs.find(id)
        }
        let request = record.request
        var result = ExecInspect()
        result.id = id
        result.containerID = record.containerID
        result.openStdin = request.attachStdin
        result.openStdout = request.attachStdout
        result.openStderr = request.attachStderr
        result.processConfig.tty = request.tty
        result.processConfig.entrypoint = request.cmd?.first ?? ""
        result.processConfig.arguments = Array((request.cmd ?? []).dropFirst())
        result.processConfig.privileged = request.privileged
        result.processConfig.user = request.user
        switch record.phase {
        case .created: break
        case .starting: result.running = true
        case .running(let processID):
            result.running = true
            result.pid = Int(processID)
        case .exited(let code): result.exitCode = code
        }
        return result
    }

    /// The keys that leave an exec's terminal, in Docker's spelling; empty for the usual ones.
    public func detachKeys(ofExec id: String) throws -> String { try execs.find(id).request.detachKeys }

    /// Called on the monitor client's thread.
    func execExited(_ id: String, _ code: Int32) {
        execs.exited(id, Int(code))
        guard let record = try? execs.find(id), let container = registry.container(id: record.containerID) else {
            return
        }
        post(container, "exec_die", ["execID": id, "exitCode": "\(code)"])
    }
}
