import Foundation
import Glibc
import JSON
import Kernel
import Monitor
import OCI
import Testing

/// Real containers under real monitors; needs root, busybox and the built `dhow-runtime`.
@Suite(.serialized, .enabled(if: Programs.canRun), .timeLimit(.minutes(5)))
struct MonitorEndToEndTests {
    @Test func recordsAnExit() async throws {
        let container = try await MonitoredContainer("echo out; echo err >&2; exit 7")
        #expect(try await container.connection.state().status == .created)
        try await container.start()
        let record = try await container.exit()
        #expect(record.exitCode == 7)
        #expect(record.signal == 0)
        #expect(record.startedAt > 0 && record.finishedAt >= record.startedAt)
        #expect(try container.logged("stdout") == "out\n")
        #expect(try container.logged("stderr") == "err\n")
        #expect(try ExitRecord.read(directory: container.directory.path) == record)
        try await container.gone()
        #expect(access(container.directory.path + "/monitor.sock", F_OK) != 0)
        #expect(try cgroupsLeft(container).isEmpty)
    }

    @Test func namesTheSignal() async throws {
        let container = try await MonitoredContainer("sleep 100")
        try await container.start()
        try await container.connection.signal(.init(SIGKILL))
        let record = try await container.exit()
        #expect(record.exitCode == 137)
        #expect(record.signal == 9)
    }

    @Test func tellsOfTheNetworkBeforeTheRestIsMade() async throws {
        let container = try await MonitoredContainer("true")
        let events = container.events.all
        guard case .cloned(let processID, let monitorProcessID) = events.first, events.count == 2 else {
            throw Unexpected()
        }
        #expect(events[1] == .created(processID: processID))
        #expect(try ProcessFiles.statistics(of: processID).parentID == monitorProcessID)
        try await container.start()
        _ = try await container.exit()
    }

    @Test func failsWith127AndLeavesNothing() async throws {
        let container = try await MonitoredContainer("", program: ["/bin/none-such"])
        var exitCode: Int32?
        if let error = container.events.all.firstFailure {
            exitCode = error.exitCode
        } else {
            // Only found out by exec.
            do { try await container.start() } catch let error as MonitorError { exitCode = error.exitCode }
        }
        #expect(exitCode == 127)
        try await container.gone()
        #expect(try ExitRecord.read(directory: container.directory.path)?.exitCode == 127)
        #expect(access(container.directory.path + "/monitor.sock", F_OK) != 0)
        #expect(try cgroupsLeft(container).isEmpty)
    }

    @Test func refusesABadConfiguration() async throws {
        let container = try await MonitoredContainer("true") { configuration, _ in
            configuration.log.path = "/none/such/log"
        }
        guard let error = container.events.all.firstFailure else { throw Unexpected() }
        #expect(error.exitCode == 125)
        #expect(error.message.contains("/none/such/log"))
    }

    @Test func attachesBeforeTheStart() async throws {
        let container = try await MonitoredContainer("echo early; cat; echo late >&2") { configuration, _ in
            configuration.openStdin = true
            configuration.stdinOnce = true
        }
        let one = StreamReader(try await container.connection.attach(.init(stdin: true, stdout: true, stderr: true)))
        let two = StreamReader(try await container.connection.attach(.init(stdout: true)))
        try await container.start()
        try await one.wait(for: "early\n")
        one.send("typed\n")
        try await one.wait(for: "typed\n")
        one.endInput()
        try await one.waitForEnd()
        try await two.waitForEnd()
        #expect(one.text() == "early\ntyped\n")
        #expect(one.text(2) == "late\n")
        #expect(two.text() == "early\ntyped\n")
        #expect(two.text(2) == "")
        #expect(try await container.exit().exitCode == 0)
    }

    @Test func usesASocketThatIsHandedOver() async throws {
        let container = try await MonitoredContainer("echo hello")
        var ends: [Int32] = [-1, -1]
        socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
        #expect(try await !container.connection.attach(.init(stdout: true), stream: ends[1]))
        close(ends[1])
        let reader = StreamReader(descriptor: ends[0], isTerminal: false)
        try await container.start()
        try await reader.waitForEnd()
        #expect(reader.text() == "hello\n")
    }

