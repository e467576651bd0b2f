import ContainerRuntime
import JSON
import Kernel
import OCI
import Testing

/// What a container may not reach, and what it is given in place of the host's; needs root, busybox and the built
/// `dhow-runtime`.
@Suite(.enabled(if: Programs.canRun)) struct IsolationTests {
    private func output(_ script: String, _ change: (inout RuntimeSpec) -> Void = { _ in }) throws -> String {
        let bundle = try Bundle(script, change)
        let result = try bundle.run()
        #expect(result.status == 0, "\(result.errors)")
        #expect(try bundle.remains() == [])
        return result.output
    }

    @Test func linksInTheImageDoNotLeadMountsOut() throws {
        let outside = try TemporaryDirectory()
        let bundle = try Bundle("cat /mnt/deep/file") {
            $0.mounts?.append(
                OCI.Mount(destination: "/mnt/deep/file", type: "bind", source: "/etc/hostname", options: ["bind"]))
        }
        let here = FileDescriptor.currentDirectory
        try here.removeDirectory(bundle.path + "/rootfs/mnt")
        try here.makeSymbolicLink(bundle.path + "/rootfs/mnt", to: "../../../../../../../.." + outside.path)
        #expect(try bundle.run().status == 0)
        #expect(try outside.names() == [])
        // It was taken as a path inside the root.
        #expect(here.exists("\(bundle.path)/rootfs\(outside.path)/deep/file"))
    }

    @Test func aLinkInPlaceOfProcIsRefused() throws {
        let bundle = try Bundle("true")
        let here = FileDescriptor.currentDirectory
        try here.removeDirectory(bundle.path + "/rootfs/proc")
        try here.makeSymbolicLink(bundle.path + "/rootfs/proc", to: "/tmp")
        #expect(try bundle.run().errors.contains("must be mounted on ordinary directory"))
    }

    @Test(arguments: 3...9) func theWorkingDirectoryCannotBeADescriptorOfTheHost(_ number: Int) throws {
        let bundle = try Bundle("cat ../../../../etc/hostname") { $0.process?.cwd = "/proc/self/fd/\(number)" }
        let result = try bundle.run()
        #expect(result.status == 1)
        #expect(
            result.errors.contains("working directory") || result.errors.contains("chdir to cwd"), "\(result.errors)")
    }

    @Test func theProgramItselfCannotBeOverwritten() throws {
        let bundle = try Bundle("sleep 1000")
        var configuration = Subprocess.Configuration(
            Programs.runtime ?? "", arguments: ["dhow-runtime", "--root", bundle.state, "run", bundle.id])
        configuration.workingDirectory = bundle.path
        let child = try Subprocess.spawn(configuration)
        for _ in 0..<200 where try bundle.status() != "running" { sleepThread(milliseconds: 20) }
        let error = #expect(throws: KernelError.self) {
            try FileDescriptor.currentDirectory.changeMode(of: "/proc/\(child.processID)/exe", to: 0o777)
        }
        #expect(error?.code == .readOnly)
        try bundle.runtime("kill", bundle.id, "KILL")
        #expect(try child.wait().code == 137)
    }

    @Test func hasTheSpecifiedCapabilitiesOnly() throws {
        let text = try output("grep -E 'Cap|NoNewPrivs|Groups' /proc/self/status") {
            $0.process?.user = User(uid: 1000, gid: 1001, additionalGids: [7])
            $0.process?.capabilities = LinuxCapabilities(
                bounding: ["CAP_KILL", "CAP_CHOWN"], effective: ["CAP_KILL"], inheritable: ["CAP_KILL"],
                permitted: ["CAP_KILL"], ambient: ["CAP_KILL"])
        }
        let kill = "0000000000000020"
        #expect(
            text.split(separator: "\n").map { $0.split(separator: "\t").last.map(String.init) ?? "" }
                == ["7 ", kill, kill, kill, "0000000000000021", kill, "1"])
    }

    @Test func hidesWhatIsMaskedAndProtectsWhatIsReadOnly() throws {
        let text = try output(
            "cat /proc/timer_list | grep -c . ; ls /sys/firmware; echo 1 > /proc/sys/vm/swappiness || echo refused")
        #expect(text == "0\nrefused\n")
    }

    @Test func makesTreesReadOnlyRecursively() throws {
        let text = try output("touch /data/a || echo top; touch /data/sub/b || echo below") {
            $0.mounts? += [
                OCI.Mount(destination: "/base", type: "tmpfs", source: "tmpfs"),
                OCI.Mount(destination: "/data", type: "bind", source: "/dev", options: ["rbind", "rro"]),
            ]
        }
        #expect(text == "top\nbelow\n")
    }

    @Test func mapsIdentifiersOfAMount() throws {
        let outside = try TemporaryDirectory()
        try outside.write("file", "x")
        for path in [outside.path, outside.path + "/file"] {
            try FileDescriptor.currentDirectory.changeOwner(of: path, userID: 1000, groupID: 1000)
        }
        let text = try output("stat -c '%u %g' /data/file; touch /data/new") {
            var mount = OCI.Mount(
                destination: "/data", type: "bind", source: outside.path, options: ["bind", "idmap"])
            // On disk 1000 is what is 0 in the mount.
            mount.uidMappings = [LinuxIDMapping(containerID: 1000, hostID: 0, size: 1)]
            mount.gidMappings = mount.uidMappings
            $0.mounts?.append(mount)
        }
        #expect(text == "0 0\n")
        #expect(try FileDescriptor.currentDirectory.status(of: outside.path + "/new").userID == 1000)
    }

    @Test func livesInAUserNamespace() throws {
        let bundle = try Bundle("id -u; cat /proc/self/uid_map; touch /tmp/mine; echo x > /dev/null && echo null") {
            $0.linux?.namespaces?.append(LinuxNamespace(type: "user"))
            $0.linux?.uidMappings = [LinuxIDMapping(containerID: 0, hostID: 100_000, size: 1000)]
            $0.linux?.gidMappings = [LinuxIDMapping(containerID: 0, hostID: 100_000, size: 1000)]
        }
        // The root of the namespace is nobody outside, so everything on the way must be open to all.
        let here = FileDescriptor.currentDirectory
        for path in ["", "/rootfs"] { try here.changeMode(of: bundle.path + path, to: 0o755) }
        for name in ["", "/dev", "/tmp"] {
            try here.changeOwner(of: "\(bundle.path)/rootfs\(name)", userID: 100_000, groupID: 100_000)
        }
        let result = try bundle.run()
        #expect(result.status == 0, "\(result.errors)")
        #expect(
            result.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
                == ["0", "0 100000 1000", "null"])
        #expect(try here.status(of: bundle.path + "/rootfs/tmp/mine").userID == 100_000)
        #expect(try bundle.remains() == [])
    }

    @Test func setsClocksApart() throws {
        let text = try output("cat /proc/uptime /proc/self/timens_offsets") {
            $0.linux?.namespaces?.append(LinuxNamespace(type: "time"))
            $0.linux?.timeOffsets = ["boottime": LinuxTimeOffset(secs: 1_000_000_000, nanosecs: 0)]
        }
        #expect((text.split(separator: ".").first.flatMap { Int($0) } ?? 0) > 1_000_000_000)
        #expect(text.contains("boottime"))
    }

    @Test func sharesNamespacesByPath() throws {
        let first = try Bundle("sleep 1000")
        let null = try FileDescriptor.open("/dev/null", .readWrite)
        try #require(
            try first.runtime("run", "-d", "--pid-file", "pid", first.id, descriptors: [0: null, 1: null, 2: null])
                .status == 0)
        let pid = try first.directory.text("pid")
        let second = try Bundle("for i in net ipc uts; do readlink /proc/self/ns/$i; done; ls -d /proc/[0-9]*") {
            $0.linux?.namespaces?.removeAll { ["network", "ipc", "uts", "pid"].contains($0.type) }
            for (type, name) in [("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("pid", "pid")] {
                $0.linux?.namespaces?.append(LinuxNamespace(type: type, path: "/proc/\(pid)/ns/\(name)"))
            }
            $0.hostname = nil
        }
        let result = try second.run()
        #expect(result.status == 0, "\(result.errors)")
        for name in ["net", "ipc", "uts"] {
            let link = try FileDescriptor.currentDirectory.readLinkText("/proc/\(pid)/ns/\(name)")
            #expect(result.output.contains(link))
        }
        // The sleeping shell of the first is seen too.
        #expect(result.output.contains("/proc/1\n"))
        try first.runtime("delete", "-f", first.id)
        #expect(try first.remains() == [])
    }

    @Test func filtersSystemCalls() throws {
        let text = try output("mkdir /tmp/x 2>&1; true") {
            var profile = LinuxSeccomp()
            profile.defaultAction = "SCMP_ACT_ALLOW"
            profile.syscalls = [LinuxSyscall(names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28)]
            $0.linux?.seccomp = profile
        }
        #expect(text.contains("No space left on device"))
    }

    @Test func handsNotificationsToTheSupervisor() throws {
        let bundle = try Bundle("mkdir /tmp/x 2>&1; true")
        let path = bundle.path + "/listener"
        let listener = try Socket.listen(at: path)
        var profile = LinuxSeccomp()
        profile.defaultAction = "SCMP_ACT_ALLOW"
        profile.listenerPath = path
        profile.listenerMetadata = "meta"
        profile.syscalls = [LinuxSyscall(names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY")]
        bundle.specification.linux?.seccomp = profile
        try bundle.save()
        var configuration = Subprocess.Configuration(
            Programs.runtime ?? "", arguments: ["dhow-runtime", "--root", bundle.state, "run", bundle.id])
        configuration.workingDirectory = bundle.path
        let child = try Subprocess.spawn(configuration)
        do {
            let connection = try #require(try listener.accept())
            let message = try connection.receive(count: 65_536, maximumDescriptors: 1)
            let state = try ContainerProcessState(parsing: message.bytes)
            #expect(state.metadata == "meta" && state.fds == ["seccompFd"] && state.state.id == bundle.id)
            #expect(message.descriptors.count == 1)
            // Without a supervisor the call fails, and the program goes on.
        }
        #expect(try child.wait().code == 0)
    }

    @Test func copiesUpIntoATmpfs() throws {
        let text = try output("cat /etc/passwd; echo more >> /etc/passwd") {
            $0.mounts?.append(OCI.Mount(destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]))
        }
        #expect(text.hasPrefix("root:x:0:0"))
    }

    @Test func setsWhatTheKernelKeepsOfAProcess() throws {
        let text = try output(
            "cat /proc/self/personality /proc/self/oom_score_adj; grep 'open files' /proc/self/limits; id -g; umask"
        ) {
            $0.linux?.personality = {
                var personality = LinuxPersonality()
                personality.domain = "LINUX32"
                return personality
            }()
            $0.process?.oomScoreAdj = 77
            $0.process?.rlimits = [POSIXRlimit(type: "RLIMIT_NOFILE", hard: 99, soft: 88)]
            $0.process?.user.umask = 0o027
        }
        #expect(text.contains("00000008\n77\n"))
        #expect(text.contains("88                   99"))
        #expect(text.hasSuffix("0027\n"))
    }
}
