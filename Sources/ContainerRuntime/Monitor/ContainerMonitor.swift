import CKernel
import Cgroups
import Glibc
import JSON
import Monitor
import OCI

/// One container's monitor: the state that its extensions serve requests from (`+Requests`), start programs in
/// (`+Exec`), and end (`+Exit`).
final class ContainerMonitor {
    let directory: String
    let loop: EventLoop
    let configuration: MonitorConfiguration
    private var lock: Int32
    private var listener: Int32 = -1

    var status = MonitorState.Status.creating
    var container: CreatedContainer?
    var streams: ProcessStreams?
    var log: ContainerLog?
    var oomWatch: OutOfMemoryWatch?
    /// Kills for want of memory that clients were told of.
    var seenKills: UInt64 = 0
    /// Whether a client has asked for the first process to be killed.
    var isKillAsked = false
    var startedAt: Int64 = 0
    var exitRecord: ExitRecord?
    var execs: [String: ExecSession] = [:]
    /// How the latest execs ended, the oldest first.
    var endedExecs: [MonitorState.ExecState] = []
    var connections: [ControlConnection] = []
    /// What processes get that do not ask for a score: this process's before it protected itself.
    let inheritedScore: Int?

    /// How long a created container waits to be started while nobody is connected.
    private static let orphanSeconds = 60
    static let keptExecs = 64

    /// - Parameter lock: holds the directory's lock as long as the process lives.
    init(directory: String, lock: Int32) throws(MonitorError) {
        self.directory = directory
        self.lock = lock
        loop = try EventLoop()
        configuration = try Self.read(MonitorConfiguration.self, directory + "/monitor.json")
        inheritedScore = OutOfMemoryScore.current()
        loop.idle = { [unowned self] in log?.releaseBuffers() }
    }

    static func read<Record: JSONRecord>(_ type: Record.Type, _ path: String) throws(MonitorError) -> Record {
        guard let bytes = try readFile(path) else { throw MonitorError(.invalidData, "\(path) does not exist") }
        do throws(JSONError) {
            return try Record(parsing: bytes)
        } catch {
            throw MonitorError(.invalidData, "cannot read \(path): \(error)")
        }
    }

    /// Creates the container and supervises it to its end.
    /// - Returns: the monitor's exit status.
    func run() -> Int32 {
        do throws(MonitorError) {
            listener = try UnixSocket.listen(directory + "/monitor.sock")
            try loop.watch(listener, EventLoop.readable) { [unowned self] _ in accept() }
            try create()
        } catch {
            fail(error)
            return 1
        }
        OutOfMemoryScore.protectSelf()
        status = .created
        tell(.created(processID: container?.pid ?? 0))
        watchForOrphan()
        // What parsing and planning took is not needed again.
        loop.touch()
        loop.run()
        return 0
    }

    // MARK: Creating

    private func create() throws(MonitorError) {
        let specification = try readSpecification()
        log = try ContainerLog.open(configuration, loop: loop)
        var options = LaunchOptions(id: configuration.id, bundle: directory)
        options.rootMount = configuration.rootMount
        options.usesSystemdCgroup = configuration.cgroupDriver == "systemd"
        // If the monitor is killed, nobody would know how its container ends.
        options.parentDeathSignal = .kill
        let isTerminal = specification.process?.terminal ?? false
        if isTerminal {
            let created = try launch(specification, options)
            container = created
            guard let console = created.console else {
                throw MonitorError(.system, "the container has no terminal though its specification asks for one")
            }
            let ends = try StreamEnds.terminal(console.release())
            streams = makeStreams(ends)
            if configuration.consoleWidth > 0, configuration.consoleHeight > 0 {
                _ = streams?.resize(width: configuration.consoleWidth, height: configuration.consoleHeight)
            }
        } else {
            var pipes = try StreamPipes(stdin: configuration.openStdin, outputs: true)
            options.standardStreams = pipes.theirs
            do throws(MonitorError) {
                container = try launch(specification, options)
            } catch {
                pipes.close()
                throw error
            }
            pipes.closeTheirs()
            streams = makeStreams(pipes.ours)
        }
        guard let container else { return }
        watchOutOfMemory(container.cgroup)
        try loop.watch(container.process.descriptor.rawValue, EventLoop.readable) { [unowned self] _ in initEnded() }
    }

