import Engine
import EngineModel
import JSON
import OCI
import Testing

struct UserLookupTests {
    private let database = UserDatabase(
        passwd: """
            root:x:0:0:root:/root:/bin/sh
            # a comment
            broken
            app:x:1000:1001::/home/app:/bin/sh
            4242:x:77:78::/:/bin/sh
            """,
        group: """
            root:x:0:
            adm:x:4:root,app
            app:x:1001:
            extra:x:2000:app
            """)

    @Test func nobodyIsRootWithRootsGroups() throws {
        let user = try database.resolve("")
        #expect(user.userID == 0 && user.groupID == 0 && user.additionalGroupIDs == [0, 4])
    }

    // To Swift the two ends of such a line are one character, which is no newline.
    @Test func linesMayEndAsOnWindows() throws {
        let database = UserDatabase(passwd: "root:x:0:0\r\napp:x:5:6::/h\r\n", group: "a:x:7:app\r\nb:x:8:app\r\n")
        let user = try database.resolve("app")
        #expect(user.userID == 5 && user.home == "/h" && user.additionalGroupIDs == [6, 7, 8])
    }

    @Test func namesNumbersAndGroups() throws {
        #expect(try database.resolve("app").additionalGroupIDs == [1001, 4, 2000])
        #expect(try database.resolve("1000").groupID == 1001)
        let both = try database.resolve("app:extra", additionalGroups: ["77", "adm"])
        #expect(both.userID == 1000 && both.groupID == 2000 && both.additionalGroupIDs == [2000, 77, 4])
        // Not listed: as it is, in root's group.
        let unlisted = try database.resolve("5000:6000")
        #expect(unlisted.userID == 5000 && unlisted.groupID == 6000)
        #expect(try database.resolve("5000").groupID == 0)
        // A name that is a number is a name first.
        #expect(try database.resolve("4242").userID == 77)
    }

    @Test(arguments: ["nobody", "-1", "4294967295", "app:nogroup", "1 2", "\u{0}"])
    func unknownNamesAreRefused(text: String) {
        #expect(throws: EngineError.self) { try database.resolve(text) }
    }
}

struct SeccompTests {
    private func names(_ capabilities: Set<String>, _ architecture: String = "amd64") -> Set<String> {
        let filter = SeccompProfile.standard.resolve(
            capabilities: capabilities, architecture: architecture, kernel: (6, 1))
        return Set((filter.syscalls ?? []).filter { $0.action == "SCMP_ACT_ALLOW" && $0.args == nil }.flatMap(\.names))
    }

    @Test func capabilitiesOpenCalls() {
        let plain = names(Set(Capabilities.standard))
        #expect(plain.contains("read") && plain.contains("chroot") && plain.contains("ptrace"))
        #expect(!plain.contains("mount") && !plain.contains("clone") && !plain.contains("bpf"))
        #expect(names(["CAP_SYS_ADMIN"]).isSuperset(of: ["mount", "clone", "clone3", "setns", "bpf"]))
        #expect(names([]).contains("chroot") == false)
    }

    @Test func architecturesDiffer() {
        #expect(names([]).contains("arch_prctl") && !names([], "arm64").contains("arch_prctl"))
        let filter = SeccompProfile.standard.resolve(capabilities: [], architecture: "amd64", kernel: (6, 1))
        #expect(filter.architectures == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"])
        #expect(filter.defaultAction == "SCMP_ACT_ERRNO")
        let clone3 = filter.syscalls?.first { $0.names == ["clone3"] }
        #expect(clone3?.action == "SCMP_ACT_ERRNO" && clone3?.errnoRet == 38)
        // A filter of namespaces' flags, which must not be lost.
        let clone = filter.syscalls?.first { $0.names == ["clone"] }
        #expect(clone?.args?.first?.value == 2_114_060_288)
    }

    @Test func ownProfiles() throws {
        let profile = try SeccompProfile(
            parsing: """
                {"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],
                 "syscalls":[{"names":["chmod"],"action":"SCMP_ACT_ERRNO","excludes":{"caps":["CAP_X"]}},
                             {"name":"old","action":"SCMP_ACT_KILL","includes":{"minKernel":"9.0"}}]}
                """)
        let filter = profile.resolve(capabilities: [], architecture: "amd64", kernel: (6, 1))
        #expect(filter.syscalls?.map(\.names) == [["chmod"]])
        for text in ["", "{}", #"{"defaultAction":1}"#, #"{"defaultAction":"x","syscalls":[{"names":["a"]}]}"#] {
            #expect(throws: EngineError.self) { try SeccompProfile(parsing: text) }
        }
    }
}

