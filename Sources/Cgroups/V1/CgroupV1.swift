import Kernel
import OCI

/// A cgroup of v1: one directory in each hierarchy, and one in the v2 hierarchy beside them where there is one.
struct CgroupV1: Cgroup {
    let reference: CgroupReference

    init(_ reference: CgroupReference) { self.reference = reference }

    func directory(_ controller: String) -> CgroupDirectory? {
        reference.paths[controller].map { CgroupDirectory(path: $0) }
    }

    /// Each directory once, though controllers may share it; v2's last, cpuset before those that only limit.
    private var uniqueDirectories: [CgroupDirectory] {
        var seen: Set<String> = []
        return reference.paths.sorted { ($0.key.isEmpty ? 1 : 0, $0.key) < ($1.key.isEmpty ? 1 : 0, $1.key) }
            .compactMap { seen.insert($0.value).inserted ? CgroupDirectory(path: $0.value) : nil }
    }

    func create(placing processID: Int32?, resources: LinuxResources?) throws(CgroupError) {
        var made: [CgroupDirectory] = []
        do throws(CgroupError) {
            for directory in uniqueDirectories {
                if directory.exists { continue }
                do throws(CgroupError) {
                    try directory.make()
                    made.append(directory)
                } catch {
                    // The empty v2 hierarchy is only a convenience here.
                    if directory.path != reference.paths[""] { throw error }
                }
            }
            if let cpuset = directory("cpuset") { try inheritCpuset(cpuset) }
            if let resources { try apply(resources) }
            if let processID { try add(processID, subpath: "") }
        } catch {
            // At once, without waiting: a process that is in one already is the caller's to end.
            for directory in made.reversed() { try? FileDescriptor.currentDirectory.removeDirectory(directory.path) }
            throw error
        }
    }

    /// A cpuset accepts no process before it has processors and memory nodes; a new one starts with none.
    private func inheritCpuset(_ directory: CgroupDirectory) throws(CgroupError) {
        for file in ["cpuset.cpus", "cpuset.mems"] { try inherit(file, into: directory.path) }
    }

    private func inherit(_ file: String, into path: String) throws(CgroupError) {
        let directory = CgroupDirectory(path: path)
        // No such file: above the hierarchy's mount point.
        guard let value = try directory.readIfPresent(file), value.isEmpty else { return }
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash != path.startIndex else { return }
        let parent = String(path[..<slash])
        try inherit(file, into: parent)
        if let inherited = try CgroupDirectory(path: parent).readIfPresent(file), !inherited.isEmpty {
            try directory.write(file, inherited)
        }
    }

    func add(_ processID: Int32, subpath: String) throws(CgroupError) {
        let below = components(subpath)
        if !below.isEmpty, !uniqueDirectories.contains(where: { CgroupDirectory(path: join($0.path, below)).exists }) {
            throw CgroupError(.notFound, "there is no cgroup \(subpath) below the container's")
        }
        for directory in uniqueDirectories {
            let target = below.isEmpty ? directory : CgroupDirectory(path: join(directory.path, below))
            if directory.path == reference.paths[""] {
                try? target.add(processID)
                continue
            }
            if !below.isEmpty && !target.exists { continue }
            try target.add(processID)
        }
    }

    func freeze() throws(CgroupError) {
        guard let freezer = directory("freezer") else {
            throw CgroupError(.noController, "cannot freeze processes: the freezer controller is not mounted")
        }
        // A process that forks meanwhile, or is in the middle of a signal, leaves the state at FREEZING: writing again
        // makes the kernel look again, and a short thaw lets a stuck one pass.
        for attempt in 0..<1000 {
            if attempt % 50 == 49 {
                try freezer.write("freezer.state", "THAWED")
                sleepThread(milliseconds: 10)
            }
            try freezer.write("freezer.state", "FROZEN")
            let state = try freezer.read("freezer.state")
            if state == "FROZEN" { return }
            sleepThread(milliseconds: attempt < 10 ? 0 : 2)
        }
        try? freezer.write("freezer.state", "THAWED")
        throw CgroupError(.timedOut, "the processes of \(freezer.path) would not freeze; they go on")
    }

    func thaw() throws(CgroupError) { try directory("freezer")?.write("freezer.state", "THAWED") }

    func isFrozen() throws(CgroupError) -> Bool {
        guard let freezer = directory("freezer") else { return false }
        // `self_freezing`, so that a frozen parent does not count.
        return try freezer.readIfPresent("freezer.self_freezing") == "1"
    }

    func killAll() throws(CgroupError) {
        var delay = 1
        var waited = 0
        while true {
            let processes = try processes()
            if processes.isEmpty { return }
            // v2 does it in one step, for those who are in there.
            if let unified = directory(""), unified.has("cgroup.kill") { try? unified.write("cgroup.kill", "1") }
            // Processes that fork faster than they can be listed are frozen first.
            if waited > 10, !(try isFrozen()) { try? freeze() }
            try send(signal: .kill)
            // A frozen process dies only once it is thawed.
            if try isFrozen() { try thaw() }
            if waited > 10_000 {
                throw CgroupError(.timedOut, "cannot end the processes \(processes.prefix(8)) of the cgroup")
            }
            sleepThread(milliseconds: delay)
            waited += delay
            delay = min(delay * 2, 100)
        }
    }

    func destroy() throws(CgroupError) {
        if (try? isFrozen()) == true { try? thaw() }
        for directory in uniqueDirectories { try directory.destroy() }
    }

    func watchOutOfMemory() throws(CgroupError) -> OutOfMemoryWatch {
        guard let memory = directory("memory") else {
            throw CgroupError(.noController, "cannot watch for lack of memory: the memory controller is not mounted")
        }
        return try OutOfMemoryWatch(v1: memory)
    }
}
