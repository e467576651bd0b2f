import Cgroups
import Kernel
import OCI
import Testing

@Suite struct SystemdTests {
    let unified = CgroupHost(
        hierarchies: [], unified: .init(controllers: ["cpu"], mountPoint: "/sys/fs/cgroup"), ownPaths: ["": "/"])

    @Test func slicesAreDirectoriesInEachOther() throws {
        let cgroup = try unified.cgroup(path: "machine-pods-a.slice:docker:0123", containerID: "x", driver: .systemd)
        #expect(
            cgroup.directories == [
                "": "/sys/fs/cgroup/machine.slice/machine-pods.slice/machine-pods-a.slice/docker-0123.scope"
            ])
        #expect(cgroup.reference.unit == "docker-0123.scope")
        #expect(cgroup.reference.slice == "machine-pods-a.slice")
        func directory(_ path: String?) throws -> String? {
            try unified.cgroup(path: path, containerID: "abc", driver: .systemd).directories[""]
        }
        #expect(try directory(nil) == "/sys/fs/cgroup/system.slice/dhow-abc.scope")
        #expect(try directory(":libpod:9") == "/sys/fs/cgroup/system.slice/libpod-9.scope")
        #expect(try directory("-.slice:p:9") == "/sys/fs/cgroup/p-9.scope")
        #expect(try directory("a.slice::9") == "/sys/fs/cgroup/a.slice/9.scope")
        #expect(try directory("a.slice:x:a-b.slice") == "/sys/fs/cgroup/a.slice/a-b.slice")
        #expect(CgroupHost.cgroup(cgroup.reference).reference == cgroup.reference)
    }

    @Test func badUnitNamesAreRefused() {
        for path in [
            "/docker/abc", "a:b", "a:b:c:d", "a.slice:b:", "a:b:c", "-a.slice:b:c", "a-.slice:b:c", "a--b.slice:b:c",
            "a/b.slice:b:c", "../x.slice:b:c", "a.slice:b/c:d", "a.slice:b:c/d", ".slice:b:c", "a.slice:b:c d",
            "a.slice:b:" + String(repeating: "x", count: 300),
        ] {
            let error = failure { _ = try unified.cgroup(path: path, containerID: "x", driver: .systemd) }
            #expect(error?.code == .invalidPath, "\(path)")
        }
    }

    @Test func propertiesOfAnnotationsAreGVariants() {
        for (name, text) in [
            ("TimeoutStopUSec", "uint64 5"), ("CollectMode", "'inactive-or-failed'"), ("TimeoutStopSec", "1.5"),
            ("After", "['a.service', \"b\\\"c\"]"), ("SendSIGHUP", "true"), ("X12", "-3"), ("Empty", "[]"),
        ] {
            let error = failure {
                _ = try unified.cgroup(
                    path: nil, containerID: "x", driver: .systemd, properties: [name: text])
            }
            #expect(error == nil, "\(name)=\(text): \(error?.description ?? "")")
        }
        for (name, text) in [
            ("A", "true"), ("Bad Name", "true"), ("Good", "uint64"), ("Good", "uint32 -1"), ("Good", "'open"),
            ("Good", "[1, 'a']"), ("Good", "true false"), ("Good", ""), ("TimeoutSec", "'x'"), ("Good", "[1,"),
            ("Good", String(repeating: "[", count: 100)),
        ] {
            let error = failure {
                _ = try unified.cgroup(
                    path: nil, containerID: "x", driver: .systemd, properties: [name: text])
            }
            #expect(error?.code == .systemd, "\(name)=\(text)")
        }
    }

    @Test func withoutSystemdTheErrorSaysWhatToDo() throws {
        if CgroupHost.isRunningSystemd { return }
        let cgroup = try unified.cgroup(path: nil, containerID: "x", driver: .systemd)
        let error = failure { try cgroup.create(placing: 1, resources: nil) }
        #expect(error?.code == .systemd)
        #expect(error?.description.contains("cgroupfs") == true)
    }

    @Test func scopesNeedAProcess() throws {
        let cgroup = try unified.cgroup(path: nil, containerID: "x", driver: .systemd)
        #expect(failure { try cgroup.create(placing: nil, resources: nil) }?.code == .systemd)
    }
}
