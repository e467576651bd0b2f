import Glibc
import JSON
import Monitor
import OCI

extension ContainerMonitor {
    /// Starts one more program; answers when it runs.
    func start(
        _ request: MonitorRequest.Exec, _ id: UInt64, _ connection: ControlConnection
    ) throws(MonitorError) {
        guard status == .running, let container else {
            throw MonitorError(.conflict, "the container is \(status.rawValue), not running")
        }
        guard execs[request.execID] == nil else {
            throw MonitorError(.conflict, "exec \(request.execID) runs already")
        }
        var process: OCI.Process
        do throws(JSONError) {
            process = try OCI.Process(json: request.process)
        } catch {
            throw MonitorError(.invalidArgument, "cannot read the process: \(error)")
        }
        let specification = try readSpecification()
        if process.oomScoreAdj == nil { process.oomScoreAdj = specification.process?.oomScoreAdj ?? inheritedScore }
        if request.consoleWidth > 0, request.consoleHeight > 0 {
            // Before the program runs: it may ask at once.
            process.consoleSize = Box(height: UInt32(request.consoleHeight), width: UInt32(request.consoleWidth))
        }
        let target = ExecTarget(
            id: configuration.id, pid: container.pid, specification: specification, cgroup: container.cgroup)
        let (started, streams) = try launch(process, request, target)
        let session = ExecSession(
            id: request.execID, processID: started.pid, process: started.process, streams: streams)
        execs[session.id] = session
        endedExecs.removeAll { $0.execID == session.id }
        try loop.watch(session.process.descriptor.rawValue, EventLoop.readable) { [unowned self, unowned session] _ in
            ended(session)
        }
        loop.touch()
        let reply: JSONValue = [
            "processID": started.pid.json, "terminal": .bool(streams?.isTerminal ?? false),
        ]
        if let streams, let attach = request.attach {
            do throws(MonitorError) {
                try self.attach(connection, to: streams, attach, id, reply)
            } catch {
                // Nobody would ever read it or know of it.
                kill(session.processID, SIGKILL)
                throw error
            }
        } else {
            connection.reply(to: id, reply)
        }
    }

    private func launch(
        _ process: OCI.Process, _ request: MonitorRequest.Exec, _ target: ExecTarget
    ) throws(MonitorError) -> (ExecProcess, ProcessStreams?) {
        let isTerminal = process.terminal ?? false
        var options = ExecOptions()
        options.parentDeathSignal = .kill
        guard !isTerminal else {
            let started = try exec(process, target, options)
            guard let console = started.console else {
                throw MonitorError(.system, "the program has no terminal though it asks for one")
            }
            return (started, makeStreams(try StreamEnds.terminal(console.release())))
        }
        let isAttached = request.attach != nil
        var pipes = try StreamPipes(stdin: request.stdin && isAttached, outputs: isAttached)
        options.standardStreams = pipes.theirs
        do throws(MonitorError) {
            let started = try exec(process, target, options)
            pipes.closeTheirs()
            return (started, isAttached ? makeStreams(pipes.ours) : nil)
        } catch {
            pipes.close()
            throw error
        }
    }

    /// An exec's output goes to its clients only.
    private func makeStreams(_ ends: StreamEnds) -> ProcessStreams {
        ProcessStreams(ends, closesInputWithClient: true, log: nil, loop: loop)
    }

    private func exec(
        _ process: OCI.Process, _ target: ExecTarget, _ options: ExecOptions
    ) throws(MonitorError) -> ExecProcess {
        do throws(RuntimeError) {
            return try ExecLauncher.exec(process, into: target, options)
        } catch {
            throw MonitorError(.startFailed, error.message, exitCode: error.exitCode ?? 125)
        }
    }

    // MARK: Its end

    private func ended(_ session: ExecSession) {
        loop.forget(session.process.descriptor.rawValue)
        let end = ProcessEnd(reaping: session.process)
        guard let streams = session.streams else { return record(session, end) }
        streams.processEnded(waitingAtMost: configuration.drainMilliseconds) { [unowned self] in
            record(session, end)
            streams.endClients()
            // Slow clients still read; the session lives as long as the closure that waits for them.
            closeWhenRead(streams, secondsLeft: 30)
        }
    }

    private func record(_ session: ExecSession, _ end: ProcessEnd) {
        execs[session.id] = nil
        var state = MonitorState.ExecState()
        state.execID = session.id
        state.exitCode = end.exitCode
        endedExecs.append(state)
        if endedExecs.count > Self.keptExecs { endedExecs.removeFirst() }
        tell(.execExited(execID: session.id, exitCode: end.exitCode))
        loop.touch()
    }

    /// Gives clients time to read what is left for them.
    private func closeWhenRead(_ streams: ProcessStreams, secondsLeft: Int) {
        if !streams.hasClients || secondsLeft == 0 { return streams.close() }
        loop.after(milliseconds: 1000) { [unowned self] in closeWhenRead(streams, secondsLeft: secondsLeft - 1) }
    }
}