    @Test func keepsStdinOpenBetweenClients() async throws {
        let container = try await MonitoredContainer("cat") { configuration, _ in configuration.openStdin = true }
        try await container.start()
        for text in ["first\n", "second\n"] {
            let reader = StreamReader(try await container.connection.attach(.init(stdin: true, stdout: true)))
            reader.send(text)
            try await reader.wait(for: text)
            reader.endInput()
            try await reader.waitForEnd()
        }
        #expect(try await container.connection.state().status == .running)
        try await container.connection.closeStdin()
        #expect(try await container.exit().exitCode == 0)
        #expect(try container.logged() == "first\nsecond\n")
    }

    @Test func carriesALargePipeUnchanged() async throws {
        // 100 MB in, and out again, through one attached client.
        let container = try await MonitoredContainer("cat") { configuration, _ in
            configuration.openStdin = true
            configuration.stdinOnce = true
            configuration.log.driver = .none
        }
        let reader = StreamReader(try await container.connection.attach(.init(stdin: true, stdout: true)))
        try await container.start()
        let piece = String((0..<100_000).map { Character(Unicode.Scalar(UInt8(33 + ($0 * 7919) % 90))) })
        Thread.detachNewThread {
            for number in 0..<1000 { reader.send("\(number)" + piece.dropFirst("\(number)".count)) }
            reader.endInput()
        }
        try await reader.waitForEnd(within: 120)
        let output = reader.output()
        #expect(output.count == 100_000_000)
        let expected = Array(piece.utf8)
        var isSame = output.count == 100_000_000
        for number in 0..<1000 where isSame {
            let head = Array("\(number)".utf8)
            let start = number * 100_000
            isSame =
                output[start..<start + head.count].elementsEqual(head)
                && output[(start + head.count)..<start + 100_000].elementsEqual(expected[head.count...])
        }
        #expect(isSame)
        #expect(try await container.exit().exitCode == 0)
    }

    @Test func survivesAFloodOfOutput() async throws {
        let container = try await MonitoredContainer("seq 1 300000") { configuration, _ in
            configuration.log.maxSize = 1 << 20
            configuration.log.maxFiles = 100
        }
        try await container.start()
        #expect(try await container.exit().exitCode == 0)
        let names = try container.directory.names().filter { $0.hasPrefix("json.log") }
        #expect(names.count > 10)
        var next = 1
        for number in (0..<names.count).reversed() {
            let name = number == 0 ? "json.log" : "json.log.\(number)"
            #expect(try container.directory.size(name) <= 1 << 20)
            for line in try container.directory.text(name).split(separator: "\n") {
                guard line.hasPrefix("{\"log\":\"\(next)\\n\"") else {
                    Issue.record("expected \(next), found \(line.prefix(40))")
                    return
                }
                next += 1
            }
        }
        #expect(next == 300_001)
    }

    @Test func compressesRotatedFiles() async throws {
        let container = try await MonitoredContainer("seq 1 200000; sleep 1; seq 200001 200100") { configuration, _ in
            configuration.log.driver = .local
            configuration.log.maxSize = 2 << 20
            configuration.log.maxFiles = 3
        }
        try await container.start()
        #expect(try await container.exit().exitCode == 0)
        try await container.gone()
        try await Task.sleep(for: .seconds(1))
        let names = try container.directory.names()
        #expect(names.contains { $0.hasPrefix("json.log.") && $0.hasSuffix(".gz") })
        #expect(!names.contains { $0.hasSuffix(".tmp") })
        #expect(try container.logged().hasSuffix("200099\n200100\n"))
    }

