import Cgroups
import Glibc
import JSON
import Monitor
import OCI

/// What is done to all of the container's processes at once.
extension ContainerMonitor {
    func pause() throws(MonitorError) {
        guard status == .running, let container else {
            throw MonitorError(.conflict, "the container is \(status.rawValue), not running")
        }
        try Self.translate("cannot pause the container") { try container.cgroup.freeze() }
        status = .paused
    }

    func resume() throws(MonitorError) {
        guard status == .paused, let container else {
            throw MonitorError(.conflict, "the container is \(status.rawValue), not paused")
        }
        try Self.translate("cannot resume the container") { try container.cgroup.thaw() }
        status = .running
    }

    func update(_ json: JSONValue) throws(MonitorError) {
        let container = try living()
        let resources: LinuxResources
        do throws(JSONError) {
            resources = try LinuxResources(json: json)
        } catch {
            throw MonitorError(.invalidArgument, "cannot read the resources: \(error)")
        }
        try Self.translate("cannot update the container's resources") { try container.cgroup.apply(resources) }
    }

    func signalAll(_ container: CreatedContainer, _ signal: Int32) throws(MonitorError) {
        try Self.translate("cannot signal the container's processes") {
            for pid in try container.cgroup.processes() where Glibc.kill(pid, signal) != 0 && errno != ESRCH {
                throw MonitorError.system("process \(pid)")
            }
        }
    }

    // MARK: Out of memory

    /// Tells clients of every kill; without a memory cgroup nothing is ever noticed.
    func watchOutOfMemory(_ cgroup: any Cgroup) {
        do {
            let watch = try cgroup.watchOutOfMemory()
            try loop.watch(watch.descriptor.rawValue, EventLoop.readable) { [unowned self] _ in
                // v1 tells before the kill is counted.
                if watch.takeEvent() { return noticeKills(watch) }
                loop.after(milliseconds: 50) { [unowned self] in noticeKills(watch) }
            }
            oomWatch = watch
        } catch let error as CgroupError where error.code == .noController || error.code == .notFound {
        } catch {
            Diagnostics.warn("out-of-memory kills are only noticed at the end: \(error)")
        }
    }

    private func noticeKills(_ watch: OutOfMemoryWatch) {
        let count = watch.killCount
        guard count > seenKills else { return }
        seenKills = count
        tell(.outOfMemory)
    }

    /// Tells of kills that nobody was told of yet, when the container's first process has ended.
    ///
    /// The kernel may hold back the news of a kill for 10 ms, in which systemd removes the scope that it sees empty, with
    /// the count. Then a process that was killed, though nobody asked for it, tells as much when the cgroup was at its
    /// limit, or the one above has counted a kill.
    func noticeKills(endedBy signal: Int32) {
        guard let watch = oomWatch else { return }
        if watch.readKillCount() != nil { return noticeKills(watch) }
        guard seenKills == 0, signal == SIGKILL, !isKillAsked, watch.mayHaveKilled else { return }
        seenKills = 1
        tell(.outOfMemory)
    }

    func hasRunOutOfMemory() -> Bool {
        seenKills > 0 || (container?.cgroup.outOfMemoryKillCount() ?? 0) > 0
    }

    func stopWatchingOutOfMemory() {
        guard let watch = oomWatch else { return }
        loop.forget(watch.descriptor.rawValue)
        oomWatch = nil
    }

    private static func translate<Value>(_ what: String, _ body: () throws -> Value) throws(MonitorError) -> Value {
        do {
            return try body()
        } catch {
            throw MonitorError(.system, "\(what): \(error)")
        }
    }
}
