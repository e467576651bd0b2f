import Cgroups
import Kernel
import OCI
import Testing

@Suite struct PathTests {
    let hybrid = CgroupHost(
        hierarchies: [
            .init(controllers: ["cpu", "cpuacct"], mountPoint: "/sys/fs/cgroup/cpu,cpuacct"),
            .init(controllers: ["memory"], mountPoint: "/sys/fs/cgroup/memory", root: "/outer"),
            .init(controllers: ["name=systemd"], mountPoint: "/sys/fs/cgroup/systemd"),
            .init(controllers: ["name=other"], mountPoint: "/sys/fs/cgroup/other"),
        ],
        unified: .init(controllers: [], mountPoint: "/sys/fs/cgroup/unified"),
        ownPaths: ["cpu": "/mine", "cpuacct": "/mine", "memory": "/outer/mine", "name=systemd": "/", "": "/u"])
    let unified = CgroupHost(
        hierarchies: [], unified: .init(controllers: ["cpu"], mountPoint: "/sys/fs/cgroup"),
        ownPaths: ["": "/user.slice/session.scope"])

    @Test func layouts() {
        #expect(hybrid.layout == .hybrid && hybrid.version == .v1)
        #expect(unified.layout == .v2 && unified.version == .v2)
        let named = CgroupHost(
            hierarchies: [.init(controllers: ["name=systemd"], mountPoint: "/sys/fs/cgroup/systemd")],
            unified: .init(controllers: ["cpu"], mountPoint: "/sys/fs/cgroup/unified"), ownPaths: [:])
        #expect(named.layout == .v2)
    }

    @Test func absolutePathsStartAtTheTop() throws {
        let paths = try hybrid.cgroup(path: "/docker/abc", containerID: "x").directories
        #expect(paths["cpu"] == "/sys/fs/cgroup/cpu,cpuacct/docker/abc")
        #expect(paths["cpuacct"] == paths["cpu"])
        #expect(paths["memory"] == "/sys/fs/cgroup/memory/docker/abc")
        #expect(paths["name=systemd"] == "/sys/fs/cgroup/systemd/docker/abc")
        #expect(paths["name=other"] == nil)
        #expect(paths[""] == "/sys/fs/cgroup/unified/docker/abc")
        #expect(try unified.cgroup(path: "/a/b", containerID: "x").directories == ["": "/sys/fs/cgroup/a/b"])
    }

    @Test func relativePathsStartAtTheCaller() throws {
        let paths = try hybrid.cgroup(path: nil, containerID: "abc").directories
        #expect(paths["cpu"] == "/sys/fs/cgroup/cpu,cpuacct/mine/abc")
        #expect(paths["memory"] == "/sys/fs/cgroup/memory/mine/abc")
        #expect(paths["name=systemd"] == "/sys/fs/cgroup/systemd/abc")
        #expect(try unified.cgroup(path: "", containerID: "abc").directories == ["": "/sys/fs/cgroup/user.slice/abc"])
    }

    @Test func hostilePathsStayBelow() throws {
        let paths = try hybrid.cgroup(path: "../../../etc/x", containerID: "x").directories
        #expect(paths["cpu"] == "/sys/fs/cgroup/cpu,cpuacct/mine/etc/x")
        #expect(try unified.cgroup(path: "/../../a", containerID: "x").directories[""] == "/sys/fs/cgroup/a")
        // A combining mark makes the slash before it another Character, but not another byte.
        let hidden = try hybrid.cgroup(path: "/a/../\u{301}../../../../x", containerID: "x").directories
        #expect(hidden["cpu"] == "/sys/fs/cgroup/cpu,cpuacct/x")
        for bad in ["/", "/..", ".", "a/..", "a\0b", "a\nb"] {
            #expect(failure { _ = try hybrid.cgroup(path: bad, containerID: "x") }?.code == .invalidPath, "\(bad)")
        }
        for bad in ["", ".", "..", "a/b"] {
            #expect(failure { _ = try hybrid.cgroup(path: nil, containerID: bad) }?.code == .invalidPath, "\(bad)")
        }
        let none = CgroupHost(hierarchies: [], unified: nil, ownPaths: [:])
        #expect(failure { _ = try none.cgroup(path: nil, containerID: "x") }?.code == .noHierarchy)
    }

    @Test func findsHierarchiesInMountInfo() {
        let text = """
            32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
            33 31 0:29 / /somewhere/else rw - cgroup cgroup rw,cpu,cpuacct
            34 31 0:30 /c /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
            35 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
            """
        let host = CgroupHost(
            mounts: MountInfo.parse(text),
            memberships: ProcessFiles.parseCgroups("2:cpu,cpuacct:/a\n1:name=systemd:/b\n0::/c\n"))
        #expect(host.hierarchies.map(\.controllers) == [["cpu", "cpuacct"], ["name=systemd"]])
        #expect(host.hierarchies.map(\.mountPoint) == ["/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/systemd"])
        #expect(host.hierarchies[1].root == "/c")
        #expect(host.unified?.mountPoint == "/sys/fs/cgroup/unified")
        #expect(host.ownPaths == ["cpu": "/a", "cpuacct": "/a", "name=systemd": "/b", "": "/c"])
        #expect(host.controllers == ["cpu", "cpuacct"])
    }

    @Test func referencesSurviveJSON() throws {
        let reference = try hybrid.cgroup(path: "/x", containerID: "x").reference
        #expect(try CgroupReference(json: reference.json) == reference)
        #expect(CgroupHost.cgroup(reference).directories == reference.paths)
    }
}