    private func makeStreams(_ ends: StreamEnds) -> ProcessStreams {
        ProcessStreams(ends, closesInputWithClient: configuration.stdinOnce, log: log, loop: loop)
    }

    private func launch(
        _ specification: RuntimeSpec, _ options: LaunchOptions
    ) throws(MonitorError) -> CreatedContainer {
        do throws(RuntimeError) {
            return try ContainerLauncher.create(specification, options) { pid in
                self.tell(.cloned(processID: pid, monitorProcessID: getpid()))
            }
        } catch {
            throw MonitorError(.startFailed, error.message, exitCode: error.exitCode ?? 125)
        }
    }

    /// Read anew whenever it is needed: kept, it would be most of an idle monitor's memory.
    func readSpecification() throws(MonitorError) -> RuntimeSpec {
        try Self.read(RuntimeSpec.self, directory + "/config.json")
    }

    /// Creation failed: removes what there is, and says so to whoever listens and, by the record, to who comes later.
    private func fail(_ error: MonitorError) {
        for problem in container?.destroy() ?? [] { Diagnostics.warn(problem) }
        streams?.close()
        log?.close()
        var record = ExitRecord()
        record.exitCode = error.exitCode ?? 125
        record.error = error.message
        record.finishedAt = Clock.now()
        writeRecord(record)
        unlink(directory + "/monitor.sock")
        tell(.failed(MonitorError(error.code, error.message, exitCode: record.exitCode)))
        // The sockets' buffers take an event of this size whole.
        for connection in connections { connection.close() }
    }

    func writeRecord(_ record: ExitRecord) {
        exitRecord = record
        do throws(MonitorError) {
            try writeFileAtomically(directory + "/exit.json", record.json.bytes())
        } catch {
            Diagnostics.warn("the exit is not recorded: \(error)")
        }
    }

    // MARK: Clients

    private func accept() {
        while true {
            let descriptor = ckernel_accept(listener)
            guard descriptor >= 0 else { return }
            do throws(MonitorError) { try serve(descriptor, isSubscribed: false) } catch { close(descriptor) }
        }
    }

    /// Serves the connection `descriptor`, and takes it unless this throws.
    func serve(_ descriptor: Int32, isSubscribed: Bool) throws(MonitorError) {
        let connection = ControlConnection(descriptor, loop: loop)
        connection.isSubscribed = isSubscribed
        connection.onRequest = { [unowned self, unowned connection] id, request in
            answer(request, id, connection)
        }
        connection.onClose = { [unowned self, unowned connection] in
            connections.removeAll { $0 === connection }
            watchForOrphan()
            leaveIfDone()
        }
        try connection.begin()
        connections.append(connection)
    }

    func tell(_ event: MonitorEvent) {
        for connection in connections { connection.tell(event) }
    }

    func stopListening() {
        guard listener >= 0 else { return }
        loop.forget(listener)
        close(listener)
        listener = -1
        unlink(directory + "/monitor.sock")
    }

    /// Lets the next monitor on this directory go ahead.
    func releaseDirectory() {
        guard lock >= 0 else { return }
        close(lock)
        lock = -1
    }

    /// Nobody is left to start what was created: after a while it goes.
    private func watchForOrphan() {
        guard status == .created, connections.isEmpty else { return }
        loop.after(milliseconds: Self.orphanSeconds * 1000) { [unowned self] in
            guard status == .created, connections.isEmpty else { return }
            Diagnostics.warn("nobody started the container; it is removed")
            killContainer()
        }
    }
}
