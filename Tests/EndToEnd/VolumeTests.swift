import Foundation
import Testing

/// Volumes, binds and tmpfs mounts.
@Suite struct VolumeTests {
    static let daemon = Result { try Daemon.shared() }
    let daemon: Daemon

    init() throws {
        daemon = try Self.daemon.get()
        try Images.load(into: daemon)
    }

    private func run(_ options: [String], _ command: String...) throws -> Output {
        try daemon.dhow(["run", "--rm", "--network", "none"] + options + [Images.busybox] + command)
    }

    @Test func aNamedVolumeIsFilledFromTheImageOnceAndKept() throws {
        defer { _ = try? daemon.dhow("volume", "rm", "-f", "kept") }
        let first = try run(
            ["-v", "kept:/data"], "sh", "-c", "cat /data/file; stat -c %u:%g /data/file; echo mine > /data/file")
        #expect(first.lines == ["from the image", "1000:50"], "\(first)")
        #expect(try run(["-v", "kept:/data"], "cat", "/data/file").text == "mine")
        #expect(try daemon.check("volume", "ls", "-q").lines.contains("kept"))
        #expect(try daemon.check("volume", "inspect", "-f", "{{.Driver}} {{.Scope}}", "kept").text == "local local")
        let empty = try run(["--mount", "type=volume,src=bare,dst=/data,volume-nocopy"], "ls", "/data")
        #expect(empty.text == "", "\(empty)")
        try daemon.check("volume", "rm", "bare")
    }

    @Test func aVolumeInUseIsNotRemoved() throws {
        defer {
            _ = try? daemon.dhow("rm", "-f", "user")
            _ = try? daemon.dhow("volume", "rm", "-f", "used")
        }
        try daemon.check("create", "--name", "user", "--network", "none", "-v", "used:/data", Images.busybox)
        let refused = try daemon.dhow("volume", "rm", "used")
        #expect(refused.status == 1 && refused.stderr.contains("volume is in use"), "\(refused)")
    }

    @Test func anonymousVolumesGoWithTheirContainer() throws {
        let before = try daemon.check("volume", "ls", "-q").lines
        #expect(try run(["-v", "/data"], "cat", "/data/file").text == "from the image")
        #expect(try daemon.check("volume", "ls", "-q").lines == before)
    }

    @Test func bindsReadOnlyAndReadWrite() throws {
        let scratch = try ScratchDirectory()
        try scratch.write("host\n", to: "file")
        #expect(
            try run(["-v", "\(scratch.path):/mnt:ro"], "sh", "-c", "cat /mnt/file; touch /mnt/x 2>&1").lines.last?
                .contains("Read-only") == true)
        try Shell.check([
            Programs.dhow, "-H", "unix://\(daemon.socket)", "run", "--rm", "--network", "none", "--mount",
            "type=bind,src=\(scratch.path),dst=/mnt", Images.busybox, "sh", "-c", "echo made > /mnt/made",
        ])
        #expect(try String(contentsOfFile: scratch.file("made"), encoding: .utf8) == "made\n")
        let missing = try run(["--mount", "type=bind,src=/no/such/path,dst=/mnt"], "true")
        #expect(missing.status == 125 && missing.stderr.contains("bind source path does not exist"), "\(missing)")
        #expect(try run(["-v", "\(scratch.path)/new:/mnt"], "true").status == 0)
        #expect(FileManager.default.fileExists(atPath: scratch.file("new")))
    }

    @Test func aLinkInTheImageDoesNotRedirectAMount() throws {
        // The target is a link to the host's /etc as seen from outside; it must resolve inside the container.
        let scratch = try ScratchDirectory()
        try Images.archive(
            at: scratch.file("link.tar"),
            layers:
                #"[[("bin/sh", "file", open("/bin/busybox","rb").read()), ("escape", "symlink", "/../../../../tmp/elsewhere")]]"#,
            name: "link:test")
        try daemon.check("load", "-i", scratch.file("link.tar"))
        defer { _ = try? daemon.dhow("rmi", "-f", "link:test") }
        let output = try daemon.dhow(
            "run", "--rm", "--network", "none", "--tmpfs", "/escape", "link:test", "/bin/sh", "-c",
            "echo in > /tmp/elsewhere/file; cat /proc/self/mounts")
        #expect(output.status == 0 && output.stdout.contains("/tmp/elsewhere"), "\(output)")
        #expect(!FileManager.default.fileExists(atPath: "/tmp/elsewhere"))
    }

    @Test func filesAreCopiedIntoAndOutOfVolumesOfStoppedContainers() throws {
        let scratch = try ScratchDirectory()
        try scratch.write("copied\n", to: "file")
        try Shell.sh("mkdir \(scratch.file("bind")); echo bound > \(scratch.file("bind/inner"))")
        try daemon.check(
            "create", "--name", "parked", "--network", "none", "-v", "/anonymous", "-v", "parked:/named", "-v",
            "\(scratch.file("bind")):/bound:ro", Images.busybox, "sh", "-c",
            "cat /anonymous/file /named/file; echo written > /named/out")
        defer {
            _ = try? daemon.dhow("rm", "-fv", "parked")
            _ = try? daemon.dhow("volume", "rm", "parked")
        }
        let mounts = try Shell.sh("wc -l < /proc/self/mountinfo").text
        // The places exist before the first start, and lead to the volumes.
        try daemon.check("cp", scratch.file("file"), "parked:/anonymous")
        try daemon.check("cp", scratch.file("file"), "parked:/named/")
        #expect(
            try Shell.sh("\(Programs.dhow) -H unix://\(daemon.socket) cp parked:/bound/inner - | tar -xO").text
                == "bound")
        let refused = try daemon.dhow("cp", scratch.file("file"), "parked:/bound/")
        #expect(refused.status == 1 && refused.stderr.contains("read-only"), "\(refused)")
        #expect(try daemon.check("start", "-a", "parked").stdout == "copied\ncopied\n")
        try daemon.check("cp", "parked:/named/out", scratch.file("out"))
        #expect(try String(contentsOfFile: scratch.file("out"), encoding: .utf8) == "written\n")
        let missing = try daemon.dhow("cp", "parked:/nowhere", scratch.file("none"))
        #expect(missing.status == 1 && missing.stderr.contains("/nowhere"), "\(missing)")
        #expect(try Shell.sh("wc -l < /proc/self/mountinfo").text == mounts)
    }

    @Test func pruneRemovesWhatNobodyUses() throws {
        try daemon.check("volume", "create", "--label", "prune=me", "unused")
        let output = try daemon.check("volume", "prune", "-af", "--filter", "label=prune=me")
        #expect(output.stdout.contains("unused"), "\(output)")
    }
}
