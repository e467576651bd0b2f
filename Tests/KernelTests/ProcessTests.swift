import Glibc
import Kernel
import Testing

@Suite struct ProcessTests {
    @Test func runsProgramsAndCollectsWhatTheyWrite() throws {
        var shell = Subprocess.Configuration("/bin/sh", arguments: ["sh", "-c", "cat; echo oops >&2; exit 3"])
        shell.environment = ["PATH=/usr/bin:/bin"]
        let big = [UInt8](repeating: 120, count: 300_000)
        let output = try Subprocess.run(shell, input: big)
        #expect(output.status == .exited(3))
        #expect(output.standardOutput == big)
        #expect(output.standardErrorText == "oops\n")
        // A program that reads nothing.
        #expect(try Subprocess.run(.init("/bin/true"), input: big).status == .exited(0))
    }

    @Test func programsTimeOutWithTheirChildren() throws {
        let shell = Subprocess.Configuration("/bin/sh", arguments: ["sh", "-c", "sleep 77 & wait"])
        let begin = Timestamp.monotonic
        let output = try Subprocess.run(shell, timeoutMilliseconds: 200)
        #expect(output.timedOut)
        #expect(output.status == .signaled(SIGKILL, coreDumped: false))
        #expect(Timestamp.monotonic.seconds - begin.seconds < 10)
    }

    @Test func spawnSaysWhyItCannot() throws {
        #expect(failure { _ = try Subprocess.spawn(.init("/nonexistent")) } == .notFound)
        #expect(failure { _ = try Subprocess.spawn(.init("/etc/passwd")) } == .accessDenied)
        #expect(failure { _ = try Subprocess.spawn(.init("/bin/true", arguments: ["a\0b"])) } == .invalidArgument)
    }

    @Test func spawnPassesOnlyTheDescriptorsItIsTold() throws {
        let output = try Pipe()
        let other = try Pipe()
        var list = Subprocess.Configuration("/bin/ls", arguments: ["ls", "/proc/self/fd"])
        // Swapped on purpose: 5 is the pipe whose number may be in the way.
        list.descriptors = [1: output.writeEnd, 5: other.writeEnd]
        list.startsSession = true
        let child = try Subprocess.spawn(list)
        try output.writeEnd.close()
        let text = String(decoding: try output.readEnd.readAll(), as: UTF8.self)
        #expect(try child.wait() == .exited(0))
        // 3 is ls's own.
        #expect(text.split(separator: "\n") == ["0", "1", "2", "3", "5"])
    }

    @Test func childrenOfCloneAreProcesses() throws {
        let pipe = try Pipe()
        var options = CloneOptions()
        options.namespaces = [.pid, .uts, .ipc]
        switch try clone(options) {
        case .child:
            // Runs in a copy of a multi-threaded test process: nothing but system calls.
            exitImmediately(getpid() == 1 ? 42 : 1)
        case .parent(let processID, let processDescriptor):
            #expect(processID > 1)
            let process = ProcessDescriptor(processDescriptor)
            #expect(try process.wait() == .exited(42))
            #expect(failure { _ = try process.wait() } == .noChild)
        }
        withExtendedLifetime(pipe) {}
    }

    @Test func waitsAndSignals() throws {
        let child = try Subprocess.spawn(.init("/bin/sleep", arguments: ["sleep", "100"]))
        #expect(try child.process.wait(noHang: true) == nil)
        #expect(try !child.process.hasExited)
        #expect(Processes.exists(child.processID))
        try child.send(signal: .terminate)
        let status = try child.wait()
        #expect(status == .signaled(SIGTERM, coreDumped: false))
        #expect(status.code == 143)
        #expect(failure { try child.send(signal: .kill) } == .noSuchProcess)
        #expect(ExitStatus(waitStatus: 0x0100) == .exited(1))
        #expect(ExitStatus(waitStatus: 0x8b) == .signaled(11, coreDumped: true))
    }

    @Test func signalNames() {
        #expect(Signal(name: "KILL") == .kill)
        #expect(Signal(name: "sigterm") == .terminate)
        #expect(Signal(name: "9") == .kill)
        #expect(Signal(name: "SIGRTMIN+3")?.rawValue == 37)
        #expect(Signal(name: "RTMAX-1")?.rawValue == 63)
        #expect(Signal(rawValue: 37).name == "SIGRTMIN+3")
        #expect(Signal.child.name == "SIGCHLD")
        for bad in ["", "0", "65", "-1", "SIGNOPE", "RTMIN-1", "RTMIN+31", "SIGRTMIN+"] {
            #expect(Signal(name: bad) == nil, "\(bad)")
        }
        #expect(SignalSet([.kill, .child]).rawValue == 1 << 8 | 1 << 16)
    }