    @Test func aSlowClientHoldsTheOutputAndLosesNothing() async throws {
        let container = try await MonitoredContainer("seq 1 400000")
        let stream = try await container.connection.attach(.init(stdout: true))
        try await container.start()
        try await Task.sleep(for: .milliseconds(700))
        // Held back: 2.7 MB cannot have gone anywhere.
        #expect(try await container.connection.state().status == .running)
        let reader = StreamReader(stream)
        try await reader.waitForEnd()
        #expect(reader.text() == (1...400_000).map { "\($0)\n" }.joined())
        #expect(try await container.exit().exitCode == 0)
    }

    @Test func aDeadClientIsDropped() async throws {
        let container = try await MonitoredContainer("seq 1 400000")
        let stream = try await container.connection.attach(.init(stdout: true))
        try await container.start()
        close(stream.release())
        #expect(try await container.exit().exitCode == 0)
    }

    @Test func speaksThroughATerminal() async throws {
        let container = try await MonitoredContainer("stty size; read x; echo got $x; stty size; sleep 0.1") {
            configuration, spec in
            spec.process?.terminal = true
            configuration.openStdin = true
            configuration.consoleWidth = 101
            configuration.consoleHeight = 31
        }
        let stream = try await container.connection.attach(.init(stdin: true, stdout: true))
        #expect(stream.isTerminal)
        let reader = StreamReader(stream)
        try await container.start()
        try await reader.wait(for: "31 101\r\n")
        try await container.connection.resize(.init(width: 77, height: 22))
        reader.send("word\n")
        try await reader.wait(for: "22 77")
        try await reader.waitForEnd()
        // The terminal echoes.
        #expect(reader.text() == "31 101\r\nword\r\ngot word\r\n22 77\r\n")
        #expect(try await container.exit().exitCode == 0)
    }

    @Test func execsWithStreams() async throws {
        let container = try await MonitoredContainer("sleep 100")
        try await container.start()
        var request = container.exec("cat; echo err >&2; exit 3")
        request.stdin = true
        request.attach = .init(stdin: true, stdout: true, stderr: true)
        let (processID, stream) = try await container.connection.execAttached(request)
        #expect(processID > 0)
        let reader = StreamReader(stream)
        reader.send("through\n")
        reader.endInput()
        try await reader.waitForEnd()
        #expect(reader.text() == "through\n")
        #expect(reader.text(2) == "err\n")
        let state = try await container.connection.state()
        #expect(state.execs.first { $0.execID == request.execID }?.exitCode == 3)
        #expect(container.events.all.contains(.execExited(execID: request.execID, exitCode: 3)))
        #expect(try container.logged() == "")
        try await container.connection.shutdown()
        #expect(try await container.exit().exitCode == 137)
    }

