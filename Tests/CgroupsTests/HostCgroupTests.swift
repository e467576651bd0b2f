import Cgroups
import Kernel
import OCI
import Testing

/// On the kernel's own cgroups, whichever version this host has.
@Suite struct HostCgroupTests {
    let host: CgroupHost
    init() throws { host = try CgroupHost.current() }

    /// Calls `body` with a cgroup and a process in it; nothing is left afterwards, which is checked.
    private func withCgroup(
        resources json: String = "{}", script: String = "exec sleep 1000",
        _ body: (any Cgroup, TestProcess) throws -> Void
    ) throws {
        let name = uniqueName()
        let cgroup = try host.cgroup(path: "/\(name)", containerID: name)
        let process = try TestProcess(script)
        let result = Result {
            try cgroup.create(placing: process.processID, resources: LinuxResources(parsing: Array(json.utf8)))
            try body(cgroup, process)
        }
        try cgroup.killAll()
        _ = try process.child.wait()
        try cgroup.destroy()
        #expect(!cgroup.directories.values.contains { FileDescriptor.currentDirectory.exists($0) })
        try result.get()
    }

    private func read(_ cgroup: any Cgroup, _ controller: String, _ file: String) throws -> String {
        let directory = try #require(cgroup.directories[cgroup.version == .v2 ? "" : controller])
        return String(try FileDescriptor.currentDirectory.readText("\(directory)/\(file)").dropLast())
    }

    @Test func limitsArriveAtTheKernel() throws {
        guard host.version == .v1 else { return }
        let json = """
            {"cpu": {"shares": 512, "quota": 50000, "period": 100000, "burst": 1000, "cpus": "0"},
             "memory": {"limit": 67108864, "reservation": 33554432, "kernelTCP": 1048576, "swappiness": 30,
                        "disableOOMKiller": true},
             "pids": {"limit": 50}}
            """
        try withCgroup(resources: json) { cgroup, process in
            #expect(try cgroup.processes() == [process.processID])
            #expect(try read(cgroup, "cpu", "cpu.shares") == "512")
            #expect(try read(cgroup, "cpu", "cpu.cfs_quota_us") == "50000")
            #expect(try read(cgroup, "cpu", "cpu.cfs_burst_us") == "1000")
            #expect(try read(cgroup, "cpuset", "cpuset.cpus") == "0")
            #expect(try read(cgroup, "cpuset", "cpuset.mems") == "0")
            #expect(try read(cgroup, "memory", "memory.limit_in_bytes") == "67108864")
            #expect(try read(cgroup, "memory", "memory.soft_limit_in_bytes") == "33554432")
            #expect(try read(cgroup, "memory", "memory.swappiness") == "30")
            #expect(try read(cgroup, "memory", "memory.oom_control").contains("oom_kill_disable 1"))
            #expect(try read(cgroup, "pids", "pids.max") == "50")
            for membership in try ProcessFiles.cgroups(of: "\(process.processID)")
            where membership.controllers != ["name=other"] {
                #expect(membership.path.hasPrefix("/dhow-test-"), "\(membership)")
            }
            // Update: both larger and smaller, the quota below the old burst's needs.
            let update =
                #"{"cpu": {"quota": 20000, "period": 40000}, "memory": {"limit": 134217728}, "pids": {"limit": -1}}"#
            try cgroup.apply(LinuxResources(parsing: Array(update.utf8)))
            #expect(try read(cgroup, "cpu", "cpu.cfs_quota_us") == "20000")
            #expect(try read(cgroup, "cpu", "cpu.cfs_period_us") == "40000")
            #expect(try read(cgroup, "memory", "memory.limit_in_bytes") == "134217728")
            #expect(try read(cgroup, "pids", "pids.max") == "max")
            let statistics = try cgroup.statistics()
            #expect(statistics.memory.usage.limit == 134_217_728)
            #expect(statistics.pids.current >= 1)
            #expect(statistics.cpu.perProcessor.count >= 1)
        }
    }

    @Test func impossibleValuesAreRefusedAndNothingIsLeft() throws {
        guard host.version == .v1 else { return }
        let name = uniqueName()
        for json in [
            #"{"cpu": {"cpus": "4000"}}"#, #"{"cpu": {"shares": 1}}"#, #"{"memory": {"swappiness": 101}}"#,
            #"{"unified": {"memory.max": "1"}}"#, #"{"rdma": {"x": {"hcaHandles": 1}}}"#,
            #"{"devices": [{"allow": true, "type": "c"}, {"allow": false, "type": "c", "major": 1, "minor": 3}]}"#,
        ] {
            let cgroup = try host.cgroup(path: "/\(name)", containerID: name)
            let process = try TestProcess()
            let resources = try LinuxResources(parsing: Array(json.utf8))
            let error = failure { try cgroup.create(placing: process.processID, resources: resources) }
            #expect(error != nil, "\(json)")
            #expect(!cgroup.directories.values.contains { FileDescriptor.currentDirectory.exists($0) }, "\(json)")
        }
    }