    @Test func capabilityNames() throws {
        #expect(Capability.all.count == 41)
        #expect(Capability(name: "CAP_SYS_ADMIN") == .sysAdmin)
        #expect(Capability(name: "chown")?.rawValue == 0)
        #expect(Capability(name: "CAP_CHECKPOINT_RESTORE")?.rawValue == 40)
        #expect(Capability(name: "CAP_NOPE") == nil)
        #expect(CapabilitySet([.sysAdmin]).names == ["CAP_SYS_ADMIN"])
        let current = try ProcessCapabilities.current()
        let status = try ProcessFiles.status(of: "thread-self")
        #expect(UInt64(status["CapEff"] ?? "", radix: 16) == current.effective.rawValue)
        #expect(UInt64(status["CapBnd"] ?? "", radix: 16) == ProcessCapabilities.boundingSet().rawValue)
    }

    @Test func limits() throws {
        #expect(ResourceLimit(name: "RLIMIT_NOFILE") == .openFiles)
        #expect(ResourceLimit(name: "nofile") == .openFiles)
        #expect(ResourceLimit(name: "RLIMIT_X") == nil)
        let child = try Subprocess.spawn(.init("/bin/sleep", arguments: ["sleep", "100"]))
        defer {
            try? child.send(signal: .kill)
            _ = try? child.wait()
        }
        try ResourceLimit.coreSize.set(.init(soft: 10, hard: 20), of: child.processID)
        #expect(try ResourceLimit.coreSize.values(of: child.processID) == .init(soft: 10, hard: 20))
        #expect(failure { try ResourceLimit.coreSize.set(.init(soft: 30, hard: 20)) } == .invalidArgument)
    }

    @Test func processFiles() throws {
        let own = try ProcessFiles.statistics(of: Processes.currentID)
        #expect(own.parentID == Processes.parentID)
        #expect(own.startTime > 0)
        #expect(try ProcessFiles.owner(of: Processes.currentID).userID == Credentials.userID)
        #expect(try ProcessFiles.allProcessIDs().contains(Processes.currentID))
        let tricky = "7 (a) b (c)) S 1 2 3 0 -1 0 0 0 0 0 11 12 0 0 20 0 4 0 99 0"
        let parsed = ProcessFiles.parseStatistics(tricky)
        #expect(parsed?.command == "a) b (c)")
        #expect(parsed?.startTime == 99)
        #expect(parsed?.threadCount == 4)
        for bad in ["", "1 (x) S", ")(", "1 (x) S a b c d"] { #expect(ProcessFiles.parseStatistics(bad) == nil) }
        // Names that make separators look like other characters.
        let prepended = "7 (a\u{600}) S 1 2 3 0 -1 0 0 0 0 0 11 12 0 0 20 0 4 0 99 0"
        #expect(ProcessFiles.parseStatistics(prepended)?.command == "a\u{600}")
        #expect(ProcessFiles.parseCgroups("0::/a\r\n1:x:/b\n").map(\.path) == ["/a\r", "/b"])
        let cgroups = ProcessFiles.parseCgroups("4:cpu,cpuacct:/a:b\n1:name=systemd:/\n0::/x\ngarbage\n")
        #expect(cgroups.count == 3)
        #expect(cgroups[0].controllers == ["cpu", "cpuacct"])
        #expect(cgroups[0].path == "/a:b")
        #expect(cgroups[2].controllers.isEmpty)
    }

    @Test func processorLists() {
        #expect(parseProcessorList("0-2,5") == [0, 1, 2, 5])
        #expect(parseProcessorList("") == [])
        // Four megabytes of it would become hundreds of gigabytes.
        #expect(parseProcessorList("0-65535")?.count == 65_536)
        #expect(parseProcessorList(String(repeating: "0-65535,", count: 10_000) + "0") == nil)
        for bad in ["a", "3-1", "-1", "0-99999999", "1,,x"] { #expect(parseProcessorList(bad) == nil, "\(bad)") }
        #expect((try? Scheduling.affinity())?.isEmpty == false)
    }
}
