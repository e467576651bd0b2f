import Glibc
import JSON
import Monitor
import OCI

extension ContainerMonitor {
    func answer(_ request: MonitorRequest, _ id: UInt64, _ connection: ControlConnection) {
        do throws(MonitorError) {
            switch request {
            case .start: try start(id, connection)
            case .signal(let signal):
                try send(signal)
                connection.reply(to: id)
            case .resize(let size):
                try resize(size)
                connection.reply(to: id)
            case .pause:
                try pause()
                connection.reply(to: id)
            case .resume:
                try resume()
                connection.reply(to: id)
            case .update(let resources):
                try update(resources)
                connection.reply(to: id)
            case .exec(let exec): try start(exec, id, connection)
            case .attach(let attach): try self.attach(attach, id, connection)
            case .state: connection.reply(to: id, state.json)
            case .subscribe:
                connection.isSubscribed = true
                connection.reply(to: id, state.json)
            case .closeStdin(let execID):
                try streams(of: execID).closeInput()
                connection.reply(to: id)
            case .shutdown:
                connection.reply(to: id)
                killContainer()
            }
        } catch {
            connection.refuse(id, error)
        }
    }

    var state: MonitorState {
        var state = MonitorState()
        state.id = configuration.id
        state.status = status
        state.processID = status == .stopped ? 0 : container?.pid ?? 0
        state.monitorProcessID = getpid()
        state.startedAt = startedAt
        state.oomKilled = exitRecord?.oomKilled ?? hasRunOutOfMemory()
        state.exit = exitRecord
        state.execs =
            execs.values.sorted { $0.processID < $1.processID }.map { exec in
                var state = MonitorState.ExecState()
                state.execID = exec.id
                state.processID = exec.processID
                return state
            } + endedExecs
        return state
    }

    // MARK: The container

    private func start(_ id: UInt64, _ connection: ControlConnection) throws(MonitorError) {
        guard status == .created, let container else {
            throw MonitorError(.conflict, "the container is \(status.rawValue), not created")
        }
        do throws(RuntimeError) {
            try container.release()
        } catch {
            let exitCode = error.exitCode ?? 125
            connection.refuse(id, MonitorError(.startFailed, error.message, exitCode: exitCode))
            return startFailed(error.message, exitCode)
        }
        startedAt = Clock.now()
        status = .running
        connection.reply(to: id, ["startedAt": startedAt.json])
        loop.touch()
    }

    private func send(_ signal: MonitorRequest.Signal) throws(MonitorError) {
        guard (0...64).contains(signal.signal) else {
            throw MonitorError(.invalidArgument, "there is no signal \(signal.signal)")
        }
        if let execID = signal.execID {
            guard let exec = execs[execID] else { throw MonitorError(.notFound, "no exec \(execID) runs") }
            return try Self.kill(exec.processID, signal.signal)
        }
        let container = try living()
        if signal.all {
            try signalAll(container, signal.signal)
        } else {
            if signal.signal == SIGKILL { isKillAsked = true }
            try Self.kill(container.pid, signal.signal)
        }
        // On v1 a frozen process dies only when it thaws.
        if signal.signal == SIGKILL, status == .paused { try resume() }
    }

    /// `pid` is a child that was not reaped yet: the number cannot be another process's.
    private static func kill(_ pid: Int32, _ signal: Int32) throws(MonitorError) {
        if Glibc.kill(pid, signal) != 0, errno != ESRCH { throw .system("cannot signal process \(pid)") }
    }

    func living() throws(MonitorError) -> CreatedContainer {
        guard let container, status != .stopped else {
            throw MonitorError(.conflict, "the container is \(status.rawValue)")
        }
        return container
    }

    private func resize(_ size: MonitorRequest.Resize) throws(MonitorError) {
        let failure = try streams(of: size.execID).resize(width: size.width, height: size.height)
        if failure == ENOTTY { throw MonitorError(.conflict, "the process has no terminal") }
        if failure != 0 { throw .system("cannot resize the terminal", failure) }
    }

    /// The streams of the container, or of a running exec.
    func streams(of execID: String?) throws(MonitorError) -> ProcessStreams {
        guard let execID else {
            guard let streams, status != .stopped else {
                throw MonitorError(.conflict, "the container is \(status.rawValue)")
            }
            return streams
        }
        guard let exec = execs[execID] else { throw MonitorError(.notFound, "no exec \(execID) runs") }
        guard let streams = exec.streams else {
            throw MonitorError(.conflict, "exec \(execID) was started without streams")
        }
        return streams
    }

    private func attach(
        _ request: MonitorRequest.Attach, _ id: UInt64, _ connection: ControlConnection
    ) throws(MonitorError) {
        let streams = try streams(of: request.execID)
        try attach(connection, to: streams, request, id, ["terminal": .bool(streams.isTerminal)])
    }

    /// Answers, and makes the connection, or the socket that came with the request, a client of `streams`.
    func attach(
        _ connection: ControlConnection, to streams: ProcessStreams, _ request: MonitorRequest.Attach, _ id: UInt64,
        _ reply: JSONValue
    ) throws(MonitorError) {
        var request = request
        request.stdin = request.stdin && streams.hasInput
        if let socket = connection.takeReceived() {
            do throws(MonitorError) {
                try UnixSocket.setNonBlocking(socket)
            } catch {
                close(socket)
                throw error
            }
            connection.reply(to: id, reply)
            streams.attach(socket, request, first: [])
        } else {
            let (socket, first) = try connection.becomeStream(replyingTo: id, reply)
            streams.attach(socket, request, first: first)
        }
    }
}
