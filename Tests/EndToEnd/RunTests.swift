import Foundation
import Testing

/// `dhow run`: what the container sees, and what the shell gets back.
@Suite struct RunTests {
    static let daemon = Result { try Daemon.shared() }
    let daemon: Daemon

    init() throws {
        daemon = try Self.daemon.get()
        try Images.load(into: daemon)
    }

    func run(_ options: [String], _ command: [String], input: String? = nil) throws -> Output {
        try daemon.dhow(["run", "--rm", "--network", "none"] + options + [Images.busybox] + command, input: input)
    }

    @Test func printsAndReturnsTheExitCode() throws {
        let output = try run([], ["sh", "-c", "echo out; echo err >&2; exit 3"])
        #expect(output.status == 3)
        #expect(output.stdout == "out\n")
        #expect(output.stderr == "err\n")
    }

    @Test func exitCodesOfFailures() throws {
        let missing = try run([], ["/no/such/program"])
        #expect(missing.status == 127, "\(missing)")
        #expect(missing.stderr.contains("/no/such/program"))
        let plain = try run([], ["/bin/plain"])
        #expect(plain.status == 126, "\(plain)")
        #expect(plain.stderr.contains("permission denied"))
        let notInPath = try run([], ["nosuchprogram"])
        #expect(notInPath.status == 127, "\(notInPath)")
        let flag = try daemon.dhow("run", "--no-such-flag", Images.busybox)
        #expect(flag.status == 125)
        #expect(flag.stderr.contains("unknown flag: --no-such-flag"))
        let image = try daemon.dhow("run", "--rm", "--network", "none", "nosuchimage:latest")
        #expect(image.status == 125)
        #expect(image.stderr.contains("nosuchimage:latest"))
        let killed = try run(["--init"], ["sh", "-c", "kill -9 $$"])
        #expect(killed.status == 137)
    }

