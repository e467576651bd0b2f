import Foundation
import JSON
import Testing

/// The daemon or a monitor is killed: containers run on, and nothing is lost or left over.
@Suite(.serialized) struct SurvivalTests {
    @Test func containersLogsAndWaitSurviveTheDaemon() throws {
        let daemon = try Daemon()
        defer { daemon.tearDown() }
        try Images.load(into: daemon)
        try daemon.check(
            "run", "-d", "--name", "talker", "--network", "none", Images.busybox, "sh", "-c",
            "i=0; while [ $i -lt 400 ]; do echo $i; i=$((i+1)); usleep 10000; done; exit 5")
        try daemon.check(
            "run", "-d", "--name", "brief", "--network", "none", Images.busybox, "sh", "-c", "sleep 1.5; exit 6")
        usleep(500_000)
        daemon.crash()
        sleep(2)
        try daemon.start()
        #expect(try daemon.inspect("talker")["State"]?["Running"] == true)
        let brief = try daemon.inspect("brief")["State"]
        #expect(brief?["Status"] == "exited" && brief?["ExitCode"] == 6, "\(brief?.serialized() ?? "")")
        try daemon.check("exec", "talker", "true")
        #expect(try daemon.check("wait", "talker").text == "5")
        #expect(try daemon.check("logs", "talker").lines == (0..<400).map(String.init))
    }

    @Test func stoppingTheDaemonLeavesContainersRunning() throws {
        let daemon = try Daemon()
        defer { daemon.tearDown() }
        try Images.load(into: daemon)
        try daemon.check("run", "-d", "--name", "on", "--network", "none", Images.busybox, "sleep", "1000")
        #expect(try daemon.stop()?.status == 0)
        try daemon.start()
        #expect(try daemon.inspect("on")["State"]?["Running"] == true)
    }

    @Test func aKilledMonitorLeavesADeadContainerThatCanBeRemoved() throws {
        let daemon = try Daemon()
        defer { daemon.tearDown() }
        try Images.load(into: daemon)
        let id = try daemon.check("run", "-d", "--name", "victim", "--network", "none", Images.busybox, "sleep", "1000")
            .text
        let pid = try daemon.inspect("victim")["State"]?["Pid"]?.integer ?? 0
        let parent = try Shell.sh("awk '/^PPid/{print $2}' /proc/\(pid)/status").text
        kill(pid_t(parent) ?? -1, SIGKILL)
        #expect(try eventually { try daemon.inspect("victim")["State"]?["Running"] == false })
        let state = try daemon.inspect("victim")["State"]
        #expect(state?["Status"] == "dead" || state?["Status"] == "exited", "\(state?.serialized() ?? "")")
        #expect(state?["Error"]?.string?.contains("monitor") == true, "\(state?.serialized() ?? "")")
        #expect(eventually { kill(pid_t(pid), 0) != 0 })
        try daemon.check("rm", "-f", "victim")
        #expect(eventually { Leftovers.of(daemon, ids: [id]).isEmpty }, "\(Leftovers.of(daemon, ids: [id]))")
    }

