import Cgroups
import Glibc
import Kernel
import OCI
import Testing

/// A systemd of our own: a user's service manager, in a mount namespace where the host looks booted by systemd.
///
/// It is systemd's own end of the protocol, on hosts that do not run it.
private final class UserManager: Sendable {
    static let program = "/lib/systemd/systemd"
    let runtime: TemporaryDirectory
    let name = uniqueName()
    private let child: Subprocess
    private let parents: [String]

    init(_ host: CgroupHost) throws {
        runtime = try TemporaryDirectory()
        let mounts =
            host.hierarchies.filter { $0.controllers == ["name=systemd"] }.map(\.mountPoint)
            + [host.unified].compactMap { $0?.mountPoint }
        let name = name
        parents = (host.hierarchies.map(\.mountPoint) + [host.unified].compactMap { $0?.mountPoint })
            .map { "\($0)/\(name)" }
        let join = mounts.map { "mkdir -p \($0)/\(name) && echo $$ > \($0)/\(name)/cgroup.procs" }
        let script =
            ([
                "mkdir -p /run/systemd", "mount -t tmpfs tmpfs /run/systemd", "mkdir /run/systemd/system",
                "export XDG_RUNTIME_DIR=\(runtime.path)",
            ] + join + ["exec \(Self.program) --user --log-level=err"]).joined(separator: " && ")
        var configuration = Subprocess.Configuration(
            "/usr/bin/unshare", arguments: ["unshare", "-m", "/bin/sh", "-c", script])
        configuration.startsSession = true
        configuration.descriptors = [1: try .open("/dev/null", .writeOnly), 2: try .open("/dev/null", .writeOnly)]
        child = try Subprocess.spawn(configuration)
        for _ in 0..<200 where !FileDescriptor.currentDirectory.exists("\(runtime.path)/systemd/private") {
            sleepThread(milliseconds: 50)
        }
        setenv("XDG_RUNTIME_DIR", runtime.path, 1)
    }

    deinit {
        unsetenv("XDG_RUNTIME_DIR")
        for path in parents {
            let leaf = CgroupHost.cgroup(CgroupReference(version: .v2, paths: ["": path]))
            try? leaf.killAll()
            _ = try? child.process.wait(noHang: true)
            try? leaf.destroy()
        }
        try? child.send(signal: .kill)
        _ = try? child.wait()
    }
}

@Suite(.serialized) struct SystemdDriverTests {
    @Test func scopesAreStartedChangedAndStopped() throws {
        let host = try CgroupHost.current()
        guard FileDescriptor.currentDirectory.exists(UserManager.program), Credentials.userID == 0,
            host.layout == .hybrid
        else { return }
        let manager = try UserManager(host)
        let id = uniqueName()
        let cgroup = try host.cgroup(
            path: "-.slice:dhow:\(id)", containerID: id, driver: .systemd,
            properties: [
                "TimeoutStopSec": "3", "CollectMode": "'inactive-or-failed'", "Documentation": "['man:a(1)']",
            ],
            rootless: true)
        #expect(cgroup.directories[""]?.hasSuffix("/\(manager.name)/dhow-\(id).scope") == true)

        let process = try TestProcess()
        let json = """
            {"cpu": {"shares": 512, "quota": 50000, "period": 100000}, "memory": {"limit": 67108864},
             "pids": {"limit": 50},
             "devices": [{"allow": false}, {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
                         {"allow": true, "type": "c", "major": 136, "access": "rwm"}]}
            """
        try cgroup.create(placing: process.processID, resources: LinuxResources(parsing: Array(json.utf8)))
        #expect(try cgroup.processes() == [process.processID])
        let own = try ProcessFiles.cgroups(of: "\(process.processID)")
        #expect(own.first { $0.hierarchy == 0 }?.path == "/\(manager.name)/dhow-\(id).scope")

        func show(_ property: String) throws -> String {
            var systemctl = Subprocess.Configuration(
                "/usr/bin/systemctl",
                arguments: ["systemctl", "--user", "show", "--value", "-p", property, "dhow-\(id).scope"])
            systemctl.environment = ["XDG_RUNTIME_DIR=\(manager.runtime.path)"]
            let text = String(decoding: try Subprocess.run(systemctl).standardOutput, as: UTF8.self)
            return String(text.dropLast())
        }
        #expect(try show("ActiveState") == "active")
        #expect(try show("Description") == "container \(id)")
        #expect(try show("Delegate") == "yes")
        #expect(try show("TasksMax") == "50")
        #expect(try show("CPUQuotaPerSecUSec") == "500ms")
        #expect(try show("MemoryLimit") == "67108864")
        #expect(try show("TimeoutStopUSec") == "3s")
        #expect(try show("DevicePolicy") == "strict")
        #expect(try show("DeviceAllow").contains("/dev/char/1:3 rwm"))

        // A second one of that name is refused, and the first is as it was.
        let other = try TestProcess()
        let refusal = failure { try cgroup.create(placing: other.processID, resources: nil) }
        #expect(refusal?.code == .systemd)
        #expect(try cgroup.processes() == [process.processID])

        try cgroup.apply(LinuxResources(parsing: Array(#"{"pids": {"limit": 70}}"#.utf8)))
        #expect(try show("TasksMax") == "70")

        // As another process finds it.
        let found = CgroupHost.cgroup(try CgroupReference(json: cgroup.reference.json))
        try found.freeze()
        try found.killAll()
        _ = try process.child.wait()
        try found.destroy()
        #expect(!cgroup.directories.values.contains { FileDescriptor.currentDirectory.exists($0) })
        #expect(try show("ActiveState") == "inactive")
        try found.destroy()
    }
}
