import Foundation
import JSON
import Testing

/// What depends on the kernel's cgroups. Runs here, on whatever cgroups this machine has, and in the virtual machine
/// of `make test-vm`, which has pure version 2 and systemd, once for each cgroup driver.
@Suite(.serialized) struct VirtualMachineTests {
    static let daemon = Result { try Daemon.shared() }
    let daemon: Daemon
    static let isVersion2 = FileManager.default.fileExists(atPath: "/sys/fs/cgroup/cgroup.controllers")

    init() throws {
        daemon = try Self.daemon.get()
        try Images.load(into: daemon)
    }

    /// The directory of a running container's cgroup; on version 1 that of a controller.
    private func cgroup(of name: String, controller: String) throws -> String {
        let pid = try daemon.inspect(name)["State"]?["Pid"]?.integer ?? 0
        let lines = try String(contentsOfFile: "/proc/\(pid)/cgroup", encoding: .utf8).components(separatedBy: "\n")
        for line in lines {
            let fields = line.components(separatedBy: ":")
            guard fields.count == 3 else { continue }
            if Self.isVersion2, fields[0] == "0" { return "/sys/fs/cgroup" + fields[2] }
            if !Self.isVersion2, fields[1].components(separatedBy: ",").contains(controller) {
                return "/sys/fs/cgroup/\(fields[1])\(fields[2])"
            }
        }
        return "/nowhere"
    }

    private func read(_ name: String, controller: String, v1: String, v2: String) throws -> String {
        let path = try cgroup(of: name, controller: controller) + "/" + (Self.isVersion2 ? v2 : v1)
        return try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func start(_ name: String, _ options: String...) throws {
        try Shell.check(
            [Programs.dhow, "-H", "unix://\(daemon.socket)", "run", "-d", "--name", name, "--network", "none"] + options
                + [Images.busybox, "sleep", "100000"])
    }

    private func remove(_ name: String) { _ = try? daemon.dhow("rm", "-f", name) }

    @Test func resourcesAreSetAndUpdated() throws {
        defer { remove("res") }
        try start(
            "res", "--memory", "64m", "--memory-swap", "64m", "--cpus", "0.5", "--pids-limit", "77", "--cpu-shares",
            "512", "--cpuset-cpus", "0")
        #expect(try read("res", controller: "memory", v1: "memory.limit_in_bytes", v2: "memory.max") == "67108864")
        #expect(try read("res", controller: "pids", v1: "pids.max", v2: "pids.max") == "77")
        #expect(
            try read("res", controller: "cpu", v1: "cpu.cfs_quota_us", v2: "cpu.max")
                == (Self.isVersion2 ? "50000 100000" : "50000"))
        #expect(try read("res", controller: "cpuset", v1: "cpuset.cpus", v2: "cpuset.cpus") == "0")
        if !Self.isVersion2 { #expect(try read("res", controller: "cpu", v1: "cpu.shares", v2: "") == "512") }
        try daemon.check(
            "update", "--memory", "80m", "--memory-swap", "80m", "--cpus", "1.5", "--pids-limit", "88", "res")
        #expect(try read("res", controller: "memory", v1: "memory.limit_in_bytes", v2: "memory.max") == "83886080")
        #expect(try read("res", controller: "pids", v1: "pids.max", v2: "pids.max") == "88")
        #expect(try read("res", controller: "cpu", v1: "cpu.cfs_quota_us", v2: "cpu.max").hasPrefix("150000"))
        let stats = try daemon.check("stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", "res").text
        #expect(stats.contains("80MiB"), "\(stats)")
    }

    @Test func devicesAreDeniedUnlessAllowed() throws {
        defer { remove("dev") }
        try start("dev", "--cap-add", "MKNOD", "--device-cgroup-rule", "c 10:237 r")
        let output = try daemon.dhow(
            "exec", "dev", "sh", "-c",
            """
            mknod /tmp/control c 10 237; mknod /tmp/mem c 1 1; mknod /tmp/zero c 1 5
            head -c1 /tmp/zero >/dev/null && echo zero
            (: < /tmp/control) && echo control
            (: > /tmp/control) 2>/dev/null || echo control-not-written
            head -c1 /tmp/mem >/dev/null 2>&1 || echo mem-denied
            """)
        #expect(output.lines == ["zero", "control", "control-not-written", "mem-denied"], "\(output)")
    }

    @Test func freezingStopsEverything() throws {
        defer { remove("ice") }
        try Shell.check([
            Programs.dhow, "-H", "unix://\(daemon.socket)", "run", "-d", "--name", "ice", "--network", "none",
            Images.busybox, "sh", "-c", "while :; do echo x >> /tmp/count; usleep 20000; done",
        ])
        let pid = try daemon.inspect("ice")["State"]?["Pid"]?.integer ?? 0
        let count = { try Shell.sh("wc -c < /proc/\(pid)/root/tmp/count").text }
        #expect(eventually { (try? count()) != nil })
        try daemon.check("pause", "ice")
        let first = try count()
        usleep(300_000)
        #expect(try count() == first)
        #expect(try daemon.dhow("exec", "ice", "true").status != 0)
        try daemon.check("unpause", "ice")
        #expect(try eventually { try count() != first })
        try daemon.check("pause", "ice")
        try daemon.check("rm", "-f", "ice")
        #expect(eventually { kill(pid_t(pid), 0) != 0 })
    }

    @Test func runningOutOfMemoryIsNoticed() throws {
        defer { remove("oom") }
        let output = try daemon.dhow(
            "run", "--name", "oom", "--network", "none", "--memory", "16m", "--memory-swap", "16m", Images.busybox,
            "sh", "-c", "x=0123456789abcdef; while :; do x=$x$x; done")
        #expect(output.status == 137, "\(output)")
        let state = try daemon.inspect("oom")["State"]
        #expect(state?["OOMKilled"] == true, "\(state?.serialized() ?? "")")
    }

    @Test func theProcessLimitHolds() throws {
        let output = try daemon.runBusybox(
            ["--pids-limit", "10"], "sh", "-c",
            "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 5 & done; echo started")
        #expect(!output.stdout.contains("started") || output.stderr.contains("fork"), "\(output)")
    }

    @Test func killReachesEveryProcessAndTheCgroupGoes() throws {
        try Shell.check([
            Programs.dhow, "-H", "unix://\(daemon.socket)", "run", "-d", "--name", "many", "--network", "none",
            Images.busybox, "sh", "-c", "for i in 1 2 3 4 5; do setsid sleep 100000 & done; wait",
        ])
        let directory = try cgroup(of: "many", controller: "pids")
        #expect(FileManager.default.fileExists(atPath: directory))
        let id = try daemon.inspect("many")["Id"]?.string ?? "none"
        #expect(directory.contains(id), "\(directory)")
        #expect(
            directory.contains(Programs.cgroupDriver == "systemd" ? "system.slice/dhow-" : "/dhow/"), "\(directory)")
        try daemon.check("rm", "-f", "many")
        #expect(eventually { !FileManager.default.fileExists(atPath: directory) })
        #expect(eventually { Leftovers.of(daemon, ids: [id]).isEmpty }, "\(Leftovers.of(daemon, ids: [id]))")
    }