    @Test func twentyCrashesUnderLoadLeaveNothing() throws {
        let daemon = try Daemon()
        defer { daemon.tearDown() }
        try Images.load(into: daemon)
        let mountsBefore = try Shell.sh("wc -l < /proc/self/mountinfo").text
        var seen: Set<String> = []
        for round in 0..<20 {
            // A load of creates, runs, execs and removes.
            let script = """
                n=0
                while :; do
                  n=$((n+1)); c=c\(round)-$1-$n
                  case $(( (n + $1) % 4 )) in
                    0) $d run --rm --network none -v /data \(Images.busybox) true ;;
                    1) $d run -d --name $c --network none \(Images.busybox) sleep 1000; $d exec $c true; $d rm -f $c ;;
                    2) $d create --name $c --network none -v v$c:/data \(Images.busybox) true; $d start $c; $d rm -fv $c; $d volume rm v$c ;;
                    3) $d run -d --name $c --network none \(Images.busybox) sh -c 'echo x; exit 1'; $d rm -f $c ;;
                  esac >/dev/null 2>&1
                  [ -e "$stop" ] && exit 0
                done
                """
            try daemon.crash(under: 0...2, of: script, after: 50...900)
            seen.formUnion(try daemon.check("ps", "-aq", "--no-trunc").lines)
        }
        let known = try daemon.check("ps", "-aq", "--no-trunc").lines
        seen.formUnion(known)
        #expect(
            eventually { Leftovers.of(daemon, besides: known, ids: seen).isEmpty },
            "\(Leftovers.of(daemon, besides: known, ids: seen))")
        // Whatever is listed can be inspected and removed, and then nothing at all is left.
        for id in known {
            let state = try daemon.inspect(id)["State"]?["Status"]?.string ?? ""
            #expect(["created", "running", "exited", "dead"].contains(state), "\(state)")
        }
        if !known.isEmpty { try Shell.check([Programs.dhow, "-H", "unix://\(daemon.socket)", "rm", "-fv"] + known) }
        #expect(eventually { Leftovers.of(daemon, ids: seen).isEmpty }, "\(Leftovers.of(daemon, ids: seen))")
        #expect(try Shell.sh("wc -l < /proc/self/mountinfo").text == mountsBefore)
        let layers = try Shell.sh("find \(daemon.dataRoot)/layers -mindepth 2 -maxdepth 2 -type d -not -name l | wc -l")
            .text
        #expect((Int(layers) ?? 99) <= 2, "\(layers) layers left")
    }

    @Test func anImageLoadKilledInTheMiddleLeavesNothing() throws {
        let daemon = try Daemon()
        defer { daemon.tearDown() }
        let scratch = try ScratchDirectory()
        try Images.archive(
            at: scratch.file("big.tar"),
            layers: #"[[("f%d" % n, "file", "x" * 20000) for n in range(3000)] for _ in range(2)]"#, name: "big:1")
        for delay in [10_000, 60_000, 150_000, 300_000] as [UInt32] {
            let loader = try Child([
                Programs.dhow, "-H", "unix://\(daemon.socket)", "load", "-i", scratch.file("big.tar"),
            ])
            usleep(delay)
            daemon.crash()
            _ = try loader.wait(timeout: 20)
            try daemon.start()
            if try daemon.check("images", "-q").text.isEmpty {
                let left = try Shell.sh("find \(daemon.dataRoot)/content \(daemon.dataRoot)/layers -type f | wc -l")
                    .text
                let tree = try Shell.sh("find \(daemon.dataRoot) | head -50").stdout
                #expect(left == "0", "\(tree)")
            } else {
                try daemon.check("rmi", "big:1")
            }
        }
        try daemon.check("load", "-i", scratch.file("big.tar"))
        #expect(try daemon.check("images", "--format", "{{.Repository}}:{{.Tag}}").text == "big:1")
    }

    @Test func theCommandStartsTheDaemonAndItLeavesWhenIdle() throws {
        // With a /run, a /var/lib and a network of its own, so that it is this test's daemon at the usual place.
        let script = """
            ip link set lo up
            mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /var/lib
            \(Programs.dhow) version -f '{{.Server.Version}}'
            cat /run/dhow/*.pid
            """
        let first = try Shell.run(
            ["unshare", "--mount", "--net", "/bin/sh", "-ec", script],
            environment: ["DOCKER_HOST": "", "DHOW_IDLE_EXIT": "5s"])
        #expect(first.status == 0, "\(first)")
        let pid = first.lines.last.flatMap { pid_t($0) } ?? -1
        #expect(pid > 0 && kill(pid, 0) == 0, "\(first)")
        guard pid > 0 else { return }
        #expect(eventually(60) { kill(pid, 0) != 0 })
    }
}
