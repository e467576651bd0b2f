import Cgroups
import Glibc
import JSON
import Monitor

/// How it all ends. The order matters: the log has everything before the record is written, the record is on disk
/// before anyone is told, and the socket is gone before that, so that the directory can be used again at once.
extension ContainerMonitor {
    /// A client that reads nothing of its container's last output for this long is let go.
    private static let clientSeconds = 30
    private static let descendantMilliseconds = 50

    /// The container's first process has ended.
    func initEnded() {
        guard status != .stopped, let container else { return }
        loop.forget(container.process.descriptor.rawValue)
        let end = ProcessEnd(reaping: container.process)
        noticeKills(endedBy: end.signal)
        let finishedAt = Clock.now()
        status = .stopped
        let finish = { [unowned self] in
            var record = ExitRecord()
            record.exitCode = end.exitCode
            record.signal = end.signal
            record.startedAt = startedAt
            record.finishedAt = finishedAt
            finished(record)
        }
        guard let streams else { return finish() }
        // Without a pid namespace of its own, descendants live on and hold the pipes; they end with the init, as runc
        // and containerd have it.
        loop.after(milliseconds: Self.descendantMilliseconds) { [unowned self] in
            if exitRecord == nil, container.cgroup.exists { try? container.cgroup.killAll() }
        }
        streams.processEnded(waitingAtMost: configuration.drainMilliseconds, finish)
    }

    /// The program could not be executed; its process is gone.
    func startFailed(_ message: String, _ exitCode: Int32) {
        guard status != .stopped, let container else { return }
        loop.forget(container.process.descriptor.rawValue)
        status = .stopped
        var record = ExitRecord()
        record.exitCode = exitCode
        record.error = message
        record.finishedAt = Clock.now()
        finished(record)
    }

    /// Kills what runs; the rest follows from its end.
    func killContainer() {
        guard status != .stopped, let container else { return }
        // A frozen process dies only when it thaws.
        if status == .paused { try? container.cgroup.thaw() }
        isKillAsked = true
        kill(container.pid, SIGKILL)
    }

    private func finished(_ record: ExitRecord) {
        var record = record
        record.oomKilled = hasRunOutOfMemory()
        stopWatchingOutOfMemory()
        log?.close()
        log = nil
        writeRecord(record)
        stopListening()
        tell(.exited(record))
        streams?.endClients()
        // Descendants outside a pid namespace, the cgroup, poststop hooks.
        for problem in container?.destroy() ?? [] { Diagnostics.warn(problem) }
        // The next monitor need not wait for this one's slow clients.
        releaseDirectory()
        for exec in execs.values { exec.streams?.endClients() }
        loop.after(milliseconds: Self.clientSeconds * 1000) { [unowned self] in loop.stop() }
        leaveIfDone()
    }

    /// Leaves when everybody was told and has read everything.
    func leaveIfDone() {
        guard exitRecord != nil, status == .stopped else { return }
        let isWaiting = (streams?.hasClients ?? false) || execs.values.contains { $0.streams?.hasClients ?? false }
        if isWaiting || connections.contains(where: \.hasPending) {
            loop.after(milliseconds: 10) { [unowned self] in leaveIfDone() }
            return
        }
        loop.stop()
    }
}
