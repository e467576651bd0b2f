import ContainerRuntime
import JSON
import Kernel
import OCI
import Testing

/// The command line on the real kernel; needs root, busybox and the built `dhow-runtime`.
@Suite(.enabled(if: Programs.canRun)) struct RuntimeProgramTests {
    @Test func passesOnHowTheProgramEnds() throws {
        let bundle = try Bundle("exit 37")
        #expect(try bundle.run().status == 37)
        bundle.specification.process?.args = ["/bin/sh", "-c", "kill -9 $$"]
        // The first process of a pid namespace gets no signals from inside: a child has to show it.
        bundle.specification.linux?.namespaces?.removeAll { $0.type == "pid" }
        bundle.specification.mounts?.removeAll { $0.destination == "/proc" }
        bundle.specification.linux?.maskedPaths = []
        bundle.specification.linux?.readonlyPaths = []
        try bundle.save()
        #expect(try bundle.run().status == 137)
        #expect(try bundle.remains() == [])
    }

    @Test func livesThroughItsStates() throws {
        let bundle = try Bundle("sleep 1000")
        try #require(try bundle.runtime("create", "--pid-file", "pid", bundle.id).status == 0)
        #expect(try bundle.status() == "created")
        let pid = try #require(Int32(try bundle.directory.text("pid")))
        // What is held before the program is ours, and cannot be looked into.
        #expect(try ProcessFiles.arguments(of: pid).first == "dhow-runtime")
        #expect(try bundle.runtime("start", bundle.id).status == 0)
        #expect(try bundle.status() == "running")
        #expect(try bundle.runtime("list", "-f", "json").output.contains(#""owner":"root""#))
        #expect(try JSONValue(parsing: bundle.runtime("state", bundle.id).output)["owner"] == "")
        #expect(try ProcessFiles.arguments(of: pid).contains("dhow-runtime") == false)
        #expect(try bundle.runtime("start", bundle.id).status == 1)
        #expect(try bundle.runtime("pause", bundle.id).status == 0)
        #expect(try bundle.status() == "paused")
        #expect(try bundle.runtime("exec", bundle.id, "true").errors.contains("paused container"))
        #expect(try bundle.runtime("resume", bundle.id).status == 0)
        #expect(try bundle.runtime("delete", bundle.id).status == 1)
        #expect(try bundle.runtime("kill", bundle.id, "KILL").status == 0)
        for _ in 0..<100 where try bundle.status() != "stopped" { sleepThread(milliseconds: 20) }
        #expect(try bundle.status() == "stopped")
        #expect(try bundle.runtime("delete", bundle.id).status == 0)
        #expect(try bundle.runtime("state", bundle.id).errors.contains("container does not exist"))
        #expect(try bundle.remains() == [])
    }

    @Test(
        arguments: [
            Flaw("executable file not found in $PATH", { $0.process?.args = ["nosuch"] }),
            Flaw("stat /nosuch: no such file or directory", { $0.process?.args = ["/nosuch"] }),
            Flaw("permission denied", { $0.process?.args = ["/etc/passwd"] }),
            Flaw("is a directory", { $0.process?.args = ["/etc"] }),
            Flaw(
                "/nonexistent",
                {
                    $0.mounts?.append(
                        OCI.Mount(destination: "/x", type: "bind", source: "/nonexistent", options: ["bind"]))
                }
            ),
            Flaw("nosuchfs", { $0.mounts?.append(OCI.Mount(destination: "/x", type: "nosuchfs", source: "none")) }),
            Flaw(
                "inside /proc",
                {
                    $0.mounts?.append(
                        OCI.Mount(destination: "/proc/1", type: "bind", source: "/tmp", options: ["bind"]))
                }
            ),
            Flaw("sysctl net.nosuch", { $0.linux?.sysctl = ["net.nosuch": "1"] }),
            Flaw(
                "prestart hook #0: exit status 3, stdout: , stderr: boo",
                {
                    var hooks = Hooks()
                    hooks.prestart = [Hook(path: "/bin/sh", args: ["sh", "-c", "echo boo >&2; exit 3"])]
                    $0.hooks = hooks
                }
            ),
            Flaw(
                "specified timeout of 1s",
                {
                    var hooks = Hooks()
                    hooks.createContainer = [Hook(path: "/bin/sleep", args: ["sleep", "60"], timeout: 1)]
                    $0.hooks = hooks
                }
            ),
            Flaw("process property must not be empty", { $0.process = nil }),
            Flaw(
                "is not a network namespace",
                {
                    $0.linux?.namespaces?.removeAll { $0.type == "network" }
                    $0.linux?.namespaces?.append(LinuxNamespace(type: "network", path: "/proc/self/ns/mnt"))
                }
            ),
            Flaw("not between -1000 and 1000", { $0.process?.oomScoreAdj = 2000 }),
        ] as [Flaw<RuntimeSpec>])
    func leavesNothingWhenItFails(_ flaw: Flaw<RuntimeSpec>) throws {
        let bundle = try Bundle("true") { flaw.change(&$0) }
        let result = try bundle.run()
        #expect(result.status == 1)
        #expect(result.errors.contains(flaw.reason), "\(result.errors)")
        #expect(try bundle.remains() == [])
        #expect(try bundle.runtime("create", bundle.id).status == 1)
        #expect(try bundle.remains() == [])
    }

    @Test(arguments: ["", "[]", "{", #"{"ociVersion":"1.0.0"}"#, #"{"ociVersion":"1.0.0","process":{"args":3}}"#])
    func refusesBrokenBundles(_ text: String) throws {
        let bundle = try Bundle("true")
        try bundle.directory.write("config.json", text)
        let result = try bundle.run()
        #expect(result.status == 1)
        #expect(result.errors.contains("run failed: "))
        #expect(try bundle.remains() == [])
    }

    @Test func executesFurtherProcesses() throws {
        let bundle = try Bundle("sleep 1000")
        // The descriptors of a detached container are ours.
        let null = try FileDescriptor.open("/dev/null", .readWrite)
        try #require(try bundle.runtime("run", "-d", bundle.id, descriptors: [0: null, 1: null, 2: null]).status == 0)
        var result = try bundle.runtime(
            "exec", "-u", "7:8", "-g", "9", "-e", "A=b", "--cwd", "/tmp", bundle.id, "/bin/sh", "-c",
            "id; echo $A; echo $PWD; cat /proc/self/cgroup; exit 9")
        #expect(result.status == 9)
        #expect(result.output.hasPrefix("uid=7 gid=8 groups=9\nb\n/tmp\n"))
        result = try bundle.runtime("exec", bundle.id, "nosuch")
        #expect(result.status == 255)
        #expect(result.errors.contains("executable file not found in $PATH"))
        result = try bundle.runtime("update", "--pids-limit", "55", bundle.id)
        #expect(result.status == 0, "\(result.errors)")
        #expect(try bundle.runtime("ps", "--format", "json", bundle.id).output.contains("["))
        #expect(try bundle.runtime("delete", "-f", bundle.id).status == 0)
        #expect(try bundle.remains() == [])
    }

    @Test func runsHooksInOrderWithTheState() throws {
        let bundle = try Bundle("true")
        func hook(_ name: String) -> Hook {
            Hook(path: "/bin/sh", args: ["sh", "-c", "echo \(name) $(cat) >> \(bundle.path)/hooks"])
        }
        var hooks = Hooks()
        hooks.prestart = [hook("prestart")]
        hooks.createRuntime = [hook("createRuntime")]
        hooks.createContainer = [hook("createContainer")]
        hooks.poststart = [hook("poststart")]
        hooks.poststop = [hook("poststop")]
        bundle.specification.hooks = hooks
        try bundle.save()
        #expect(try bundle.run().status == 0)
        let lines = try bundle.directory.lines("hooks").map { $0.split(separator: " ", maxSplits: 1) }
        #expect(
            lines.map { String($0[0]) } == ["prestart", "createRuntime", "createContainer", "poststart", "poststop"])
        let states = try lines.map { try RuntimeState(parsing: String($0[1])) }
        #expect(states.allSatisfy { $0.id == bundle.id && $0.bundle == bundle.path })
        #expect(states.map(\.status) == ["creating", "creating", "creating", "running", "stopped"])
    }

    @Test func handsTheTerminalToTheConsoleSocket() throws {
        let bundle = try Bundle("tty; exit 0") { $0.process?.terminal = true }
        let listener = try Socket.listen(at: bundle.path + "/console")
        #expect(try bundle.runtime("create", bundle.id).errors.contains("console socket"))
        let result = try bundle.runtime("create", "--console-socket", bundle.path + "/console", bundle.id)
        try #require(result.status == 0, "\(result.errors)")
        let connection = try #require(try listener.accept())
        let master = try #require(try connection.receive(count: 100, maximumDescriptors: 1).descriptors.first)
        #expect(master.isTerminal)
        #expect(try bundle.runtime("start", bundle.id).status == 0)
        var shown = ""
        while let bytes = try? master.read(count: 100), !bytes.isEmpty {
            shown += String(decoding: bytes, as: UTF8.self)
        }
        #expect(shown == "/dev/console\r\n" || shown == "/dev/pts/0\r\n")
    }

    @Test func passesDescriptorsOnOnlyWhenAsked() throws {
        let bundle = try Bundle("ls /proc/self/fd; cat <&3")
        let file = try FileDescriptor.makeMemoryFile("three")
        try file.writeAll("content")
        _ = try file.seek(to: 0)
        let result = try bundle.runtime("run", "--preserve-fds", "1", bundle.id, descriptors: [3: file, 4: file])
        // 4 is what ls has open itself.
        #expect(result.output == "0\n1\n2\n3\n4\ncontent")
        let without = try bundle.runtime("run", bundle.id, descriptors: [3: file])
        #expect(without.output.hasPrefix("0\n1\n2\n3\n") && !without.output.contains("content"))
        #expect(try bundle.runtime("run", "--preserve-fds", "9", bundle.id).errors.contains("preserved-fd"))
    }

    @Test func writesATemplateThatRuns() throws {
        let bundle = try Bundle("true")
        try FileDescriptor.currentDirectory.unlink(bundle.path + "/config.json")
        #expect(try bundle.runtime("spec").status == 0)
        #expect(try bundle.runtime("spec").errors.contains("Remove it first"))
        let written = try RuntimeSpec(parsing: try bundle.directory.text("config.json"))
        #expect(written == .template)
    }

    @Test func tellsWhatItCanDo() throws {
        let bundle = try Bundle("true")
        let features = try RuntimeFeatures(parsing: try bundle.runtime("features").output)
        #expect(features.linux?.namespaces?.contains("time") == true)
        #expect(features.mountOptions?.contains("ridmap") == true)
        #expect(try bundle.runtime("--version").output.hasPrefix("dhow-runtime version "))
    }

    @Test func saysWhatIsWrongWithACommand() throws {
        let bundle = try Bundle("true")
        #expect(try bundle.runtime("create", "a/b").errors.contains("invalid container ID format"))
        #expect(try bundle.runtime("create", "..").errors.contains("invalid container ID format"))
        #expect(try bundle.runtime("kill", "none").errors.contains("container does not exist"))
        #expect(try bundle.runtime("delete", "--force", "none").status == 0)
        #expect(try bundle.runtime("frobnicate").status == 1)
        #expect(try bundle.runtime("--log-format", "xml", "list").errors.contains("invalid log-format"))
        _ = try bundle.runtime("--log", bundle.path + "/log", "--log-format", "json", "state", "none")
        let entry = try JSONValue(parsing: Array(try bundle.directory.text("log").utf8))
        #expect(entry["level"]?.string == "error" && entry["msg"]?.string == "container does not exist")
    }
}
