import Foundation
import JSON
import Testing

/// A container from its creation to its removal, and everything one can do to it in between.
@Suite struct LifecycleTests {
    static let daemon = Result { try Daemon.shared() }
    let daemon: Daemon

    init() throws {
        daemon = try Self.daemon.get()
        try Images.load(into: daemon)
    }

    private func start(_ name: String, _ options: [String] = [], _ command: String...) throws {
        try Shell.check(
            [Programs.dhow, "-H", "unix://\(daemon.socket)", "run", "-d", "--name", name, "--network", "none"] + options
                + [Images.busybox] + command)
    }

    private func remove(_ name: String) { _ = try? daemon.dhow("rm", "-f", name) }

    @Test func createStartStopRestartRemove() throws {
        defer { remove("life") }
        let id = try daemon.check(
            "create", "--name", "life", "--network", "none", Images.busybox, "sh", "-c",
            "trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done"
        ).text
        #expect(id.count == 64)
        #expect(try daemon.inspect("life")["State"]?["Status"] == "created")
        #expect(try daemon.check("start", "life").text == "life")
        #expect(try eventually { try daemon.check("logs", "life").text == "up" })
        #expect(try daemon.check("stop", "life").text == "life")
        let state = try daemon.inspect("life")["State"]
        #expect(state?["Status"] == "exited" && state?["ExitCode"] == 7)
        try daemon.check("restart", "-t", "1", "life")
        #expect(try daemon.inspect("life")["State"]?["Running"] == true)
        let busy = try daemon.dhow("rm", "life")
        #expect(busy.status == 1 && busy.stderr.contains("force"), "\(busy)")
        try daemon.check("rm", "-f", "life")
        #expect(try daemon.dhow("inspect", "life").status == 1)
    }

    @Test func killPauseUnpauseRenameWait() throws {
        defer { remove("kpu") }
        try start("kpu", [], "sleep", "1000")
        try daemon.check("pause", "kpu")
        #expect(try daemon.inspect("kpu")["State"]?["Status"] == "paused")
        #expect(try daemon.check("ps", "--filter", "name=kpu", "--format", "{{.Status}}").text.contains("(Paused)"))
        try daemon.check("unpause", "kpu")
        try daemon.check("rename", "kpu", "kpu2")
        defer { remove("kpu2") }
        let waiter = try Child([Programs.dhow, "-H", "unix://\(daemon.socket)", "wait", "kpu2"])
        usleep(200_000)
        try daemon.check("kill", "-s", "TERM", "kpu2")
        try daemon.check("kill", "kpu2")
        #expect(try waiter.wait().text == "137")
    }

    @Test func logsFollowSinceTailAndTimestamps() throws {
        defer { remove("logs") }
        try start("logs", [], "sh", "-c", "for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done; echo last >&2")
        let follow = try Child([Programs.dhow, "-H", "unix://\(daemon.socket)", "logs", "-f", "logs"])
        let output = try follow.wait()
        #expect(output.lines == (1...5).map { "line \($0)" })
        #expect(output.stderr == "last\n")
        #expect(try daemon.check("logs", "--tail", "2", "logs").stdout == "line 5\n")
        let stamped = try daemon.check("logs", "-t", "logs").lines
        #expect(stamped.count == 5)
        let third = stamped[2].components(separatedBy: " ")
        #expect(third[0].hasSuffix("Z") && third[0].contains("T"), "\(third)")
        let since = try daemon.check("logs", "--since", third[0], "logs").lines
        #expect(since == ["line 3", "line 4", "line 5"])
    }

