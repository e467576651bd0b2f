import Glibc
import Kernel
import Testing

@Suite struct EventTests {
    @Test func pollsDescriptors() throws {
        let poll = try EventPoll()
        let pipe = try Pipe()
        let event = try EventDescriptor()
        try poll.add(pipe.readEnd, .readable, token: 7)
        try poll.add(event.descriptor, .readable, token: UInt64.max)
        #expect(try poll.wait(timeoutMilliseconds: 0).isEmpty)
        try event.signal()
        try event.signal()
        #expect(try poll.wait().map(\.token) == [UInt64.max])
        #expect(try event.take() == 2)
        #expect(try event.take() == 0)
        try pipe.writeEnd.close()
        let events = try poll.wait()
        #expect(events.map(\.token) == [7])
        #expect(events[0].events.contains(.hangup))
        try poll.remove(pipe.readEnd)
        #expect(try poll.wait(timeoutMilliseconds: 0).isEmpty)
    }

    @Test func timersFire() throws {
        let timer = try TimerDescriptor()
        try timer.set(after: 1_000_000, every: 1_000_000)
        sleepThread(milliseconds: 20)
        #expect(try timer.expirations() >= 5)
        try timer.set(after: 0)
        sleepThread(milliseconds: 5)
        #expect(try timer.expirations() == 0)
    }

    @Test func watchesFiles() throws {
        let directory = try TemporaryDirectory()
        let watch = try FileWatch()
        let number = try watch.add(directory.path, [.created, .deleted])
        #expect(try watch.events().isEmpty)
        try directory.descriptor.writeFile("new", "", creating: true)
        try directory.descriptor.unlink("new")
        let events = try watch.events()
        #expect(events.map(\.name) == ["new", "new"])
        #expect(events.map(\.mask) == [.created, .deleted])
        #expect(events[0].watch == number)
    }

    @Test func socketsPassDescriptors() throws {
        let (one, two) = try Socket.pair()
        let pipe = try Pipe()
        #expect(try one.send([1, 2], descriptors: [pipe.writeEnd, pipe.readEnd]) == 2)
        let received = try two.receive(count: 10, maximumDescriptors: 4)
        #expect(received.bytes == [1, 2])
        #expect(received.descriptors.count == 2)
        try received.descriptors[0].writeAll("through")
        #expect(try received.descriptors[1].read(count: 20) == Array("through".utf8))
        // More than expected: closed, and said.
        _ = try one.send([3], descriptors: [pipe.writeEnd, pipe.readEnd, one])
        #expect(failure { _ = try two.receive(count: 10, maximumDescriptors: 2) }?.name == "EMSGSIZE")
        #expect(try two.peerCredentials().processID == Processes.currentID)
        try one.close()
        #expect(try two.receive(count: 10).bytes.isEmpty)
        #expect(failure { _ = try two.send([1]) } == .brokenPipe)
    }

    @Test func listensAtPathsOfAnyLength() throws {
        let directory = try TemporaryDirectory()
        let deep = directory.path + "/" + String(repeating: "long", count: 40)
        try FileDescriptor.currentDirectory.makeDirectory(deep)
        for path in [directory.path + "/s", deep + "/s"] {
            let listener = try Socket.listen(at: path, mode: 0o660, nonBlocking: true)
            #expect(try FileDescriptor.currentDirectory.status(of: path).permissions == 0o660)
            #expect(try listener.accept() == nil)
            let client = try Socket.connect(to: path)
            let server = try #require(try listener.accept())
            _ = try client.send([9])
            #expect(try server.read(count: 5) == [9])
        }
        #expect(failure { _ = try Socket.connect(to: directory.path + "/none") } == .notFound)
        #expect(failure { _ = try Socket.listen(at: directory.path + "/s") }?.name == "EADDRINUSE")
    }

    @Test func memoryFilesAreSealed() throws {
        let file = try FileDescriptor.makeMemoryFile("test")
        try file.writeAll("fixed")
        try file.addSeals(.all)
        #expect(try file.seals().isSuperset(of: .all))
        #expect(failure { try file.writeAll("x") } == .notPermitted)
    }

    @Test func terminalsHaveSizes() throws {
        let terminal = try PseudoTerminal()
        let peer = try terminal.openPeer()
        #expect(peer.isTerminal)
        #expect(try !FileDescriptor.open("/dev/null").isTerminal)
        try terminal.master.setTerminalSize(TerminalSize(rows: 30, columns: 100))
        #expect(try peer.terminalSize() == TerminalSize(rows: 30, columns: 100))
        _ = try peer.makeTerminalRaw()
        try peer.writeAll("a\n")
        #expect(try terminal.master.read(count: 10) == Array("a\n".utf8))
    }

    @Test func signalsArriveAsData() throws {
        // Directed at this thread only, so that no other thread of the test process takes it.
        let signals = SignalSet([.user2])
        let old = signals.addToBlocked()
        defer { old.block() }
        let descriptor = try SignalDescriptor(signals)
        #expect(try descriptor.next() == nil)
        pthread_kill(pthread_self(), SIGUSR2)
        let event = try #require(try descriptor.next())
        #expect(event.signal == .user2)
        #expect(event.processID == Processes.currentID)
    }

    @Test func journalAndNotificationSpeakTheirProtocols() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/socket"
        let server = try Socket.listen(at: path, kind: .datagram, nonBlocking: true)
        #expect(try notifyServiceManager("READY=1", socketPath: path))
        #expect(try !notifyServiceManager("READY=1", socketPath: ""))
        #expect(try server.receive(count: 100).bytes == Array("READY=1".utf8))
        let journal = try Journal(path: path)
        try journal.write([("MESSAGE", Array("a\nb".utf8)), ("PRIORITY", Array("6".utf8))])
        let entry = try server.receive(count: 100).bytes
        #expect(entry == Array("MESSAGE\n".utf8) + [3, 0, 0, 0, 0, 0, 0, 0] + Array("a\nb\nPRIORITY=6\n".utf8))
        try journal.write([("MESSAGE", [UInt8](repeating: 65, count: 1 << 20))])
        let big = try server.receive(count: 100, maximumDescriptors: 1)
        #expect(big.bytes.isEmpty)
        #expect(try big.descriptors.first?.status().size == (1 << 20) + 9)
    }

    @Test func seccompRefusesNonsense() {
        #expect(failure { try Seccomp.load([]) } == .invalidArgument)
        #expect(failure { try Seccomp.load([1, 2, 3]) } == .invalidArgument)
        #expect(Seccomp.isAvailable(action: 0x7fff_0000))
        #expect(!Seccomp.isAvailable(action: 0x1234_0000))
    }
}