// The expected values are what dockerd 20.10 and 28.2 write into config.json for the same flags.
struct SpecificationTests {
    private func inputs(_ change: (inout ContainerRecord) -> Void = { _ in }) throws -> SpecificationInputs {
        var record = ContainerRecord()
        record.id = String(repeating: "ab", count: 32)
        record.config.cmd = ["sleep", "1000"]
        record.config.env = ["A=1"]
        record.hostConfig.networkMode = "none"
        record.hostConfig.ipcMode = "private"
        record.hostConfig.cgroupnsMode = "host"
        record.hostConfig.shmSize = 64 << 20
        record.hostConfig.maskedPaths = SpecificationInputs.maskedPaths
        record.hostConfig.readonlyPaths = SpecificationInputs.readonlyPaths
        change(&record)
        var host = HostFacts()
        host.architecture = "amd64"
        host.kernel = (6, 1)
        host.hasAppArmor = false
        var inputs = SpecificationInputs(
            record: record, host: host, configuration: EngineConfiguration(),
            security: try SecurityOptions(record.hostConfig.securityOpt ?? []))
        inputs.user.additionalGroupIDs = [0]
        inputs.hostname = "abababababab"
        return inputs
    }

    @Test func aPlainContainer() throws {
        let specification = try inputs().makeSpecification()
        let process = try #require(specification.process)
        #expect(process.args == ["sleep", "1000"])
        #expect(
            process.env == [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=abababababab", "A=1",
            ])
        #expect(process.cwd == "/" && process.oomScoreAdj == 0 && process.terminal == nil)
        #expect(process.capabilities?.bounding == Capabilities.standard)
        #expect(process.capabilities?.effective == Capabilities.standard)
        #expect(process.capabilities?.inheritable == nil)
        #expect(process.user.additionalGids == [0])
        #expect(specification.hostname == "abababababab")
        #expect(
            specification.mounts?.map(\.destination) == [
                "/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm",
            ])
        #expect(
            specification.mounts?.last?.options == ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"])
        let linux = try #require(specification.linux)
        #expect(linux.namespaces?.map(\.type) == ["mount", "network", "uts", "pid", "ipc"])
        #expect(
            linux.sysctl == [
                "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647",
            ])
        #expect(linux.cgroupsPath == "/dhow/" + String(repeating: "ab", count: 32))
        #expect(linux.resources?.devices?.count == 8)
        #expect(linux.resources?.devices?.first?.allow == false)
        #expect(linux.readonlyPaths == ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"])
        #expect(linux.maskedPaths?.contains("/proc/kcore") == true)
        #expect(linux.seccomp?.defaultAction == "SCMP_ACT_ERRNO")
    }

    @Test func manyFlags() throws {
        var inputs = try inputs { record in
            record.config.tty = true
            record.config.workingDir = "/tmp/w"
            record.config.domainname = "dd"
            record.hostConfig.capAdd = ["SYS_ADMIN"]
            record.hostConfig.capDrop = ["CAP_MKNOD"]
            record.hostConfig.securityOpt = ["no-new-privileges"]
            record.hostConfig.readonlyRootfs = true
            record.hostConfig.oomScoreAdj = 100
            record.hostConfig.`init` = true
            record.hostConfig.resources.nanoCpus = 1_500_000_000
            record.hostConfig.resources.memory = 64 << 20
            record.hostConfig.resources.memorySwap = 128 << 20
            record.hostConfig.resources.pidsLimit = 50
            record.hostConfig.resources.ulimits = [Ulimit(name: "nofile", soft: 100, hard: 200)]
            record.hostConfig.resources.deviceCgroupRules = ["c 42:* rm"]
            var tmpfs = ContainerMount()
            tmpfs.kind = .tmpfs
            tmpfs.destination = "/run"
            tmpfs.tmpfsOptions = ["size=1m", "exec"]
            var bind = ContainerMount()
            bind.source = "/srv"
            bind.destination = "/a/b"
            bind.isWritable = false
            bind.isReadOnlyNonRecursive = true
            record.mounts = [bind, tmpfs]
        }
        inputs.user = ProcessUser(userID: 1000, groupID: 2000, additionalGroupIDs: [2000, 77], home: "/home/app")
        let specification = try inputs.makeSpecification()
        let process = try #require(specification.process)
        #expect(process.args == ["/sbin/docker-init", "--", "sleep", "1000"])
        #expect(process.env?.contains("TERM=xterm") == true && process.env?.contains("HOME=/home/app") == true)
        #expect(process.capabilities?.bounding?.last == "CAP_SYS_ADMIN")
        #expect(process.capabilities?.bounding?.contains("CAP_MKNOD") == false)
        // Only root has them effective.
        #expect(process.capabilities?.effective == nil && process.capabilities?.permitted == nil)
        #expect(process.noNewPrivileges == true && process.terminal == true && process.cwd == "/tmp/w")
        #expect(process.rlimits == [POSIXRlimit(type: "RLIMIT_NOFILE", hard: 200, soft: 100)])
        #expect(specification.root?.readonly == true && specification.domainname == "dd")
        let mounts = try #require(specification.mounts)
        #expect(mounts.first { $0.destination == "/sbin/docker-init" }?.options == ["bind", "ro"])
        #expect(
            mounts.first { $0.destination == "/run" }?.options == ["nosuid", "nodev", "rprivate", "size=1m", "exec"])
        #expect(mounts.first { $0.destination == "/a/b" }?.options == ["rbind", "ro", "rprivate"])
        // The deeper mount comes later.
        #expect(mounts.last?.destination == "/a/b")
        let resources = try #require(specification.linux?.resources)
        #expect(resources.cpu?.quota == 150_000 && resources.cpu?.period == 100_000)
        #expect(resources.memory?.limit == 64 << 20 && resources.memory?.swap == 128 << 20)
        #expect(resources.pids?.limit == 50)
        #expect(
            resources.devices?.last == LinuxDeviceCgroup(allow: true, type: "c", major: 42, minor: nil, access: "rm"))
    }

    @Test func privilegedHidesNothing() throws {
        let specification = try inputs { record in
            record.hostConfig.privileged = true
            record.hostConfig.maskedPaths = nil
            record.hostConfig.readonlyPaths = nil
        }.makeSpecification()
        let linux = try #require(specification.linux)
        #expect(linux.maskedPaths == nil && linux.readonlyPaths == nil && linux.seccomp == nil)
        #expect(linux.resources?.devices == [LinuxDeviceCgroup(allow: true, access: "rwm")])
        #expect(linux.devices?.contains { $0.path == "/dev/null" } == true)
        #expect(specification.process?.capabilities?.bounding == Capabilities.available)
        #expect(specification.mounts?.first { $0.destination == "/sys" }?.options?.contains("ro") == false)
        #expect(specification.mounts?.first { $0.destination == "/sys/fs/cgroup" }?.options?.contains("ro") == false)
    }

    @Test func namespacesOfTheHostAndOfOthers() throws {
        let host = try inputs { record in
            record.hostConfig.networkMode = "host"
            record.hostConfig.pidMode = "host"
            record.hostConfig.ipcMode = "host"
            record.hostConfig.utsMode = "host"
        }.makeSpecification()
        #expect(host.linux?.namespaces?.map(\.type) == ["mount"])
        #expect(host.hostname == nil && host.linux?.sysctl == nil)
        var joining = try inputs { record in
            record.hostConfig.networkMode = "container:x"
            record.hostConfig.cgroupnsMode = "private"
        }
        joining.joined = ["net": 4711]
        let joined = try joining.makeSpecification()
        #expect(joined.linux?.namespaces?.first { $0.type == "network" }?.path == "/proc/4711/ns/net")
        #expect(joined.linux?.namespaces?.last?.type == "cgroup")
        #expect(joined.linux?.sysctl == nil)
    }

    @Test func modesOfSharedMemory() throws {
        let none = try inputs { $0.hostConfig.ipcMode = "none" }.makeSpecification()
        #expect(none.mounts?.contains { $0.destination == "/dev/shm" } == false)
        var shared = try inputs { $0.hostConfig.ipcMode = "shareable" }
        shared.shmDirectory = "/run/x/shm"
        let specification = try shared.makeSpecification()
        #expect(specification.mounts?.first { $0.destination == "/dev/shm" }?.source == "/run/x/shm")
    }

    @Test func systemdNamesTheCgroupItsWay() throws {
        var inputs = try inputs()
        inputs.cgroupDriver = "systemd"
        #expect(inputs.cgroupsPath == "system.slice:dhow:" + inputs.record.id)
        inputs.record.hostConfig.resources.cgroupParent = "my.slice"
        #expect(inputs.cgroupsPath == "my.slice:dhow:" + inputs.record.id)
        inputs.cgroupDriver = "cgroupfs"
        inputs.record.hostConfig.resources.cgroupParent = "mine"
        #expect(inputs.cgroupsPath == "/mine/" + inputs.record.id)
    }

    @Test func whatCannotBeIsRefused() {
        #expect(throws: EngineError.self) { try SecurityOptions(["nonsense"]) }
        #expect(throws: EngineError.self) { try SecurityOptions(["what=ever"]) }
        #expect(throws: EngineError.self) { try Capabilities.resolve(add: ["FLY"], drop: [], isPrivileged: false) }
        for rule in ["", "c 1:3", "x 1:3 r", "c 1 r", "c 1:x r", "c 1:3 rwmx", "c 1:3 q"] {
            #expect(throws: EngineError.self) { try SpecificationInputs.deviceRule(rule) }
        }
        #expect(throws: EngineError.self) {
            try inputs {
                $0.hostConfig.resources.devices = [
                    DeviceMapping(pathOnHost: "/dev/nothing", pathInContainer: "", cgroupPermissions: "")
                ]
            }.makeSpecification()
        }
        #expect(throws: EngineError.self) {
            try inputs {
                $0.hostConfig.resources.devices = [
                    DeviceMapping(pathOnHost: "/etc/passwd", pathInContainer: "", cgroupPermissions: "")
                ]
            }.makeSpecification()
        }
    }
}