    @Test func freezesAndThaws() throws {
        try withCgroup(script: "while :; do :; done") { cgroup, process in
            #expect(try !cgroup.isFrozen())
            try cgroup.freeze()
            #expect(try cgroup.isFrozen())
            let before = try ProcessFiles.statistics(of: process.processID)
            sleepThread(milliseconds: 60)
            #expect(try ProcessFiles.statistics(of: process.processID).userTime == before.userTime)
            try cgroup.thaw()
            #expect(try !cgroup.isFrozen())
            sleepThread(milliseconds: 100)
            #expect(try ProcessFiles.statistics(of: process.processID).userTime > before.userTime)
            // Left frozen: killing has to cope.
            try cgroup.freeze()
        }
    }

    @Test func killsForkingProcessesAndThoseBelow() throws {
        let script = "while :; do sh -c 'sleep 5 & sleep 5' & sleep 0.01; done"
        try withCgroup(script: script) { cgroup, _ in
            let directory = try #require(cgroup.processDirectory)
            try FileDescriptor.currentDirectory.makeDirectories("\(directory)/nested/deeper")
            let nested = try TestProcess()
            try cgroup.add(nested.processID, subpath: "nested/deeper")
            #expect(try cgroup.processes().contains(nested.processID))
            #expect(try !cgroup.processes(recursive: false).contains(nested.processID))
            sleepThread(milliseconds: 100)
            try cgroup.killAll()
            #expect(try cgroup.processes().isEmpty)
        }
    }

    @Test func processesAreBornInside() throws {
        let name = uniqueName()
        let cgroup = try host.cgroup(path: "/\(name)", containerID: name)
        try cgroup.create(placing: nil, resources: nil)
        defer { try? cgroup.destroy() }
        let entrance = try cgroup.openEntrance()
        var options = CloneOptions()
        options.cgroup = entrance.cloneTarget
        let (parent, child) = try Socket.pair()
        switch try clone(options) {
        case .child:
            do { try entrance.enter() } catch { exitImmediately(1) }
            // Until the parent has looked.
            _ = try? child.read(count: 1)
            exitImmediately(0)
        case .parent(let processID, let descriptor):
            sleepThread(milliseconds: 200)
            #expect(try cgroup.processes() == [processID])
            for membership in try ProcessFiles.cgroups(of: "\(processID)")
            where !membership.controllers.contains(where: { $0.hasPrefix("name=") && $0 != "name=systemd" }) {
                #expect(membership.path == "/\(name)", "\(membership)")
            }
            _ = try parent.send([1])
            #expect(try ProcessDescriptor(descriptor).wait() == .exited(0))
        }
        #expect(throws: CgroupError.self) { _ = try cgroup.openEntrance(subpath: "../..//x/\(uniqueName())") }
    }

    @Test func destroyingWhatIsGoneIsNoError() throws {
        let cgroup = try host.cgroup(path: "/\(uniqueName())", containerID: "x")
        try cgroup.destroy()
        try cgroup.killAll()
        #expect(!cgroup.exists)
        #expect(cgroup.outOfMemoryKillCount() == 0)
    }

    @Test func lackOfMemoryIsNoticed() throws {
        guard host.controllers.contains("memory") else { return }
        // Needs more than it may have.
        let script = "sleep 0.2; exec dd if=/dev/zero of=/dev/null bs=200M count=1"
        try withCgroup(resources: #"{"memory": {"limit": 16777216}}"#, script: script) { cgroup, process in
            let watch = try cgroup.watchOutOfMemory()
            let ready = try poll([PollRequest(watch.descriptor, .readable)], timeoutMilliseconds: 10_000)
            #expect(!ready[0].isEmpty)
            for _ in 0..<100 where cgroup.outOfMemoryKillCount() == 0 { sleepThread(milliseconds: 10) }
            #expect(watch.takeEvent())
            #expect(watch.killCount == 1)
            #expect(try cgroup.statistics().memory.outOfMemoryKills == 1)
        }
    }

    @Test func devicesOfV1() throws {
        guard host.version == .v1 else { return }
        let json = """
            {"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": 3},
                         {"allow": true, "type": "c", "access": "m"}, {"allow": true, "type": "c", "major": 136}]}
            """
        let script = "for i in $(seq 1 200); do sleep 0.1; done"
        try withCgroup(resources: json, script: script) { cgroup, process in
            let lines = try read(cgroup, "devices", "devices.list").split(separator: "\n").sorted()
            #expect(lines == ["c *:* m", "c 136:* rwm", "c 1:3 rwm"])
            // Once more, and one less, without passing through "nothing".
            let update = """
                {"devices": [{"allow": false}, {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "r"},
                             {"allow": true, "type": "c", "major": 1, "minor": 5}]}
                """
            try cgroup.apply(LinuxResources(parsing: Array(update.utf8)))
            #expect(
                try read(cgroup, "devices", "devices.list").split(separator: "\n").sorted() == ["c 1:3 r", "c 1:5 rwm"])
            try cgroup.apply(LinuxResources(parsing: Array(#"{"devices": [{"allow": true}]}"#.utf8)))
            #expect(try read(cgroup, "devices", "devices.list") == "a *:* rwm")
        }
    }
}