    @Test func execRunsBesideTheCommand() throws {
        defer { remove("exec") }
        try start("exec", ["-e", "A=1"], "sleep", "1000")
        let output = try daemon.dhow(
            "exec", "-e", "B=2", "-w", "/tmp", "-u", "1000:50", "exec", "sh", "-c",
            "echo $A$B $(pwd) $(id -u):$(id -g); cat /proc/1/comm; exit 9")
        #expect(output.status == 9)
        #expect(output.lines == ["12 /tmp 1000:50", "sleep"], "\(output)")
        #expect(try daemon.dhow("exec", "exec", "/no/such").status == 127)
        #expect(try daemon.dhow("exec", "exec", "/bin/plain").status == 126)
        #expect(try daemon.dhow("exec", "-i", "exec", "cat", input: "hello").stdout == "hello")
        let elsewhere = try daemon.dhow("exec", "-w", "/not/there", "exec", "pwd")
        // As with Docker, the reason comes in the program's place: on its standard output.
        #expect(
            elsewhere.status == 126
                && elsewhere.text == "OCI runtime exec failed: exec failed: unable to start container process: "
                    + "chdir to cwd (\"/not/there\") set in config.json failed: no such file or directory",
            "\(elsewhere)")
        #expect(try daemon.dhow("exec", "exec", "test", "-e", "/not").status == 1)
        try daemon.check("exec", "-d", "exec", "touch", "/tmp/detached")
        #expect(try eventually { try daemon.dhow("exec", "exec", "test", "-e", "/tmp/detached").status == 0 })
        try daemon.check("stop", "-t", "0", "exec")
        let stopped = try daemon.dhow("exec", "exec", "true")
        #expect(stopped.status == 1 && stopped.stderr.contains("is not running"), "\(stopped)")
    }

    @Test func attachSendsAndReceives() throws {
        defer { remove("attach") }
        try Shell.check([
            Programs.dhow, "-H", "unix://\(daemon.socket)", "create", "-i", "--name", "attach", "--network", "none",
            Images.busybox, "sh", "-c", "cat; exit 4",
        ])
        let output = try daemon.dhow("start", "-ai", "attach", input: "through\n")
        #expect(output.stdout == "through\n")
        #expect(output.status == 4, "\(output)")
    }

    @Test func whatRemovesItselfIsNotWrittenOut() throws {
        try daemon.check("run", "-d", "--rm", "--name", "brief", "--network", "none", Images.busybox, "sleep", "1000")
        try daemon.check("run", "-d", "--name", "lasting", "--network", "none", Images.busybox, "sleep", "1000")
        func root(_ name: String) throws -> String? {
            try daemon.check("exec", name, "cat", "/proc/mounts").lines.first { $0.contains(" / ") }
        }
        #expect(try root("brief")?.contains("volatile") == true)
        #expect(try root("lasting")?.contains("volatile") == false)
        // Started again, which mounts it again, it has its files.
        try daemon.check("exec", "brief", "touch", "/kept")
        try daemon.check("restart", "-t", "0", "brief")
        try daemon.check("exec", "brief", "ls", "/kept")
        try daemon.check("restart", "-t", "0", "brief")
        try daemon.check("exec", "brief", "ls", "/kept")
        try daemon.check("stop", "-t", "0", "brief")
        #expect(try eventually { try daemon.dhow("inspect", "brief").status != 0 })
        try daemon.check("rm", "-f", "lasting")
    }

    @Test func restartPolicies() throws {
        defer {
            remove("always")
            remove("onfail")
        }
        try start("always", ["--restart", "always"], "sh", "-c", "echo started; sleep 0.2")
        #expect(try eventually(15) { try daemon.check("logs", "always").lines.count >= 3 })
        try daemon.check("stop", "-t", "0", "always")
        try start("onfail", ["--restart", "on-failure:2"], "sh", "-c", "echo started; exit 1")
        #expect(
            try eventually(15) {
                let state = try daemon.inspect("onfail")
                return state["State"]?["Status"] == "exited" && state["RestartCount"] == 2
            })
        #expect(try daemon.check("logs", "onfail").lines.count == 3)
    }

    @Test func healthChecks() throws {
        defer { remove("health") }
        try start(
            "health",
            [
                "--health-cmd", "test -e /tmp/ok", "--health-interval", "300ms", "--health-retries", "2",
                "--health-timeout", "2s",
            ], "sleep", "1000")
        #expect(try eventually { try daemon.inspect("health")["State"]?["Health"]?["Status"] == "unhealthy" })
        try daemon.check("exec", "health", "touch", "/tmp/ok")
        #expect(try eventually { try daemon.inspect("health")["State"]?["Health"]?["Status"] == "healthy" })
        #expect(try daemon.check("ps", "--filter", "health=healthy", "--format", "{{.Names}}").text == "health")
    }

    @Test func listFiltersAndFormats() throws {
        defer {
            remove("list1")
            remove("list2")
        }
        try start("list1", ["--label", "group=listing", "--label", "n=1"], "sleep", "1000")
        try start("list2", ["--label", "group=listing", "--label", "n=2"], "true")
        #expect(try eventually { try daemon.inspect("list2")["State"]?["Status"] == "exited" })
        #expect(try daemon.check("ps", "--filter", "label=group=listing", "--format", "{{.Names}}").lines == ["list1"])
        #expect(
            try daemon.check("ps", "-a", "--filter", "label=group=listing", "--format", "{{.Names}} {{.Label \"n\"}}")
                .lines == ["list2 2", "list1 1"])
        #expect(
            try daemon.check(
                "ps", "-a", "--filter", "label=group=listing", "--filter", "exited=0", "--format", "{{.Names}}"
            ).lines == ["list2"])
        #expect(try daemon.check("ps", "-aq", "--no-trunc", "--filter", "name=list1").text.count == 64)
        let header = try daemon.check("ps", "-a").lines.first ?? ""
        #expect(header.hasPrefix("CONTAINER ID   IMAGE"), "\(header)")
    }

    @Test func topStatsAndUpdate() throws {
        defer { remove("stats") }
        try start("stats", ["--memory", "64m", "--pids-limit", "50"], "sh", "-c", "sleep 1000 & wait")
        let top = try daemon.check("top", "stats").lines
        #expect(top.first?.contains("PID") == true && top.count == 3, "\(top)")
        let stats = try daemon.check("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}} {{.PIDs}}", "stats")
            .text
        #expect(stats.hasPrefix("stats ") && stats.contains("64MiB") && stats.hasSuffix(" 2"), "\(stats)")
        try daemon.check("update", "--memory", "96m", "--memory-swap", "96m", "stats")
        #expect(try daemon.check("stats", "--no-stream", "--format", "{{.MemUsage}}", "stats").text.contains("96MiB"))
    }

    @Test func diffCopyExportAndCommit() throws {
        defer {
            remove("files")
            _ = try? daemon.dhow("rmi", "-f", "committed:1")
        }
        try start("files", [], "sh", "-c", "echo new > /tmp/new; rm /data/file; sleep 1000")
        #expect(try eventually { try daemon.check("diff", "files").lines.contains("D /data/file") })
        #expect(try daemon.check("diff", "files").lines.contains("A /tmp/new"))
        let scratch = try ScratchDirectory()
        try scratch.write("from the host\n", to: "in")
        try daemon.check("cp", scratch.file("in"), "files:/tmp/copied")
        #expect(try daemon.check("exec", "files", "cat", "/tmp/copied").stdout == "from the host\n")
        try daemon.check("cp", "files:/tmp/new", scratch.file("out"))
        #expect(try String(contentsOfFile: scratch.file("out"), encoding: .utf8) == "new\n")
        try daemon.check("export", "-o", scratch.file("all.tar"), "files")
        let names = try Shell.check(["tar", "-tf", scratch.file("all.tar")]).stdout
        #expect(names.contains("tmp/new") && !names.contains("data/file"))
        try daemon.check("commit", "files", "committed:1")
        #expect(try daemon.dhow("run", "--rm", "--network", "none", "committed:1", "cat", "/tmp/new").stdout == "new\n")
    }

    @Test func whatIsNotThereIsRemovedByForce() throws {
        let output = try daemon.dhow("rm", "-f", "not-there")
        #expect(output.status == 0 && output.stdout.isEmpty && output.stderr.contains("No such container"), "\(output)")
        #expect(try daemon.dhow("rm", "not-there").status == 1)
    }

    @Test func aNameInUseIsRefused() throws {
        defer { remove("taken") }
        try start("taken", [], "sleep", "1000")
        let output = try daemon.dhow("run", "--rm", "--network", "none", "--name", "taken", Images.busybox, "true")
        #expect(output.status == 125)
        #expect(output.stderr.contains("is already in use by container"), "\(output)")
        #expect(try daemon.check("ps", "-aq", "--filter", "name=taken").lines.count == 1)
    }

    @Test func eventsTellTheStory() throws {
        let watcher = try Child([
            Programs.dhow, "-H", "unix://\(daemon.socket)", "events", "--filter", "container=story", "--format",
            "{{.Action}}",
        ])
        usleep(300_000)
        try daemon.check("run", "--rm", "--name", "story", "--network", "none", Images.busybox, "true")
        #expect(eventually { watcher.stdout.contains("destroy") })
        let actions = watcher.stdout.components(separatedBy: "\n").filter { !$0.isEmpty }
        #expect(
            actions.filter { ["create", "attach", "start", "die", "destroy"].contains($0) } == [
                "create", "attach", "start", "die", "destroy",
            ], "\(actions)")
        kill(watcher.pid, SIGINT)
    }
}
