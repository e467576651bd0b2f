import Kernel
import OCI

/// A cgroup of v2: one directory.
struct CgroupV2: Cgroup {
    let reference: CgroupReference

    init(_ reference: CgroupReference) { self.reference = reference }

    var directory: CgroupDirectory { CgroupDirectory(path: reference.paths[""] ?? "") }

    func create(placing processID: Int32?, resources: LinuxResources?) throws(CgroupError) {
        let existed = directory.exists
        do throws(CgroupError) {
            try makeWithControllers()
            if let resources { try apply(resources) }
            if let processID { try add(processID, subpath: "") }
        } catch {
            if !existed { try? FileDescriptor.currentDirectory.removeDirectory(directory.path) }
            throw error
        }
    }

    /// Makes the directory and those above it that are missing, and offers each of them all the controllers that the
    /// one above it has.
    private func makeWithControllers() throws(CgroupError) {
        // From the mount point down; what is above it has no cgroup.controllers.
        var ancestors: [CgroupDirectory] = []
        var parts = components(directory.path)
        while parts.popLast() != nil, !parts.isEmpty {
            let ancestor = CgroupDirectory(path: "/" + parts.joined(separator: "/"))
            if ancestor.exists && !ancestor.has("cgroup.controllers") { break }
            ancestors.append(ancestor)
        }
        for ancestor in ancestors.reversed() {
            if !ancestor.exists { try ancestor.make() }
            try enableControllers(in: ancestor)
        }
        try directory.make()
    }

    private func enableControllers(in ancestor: CgroupDirectory) throws(CgroupError) {
        let offered = try ancestor.read("cgroup.controllers").split(separator: " ")
        let enabled = try ancestor.read("cgroup.subtree_control").split(separator: " ")
        let missing = offered.filter { !enabled.contains($0) }.map { "+\($0)" }
        if missing.isEmpty { return }
        do throws(CgroupError) {
            try ancestor.write("cgroup.subtree_control", missing.joined(separator: " "))
        } catch {
            // One of them cannot be (real-time threads keep cpu back, processes in the ancestor keep all back). What is
            // not needed does not matter, and what is will be missed when its resource is set.
            for controller in missing { try? ancestor.write("cgroup.subtree_control", controller) }
        }
    }

    func add(_ processID: Int32, subpath: String) throws(CgroupError) {
        let below = components(subpath)
        let target = below.isEmpty ? directory : CgroupDirectory(path: join(directory.path, below))
        do throws(CgroupError) { try target.add(processID) } catch {
            // A cgroup whose controllers are offered to those below takes no processes (EBUSY). That happens when a
            // container runs an init system, which then lives in one below: exec goes where the first process is.
            guard error.causeCode == .busy, below.isEmpty, let first = try firstOccupied(below: directory) else {
                throw error
            }
            try first.add(processID)
        }
    }

    private func firstOccupied(below directory: CgroupDirectory) throws(CgroupError) -> CgroupDirectory? {
        for child in try directory.children().sorted(by: { $0.path < $1.path }) {
            if !(try child.processes(recursive: false)).isEmpty { return child }
            if let found = try firstOccupied(below: child) { return found }
        }
        return nil
    }

    func freeze() throws(CgroupError) { try setFrozen(true) }
    func thaw() throws(CgroupError) { try setFrozen(false) }

    private func setFrozen(_ frozen: Bool) throws(CgroupError) {
        try directory.write("cgroup.freeze", frozen ? "1" : "0")
        var waited = 0
        while try directory.keyedValues("cgroup.events")["frozen"] != (frozen ? 1 : 0) {
            if waited > 10_000 {
                if frozen { try? directory.write("cgroup.freeze", "0") }
                throw CgroupError(
                    .timedOut, "the processes of \(directory.path) would not \(frozen ? "freeze" : "thaw")")
            }
            let delay = waited < 20 ? 1 : 10
            sleepThread(milliseconds: delay)
            waited += delay
        }
    }

    func isFrozen() throws(CgroupError) -> Bool { try directory.readIfPresent("cgroup.freeze") == "1" }

    func killAll() throws(CgroupError) {
        var delay = 1
        var waited = 0
        while true {
            let processes = try processes()
            if processes.isEmpty { return }
            if directory.has("cgroup.kill") {
                try directory.write("cgroup.kill", "1")
            } else {
                // Linux before 5.14. Frozen processes cannot fork, and do die.
                if waited > 10, !(try isFrozen()) { try? freeze() }
                try send(signal: .kill)
            }
            if waited > 10_000 {
                throw CgroupError(.timedOut, "cannot end the processes \(processes.prefix(8)) of \(directory.path)")
            }
            sleepThread(milliseconds: delay)
            waited += delay
            delay = min(delay * 2, 100)
        }
    }

    func destroy() throws(CgroupError) { try directory.destroy() }

    func watchOutOfMemory() throws(CgroupError) -> OutOfMemoryWatch { try OutOfMemoryWatch(v2: directory) }
}