    @Test func environmentWorkingDirectoryUserAndHostname() throws {
        let file = try ScratchDirectory()
        let list = try file.write("FROM_FILE=1\n# comment\n\nTWO=a b\n", to: "env")
        let output = try run(
            [
                "-e", "A=b=c", "--env-file", list, "-w", "/made/here", "-u", "alice:staff", "--group-add", "extra",
                "--hostname", "box", "--domainname", "example.org",
            ],
            [
                "sh", "-c",
                "echo $A $FROM_FILE $TWO $FROM_IMAGE; pwd; id -u; id -g; id -G; hostname; cat /proc/sys/kernel/domainname; echo $HOME $HOSTNAME",
            ])
        #expect(
            output.lines == ["b=c 1 a b yes", "/made/here", "1000", "50", "50 60", "box", "example.org", "/ box"],
            "\(output)")
    }

    @Test func entrypointReplacesTheImagesAndKeepsArguments() throws {
        let output = try run(["--entrypoint", "echo"], ["-n", "hello"])
        #expect(output.stdout == "hello")
    }

    @Test func standardInputReachesTheContainerAndEnds() throws {
        let text = (0..<20000).map { "line \($0)" }.joined(separator: "\n")
        let output = try run(["-i"], ["sh", "-c", "md5sum"], input: text)
        let expected = try Shell.run(["md5sum"], input: text)
        #expect(output.text.prefix(32) == expected.text.prefix(32), "\(output)")
    }

    @Test func largeOutputIsWhole() throws {
        let output = try run([], ["sh", "-c", "seq 1 300000"])
        #expect(output.status == 0)
        #expect(output.lines.count == 300_000)
        #expect(output.lines.last == "300000")
    }

    @Test func processesHostsAndDevicesAreItsOwn() throws {
        let output = try run(
            [],
            ["sh", "-c", "echo $$; ls /dev | tr '\\n' ' '; cat /etc/hostname; grep -c . /etc/hosts; ls /sys/class/net"])
        let lines = output.lines
        #expect(lines.first == "1")
        for device in ["null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue", "stdin"] {
            #expect(lines[1].contains(device), "\(lines[1])")
        }
        #expect(!lines[1].contains("vda") && !lines[1].contains("kmsg"))
        #expect(lines.last == "lo")
    }

    @Test func capabilitiesSeccompAndMaskedPaths() throws {
        let plain = try run(
            [],
            [
                "sh", "-c",
                "grep -E 'CapEff|Seccomp:|NoNewPrivs' /proc/self/status; wc -c < /proc/kcore; ls /sys/firmware | wc -l; touch /proc/sys/x 2>&1",
            ])
        #expect(plain.stdout.contains("CapEff:\t00000000a80425fb"), "\(plain)")
        #expect(plain.stdout.contains("Seccomp:\t2"))
        #expect(plain.stdout.contains("NoNewPrivs:\t0"))
        let dropped = try run(
            [
                "--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE", "--security-opt", "no-new-privileges",
                "--security-opt", "seccomp=unconfined",
            ],
            ["sh", "-c", "grep -E 'CapEff|Seccomp:|NoNewPrivs' /proc/self/status"])
        #expect(dropped.stdout.contains("CapEff:\t0000000000000400"), "\(dropped)")
        #expect(dropped.stdout.contains("Seccomp:\t0"))
        #expect(dropped.stdout.contains("NoNewPrivs:\t1"))
        let unshare = try run([], ["unshare", "-U", "true"])
        #expect(unshare.status != 0)
    }

    @Test func privilegedSeesTheHostsDevices() throws {
        let output = try run(
            ["--privileged"],
            ["sh", "-c", "ls /dev/kmsg && touch /proc/sys/kernel/domainname && grep Seccomp: /proc/self/status"])
        #expect(output.status == 0, "\(output)")
        #expect(output.stdout.contains("Seccomp:\t0"))
    }

    @Test func readOnlyRootTmpfsAndShm() throws {
        let output = try run(
            ["--read-only", "--tmpfs", "/scratch:size=1m,mode=0700", "--shm-size", "5m"],
            [
                "sh", "-c",
                "touch /x 2>&1; touch /scratch/x && echo written; stat -c %a /scratch; df -k /scratch /dev/shm | awk 'NR>1{print $2}'",
            ])
        #expect(output.lines.first?.contains("Read-only file system") == true, "\(output)")
        #expect(output.lines.contains("written"))
        #expect(output.lines.contains("700"))
        #expect(output.lines.suffix(2) == ["1024", "5120"])
    }

    @Test func ulimitsSysctlsAndOomScore() throws {
        let output = try run(
            [
                "--ulimit", "nofile=100:200", "--sysctl", "net.ipv4.ip_unprivileged_port_start=80", "--oom-score-adj",
                "300",
            ],
            [
                "sh", "-c",
                "ulimit -Sn; ulimit -Hn; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/self/oom_score_adj",
            ])
        #expect(output.lines == ["100", "200", "80", "300"], "\(output)")
        let refused = try run(["--sysctl", "kernel.panic=1"], ["true"])
        #expect(refused.status == 125 && refused.stderr.contains("kernel.panic"), "\(refused)")
    }

    @Test func initReapsAndForwards() throws {
        let output = try run(
            ["--init"],
            [
                "sh", "-c",
                "cat /proc/1/comm; (sleep 0.1 &) ; sleep 0.5; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l",
            ])
        #expect(output.lines.first?.contains("init") == true, "\(output)")
        #expect(output.lines.last == "0")
    }

    @Test func devicesAreAddedWithTheirRules() throws {
        let output = try run(
            ["--device", "/dev/loop-control:/dev/added:r"],
            [
                "sh", "-c",
                "stat -c %t:%T /dev/added; (: < /dev/added) && echo opened; (: > /dev/added) 2>/dev/null || echo refused",
            ])
        #expect(output.lines == ["a:ed", "opened", "refused"], "\(output)")
    }

    @Test func namespacesOfOtherContainersAndTheHost() throws {
        try daemon.check(
            "run", "-d", "--name", "ns-owner", "--network", "none", "--ipc", "shareable", Images.busybox, "sleep",
            "1000")
        defer { _ = try? daemon.dhow("rm", "-f", "ns-owner") }
        let joined = try daemon.dhow(
            "run", "--rm", "--network", "container:ns-owner", "--pid", "container:ns-owner", "--ipc",
            "container:ns-owner",
            Images.busybox, "sh", "-c",
            "for n in self/ns/net 1/ns/net self/ns/ipc 1/ns/ipc; do readlink /proc/$n; done; cat /proc/1/comm")
        #expect(joined.lines.count == 5, "\(joined)")
        if joined.lines.count == 5 {
            #expect(joined.lines[0] == joined.lines[1])
            #expect(joined.lines[2] == joined.lines[3])
            #expect(joined.lines[4] == "sleep")
        }
        let namespaces = "for n in net pid uts ipc cgroup; do readlink /proc/self/ns/$n; done"
        let host = try daemon.dhow(
            "run", "--rm", "--network", "host", "--pid", "host", "--uts", "host", "--ipc", "host", "--cgroupns", "host",
            Images.busybox, "sh", "-c", namespaces)
        let own = try Shell.run(["sh", "-c", namespaces])
        #expect(host.lines == own.lines, "\(host)")
    }

    @Test func aTerminalIsRaw() throws {
        // `script` gives the client a terminal.
        guard Shell.exists("script") else { return }
        let output = try Shell.run(
            [
                "script", "-qec",
                "\(Programs.dhow) -H unix://\(daemon.socket) run --rm -it --network none \(Images.busybox) sh -c 'test -t 0 && test -t 1 && tty && stty size'",
                "/dev/null",
            ])
        #expect(output.status == 0, "\(output)")
        #expect(output.stdout.contains("/dev/pts/0") || output.stdout.contains("/dev/console"), "\(output)")
    }
}