    @Test func execsDetachedAndSignalled() async throws {
        let container = try await MonitoredContainer("sleep 100")
        try await container.start()
        let request = container.exec("sleep 50")
        #expect(try await container.connection.exec(request) > 0)
        #expect(try await container.connection.state().execs.first?.execID == request.execID)
        try await container.connection.signal(.init(SIGTERM, execID: request.execID))
        _ = try await container.events.first { $0 == .execExited(execID: request.execID, exitCode: 143) }
        await #expect(throws: MonitorError.self) {
            try await container.connection.signal(.init(SIGTERM, execID: request.execID))
        }
        var missing = container.exec("")
        var process = try OCI.Process(json: missing.process)
        process.args = ["/bin/none-such"]
        missing.process = process.json
        do {
            _ = try await container.connection.exec(missing)
            Issue.record("executed nothing")
        } catch {
            #expect(error.exitCode == 127)
        }
        try await container.connection.shutdown()
        _ = try await container.exit()
    }

    @Test func execsOnATerminal() async throws {
        let container = try await MonitoredContainer("sleep 100")
        try await container.start()
        var request = container.exec("stty size; read x; stty size; exit 4", terminal: true)
        request.attach = .init(stdin: true, stdout: true)
        request.consoleWidth = 90
        request.consoleHeight = 40
        let (_, stream) = try await container.connection.execAttached(request)
        let reader = StreamReader(stream)
        try await reader.wait(for: "40 90")
        try await container.connection.resize(.init(width: 50, height: 20, execID: request.execID))
        reader.send("\n")
        try await reader.waitForEnd()
        #expect(reader.text().hasSuffix("20 50\r\n"))
        #expect(try await container.connection.state().execs.first?.exitCode == 4)
        try await container.connection.shutdown()
        _ = try await container.exit()
    }

    @Test func anExecsChildDoesNotHoldItsEnd() async throws {
        let container = try await MonitoredContainer("sleep 100") { configuration, _ in
            configuration.drainMilliseconds = 300
        }
        try await container.start()
        var request = container.exec("sleep 60 & echo left")
        request.attach = .init(stdout: true)
        let begin = Date()
        let reader = StreamReader(try await container.connection.execAttached(request).stream)
        try await reader.waitForEnd()
        #expect(reader.text() == "left\n")
        #expect(Date().timeIntervalSince(begin) < 5)
        try await container.connection.shutdown()
        _ = try await container.exit()
    }

    @Test func isFoundAgain() async throws {
        let container = try await MonitoredContainer("sleep 1; echo end; exit 5")
        try await container.start()
        container.connection.close()
        let events = EventList()
        let (connection, state) = try await Programs.client.get().connect(
            directory: container.directory.path, events: { events.add($0) })
        #expect(state.status == .running)
        #expect(state.id == container.configuration.id)
        #expect(state.processID > 0)
        _ = try await events.first { if case .exited(let record) = $0 { record.exitCode == 5 } else { false } }
        _ = try await events.first { $0 == .lost }
        withExtendedLifetime(connection) {}
        await #expect(throws: MonitorError.self) {
            try await Programs.client.get().connect(directory: container.directory.path, events: { _ in })
        }
        #expect(try container.logged() == "end\n")
    }

    @Test func aKilledMonitorTakesItsContainerAlong() async throws {
        let container = try await MonitoredContainer("sleep 100")
        try await container.start()
        let state = try await container.connection.state()
        kill(state.monitorProcessID, SIGKILL)
        try await container.gone()
        #expect(try ExitRecord.read(directory: container.directory.path) == nil)
        for _ in 0..<500 where kill(state.processID, 0) == 0 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(kill(state.processID, 0) != 0)
        await #expect(throws: MonitorError.self) { try await container.connection.state() }
        #expect(kill(state.monitorProcessID, 0) != 0, "the client leaves a zombie")
        removeCgroups(container)
    }

    @Test func ignoresSignalsToItself() async throws {
        let container = try await MonitoredContainer("sleep 100")
        try await container.start()
        let pid = try await container.connection.state().monitorProcessID
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE] { kill(pid, signal) }
        try await Task.sleep(for: .milliseconds(100))
        #expect(try await container.connection.state().status == .running)
        // And its container does not inherit that.
        try await container.connection.signal(.init(SIGKILL))
        #expect(try await container.exit().exitCode == 137)
    }

    @Test func pausesAndResumes() async throws {
        let container = try await MonitoredContainer("sleep 100")
        try await container.start()
        try await container.connection.pause()
        #expect(try await container.connection.state().status == .paused)
        await #expect(throws: MonitorError.self) { try await container.connection.pause() }
        await #expect(throws: MonitorError.self) { try await container.connection.exec(container.exec("true")) }
        try await container.connection.resume()
        #expect(try await container.connection.state().status == .running)
        try await container.connection.pause()
        try await container.connection.shutdown()
        #expect(try await container.exit().exitCode == 137)
    }

    @Test func updatesResources() async throws {
        let container = try await MonitoredContainer("sleep 100")
        try await container.start()
        var memory = LinuxMemory()
        memory.limit = 64 << 20
        var resources = LinuxResources()
        resources.memory = memory
        try await container.connection.update(resources: resources)
        let limits = cgroupDirectories(container).compactMap { directory in
            (try? String(contentsOfFile: directory + "/memory.limit_in_bytes", encoding: .utf8))
                ?? (try? String(contentsOfFile: directory + "/memory.max", encoding: .utf8))
        }
        #expect(limits.contains("\(64 << 20)\n"))
        await #expect(throws: MonitorError.self) { try await container.connection.update(resources: "nonsense") }
        try await container.connection.shutdown()
        _ = try await container.exit()
    }

    @Test func descendantsInTheHostsPidNamespaceEndToo() async throws {
        let container = try await MonitoredContainer("sleep 77 & echo left; exit 2") { _, spec in
            spec.linux?.namespaces?.removeAll { $0.type == "pid" }
        }
        let begin = Date()
        try await container.start()
        #expect(try await container.exit().exitCode == 2)
        #expect(Date().timeIntervalSince(begin) < 1.5)
        #expect(try container.logged() == "left\n")
        try await container.gone()
        #expect(try cgroupsLeft(container).isEmpty)
    }

    @Test func noticesTheOutOfMemoryKiller() async throws {
        let container = try await MonitoredContainer("head -c 200m /dev/zero | tail; sleep 0.2; exit 1") { _, spec in
            var resources = LinuxResources()
            var memory = LinuxMemory()
            memory.limit = 20 << 20
            resources.memory = memory
            spec.linux?.resources = resources
        }
        try await container.start()
        let record = try await container.exit()
        #expect(record.oomKilled)
        #expect(container.events.all.contains(.outOfMemory))
    }

    @Test func restartsInTheSameDirectoryAtOnce() async throws {
        let directory = try TemporaryDirectory()
        for round in 0..<5 {
            let container = try await MonitoredContainer("exit \(round)", in: directory)
            try await container.start()
            #expect(try await container.exit().exitCode == Int32(round))
        }
    }

    @Test func idlesInLittleMemory() async throws {
        let container = try await MonitoredContainer("sleep 100")
        try await container.start()
        var request = container.exec("true")
        request.attach = .init(stdout: true)
        let reader = StreamReader(try await container.connection.execAttached(request).stream)
        try await reader.waitForEnd()
        let pid = try await container.connection.state().monitorProcessID
        var kilobytes = Int.max
        // It gives memory back when it has been idle for a while.
        for _ in 0..<30 where kilobytes > 1100 {
            try await Task.sleep(for: .seconds(1))
            let text = try String(contentsOfFile: "/proc/\(pid)/smaps_rollup", encoding: .utf8)
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("Private_Dirty:") })
            kilobytes = try #require(Int(line.split(separator: " ")[1]))
        }
        #expect(kilobytes <= 1100)
        try await container.connection.shutdown()
        _ = try await container.exit()
    }

    @Test func hostileClientsDoNotMatter() async throws {
        let container = try await MonitoredContainer("sleep 100")
        try await container.start()
        let path = container.directory.path + "/monitor.sock"
        var random = SplitMix(seed: 5)
        for round in 0..<200 {
            let socket = try UnixSocket.connect(path)
            let count = Int.random(in: 0..<200, using: &random)
            var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            if round % 3 == 0 { bytes = try Frame.encode(["id": 1, "request": .string("x\(round)")]) + bytes }
            if round % 7 == 0 { bytes = try Frame.encode(["event": "exited", "data": ["exitCode": 0]]) }
            _ = send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            close(socket)
        }
        #expect(try await container.connection.state().status == .running)
        try await container.connection.shutdown()
        #expect(try await container.exit().exitCode == 137)
    }

    // MARK: What is left

    private func cgroupsLeft(_ container: MonitoredContainer) throws -> [String] {
        cgroupDirectories(container).filter { access($0, F_OK) == 0 }
    }

    private func cgroupDirectories(_ container: MonitoredContainer) -> [String] {
        let roots = (try? FileManager.default.contentsOfDirectory(atPath: "/sys/fs/cgroup")) ?? []
        return (roots + [""]).map { "/sys/fs/cgroup/\($0)/\(container.configuration.id)" }
    }

    private func removeCgroups(_ container: MonitoredContainer) {
        for directory in cgroupDirectories(container) { rmdir(directory) }
    }
}

extension [MonitorEvent] {
    /// Why the container could not be created.
    fileprivate var firstFailure: MonitorError? {
        for case .failed(let error) in self { return error }
        return nil
    }
}