    @Test func aPrivateCgroupNamespaceShowsItsOwnRoot() throws {
        let own = try daemon.runBusybox(["--cgroupns", "private"], "cat", "/proc/self/cgroup")
        #expect(own.lines.allSatisfy { $0.hasSuffix(":/") }, "\(own)")
        let host = try daemon.runBusybox(["--cgroupns", "host"], "cat", "/proc/self/cgroup")
        #expect(host.stdout.contains("dhow"), "\(host)")
    }

    @Test func theDaemonsDeathLeavesCgroupsInOrder() throws {
        let other = try Daemon()
        defer { other.tearDown() }
        try Images.load(into: other)
        let id = try other.check(
            "run", "-d", "--name", "stay", "--network", "none", "--memory", "32m", Images.busybox, "sleep", "100000"
        ).text
        other.crash()
        try other.start()
        #expect(try other.inspect("stay")["State"]?["Running"] == true)
        try other.check("update", "--memory", "48m", "--memory-swap", "48m", "stay")
        try other.check("rm", "-f", "stay")
        #expect(eventually { Leftovers.of(other, ids: [id]).isEmpty }, "\(Leftovers.of(other, ids: [id]))")
    }

    @Test func theRuntimeAloneMakesAndRemovesItsCgroup() throws {
        let scratch = try ScratchDirectory("bundle")
        try Shell.sh("mkdir -p \(scratch.path)/rootfs; tar -C \(scratch.path)/rootfs -xf \(try Images.rootTar.get())")
        try Shell.check([Programs.runtime, "spec"], directory: scratch.path)
        var spec =
            try JSONValue(parsing: String(contentsOfFile: scratch.file("config.json"), encoding: .utf8)).object
            ?? JSONObject()
        var process = spec["process"]?.object ?? JSONObject()
        process["terminal"] = false
        process["args"] = ["/bin/sleep", "1000"]
        spec["process"] = .object(process)
        var linux = spec["linux"]?.object ?? JSONObject()
        let systemd = Programs.cgroupDriver == "systemd"
        linux["cgroupsPath"] = systemd ? "system.slice:dhowtest:alone" : "/dhowtest/alone"
        linux["resources"] = ["memory": ["limit": 33_554_432], "pids": ["limit": 20]]
        spec["linux"] = .object(linux)
        try scratch.write(JSONValue.object(spec).serialized(), to: "config.json")
        let runtime = [Programs.runtime, "--root", scratch.file("state")] + (systemd ? ["--systemd-cgroup"] : [])
        try Shell.check(runtime + ["run", "-d", "--bundle", scratch.path, "--pid-file", scratch.file("pid"), "alone"])
        let pid = try String(contentsOfFile: scratch.file("pid"), encoding: .utf8)
        let line = try String(contentsOfFile: "/proc/\(pid)/cgroup", encoding: .utf8)
        #expect(line.contains(systemd ? "dhowtest-alone.scope" : "/dhowtest/alone"), "\(line)")
        try Shell.check(runtime + ["update", "--memory", "41943040", "--pids-limit", "30", "alone"])
        try Shell.check(runtime + ["pause", "alone"])
        #expect(try JSONValue(parsing: Shell.check(runtime + ["state", "alone"]).stdout)["status"] == "paused")
        try Shell.check(runtime + ["resume", "alone"])
        #expect(try Shell.check(runtime + ["ps", "alone"]).stdout.contains("sleep"))
        try Shell.check(runtime + ["delete", "--force", "alone"])
        #expect(try eventually { try Shell.run(["find", "/sys/fs/cgroup", "-path", "*dhowtest*alone*"]).text.isEmpty })
        _ = try? Shell.run([
            "find", "/sys/fs/cgroup", "-depth", "-type", "d", "-name", "dhowtest", "-exec", "rmdir", "{}", ";",
        ])
    }
}
