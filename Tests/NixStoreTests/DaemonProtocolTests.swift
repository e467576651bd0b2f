import Kernel
import NixStore
import Synchronization
import Testing

/// Daemons that do not keep to the protocol: an error, never a crash, a hang or a wrong answer.
@Suite struct DaemonProtocolTests {
    /// What a daemon sends, as 64-bit numbers and strings.
    private struct Script {
        var bytes: [UInt8] = []

        mutating func put(_ numbers: UInt64...) {
            for number in numbers { withUnsafeBytes(of: number.littleEndian) { bytes += $0 } }
        }

        mutating func put(_ text: String) {
            put(UInt64(text.utf8.count))
            bytes += text.utf8
            while bytes.count % 8 != 0 { bytes.append(0) }
        }

        static let last: UInt64 = 0x616C_7473
        static let failure: UInt64 = 0x6378_7470

        /// As Nix 2.8 begins, until it has taken our options.
        static func greeting(minor: UInt64 = 34) -> Script {
            var script = Script()
            script.put(0x6478_696F, 0x100 | minor)
            if minor >= 33 { script.put("2.8.0") }
            if minor >= 35 { script.put(1) }
            script.put(last, last)
            return script
        }
    }

    /// Runs `body` against a daemon that sends `script` to the first who connects, reads what comes, and hangs up when
    /// the other side does or has sent nothing more.
    private func against<Result: Sendable>(
        _ script: Script, hangsUp: Bool = true, _ body: @escaping @Sendable (String) throws -> Result
    ) async throws -> Result {
        let root = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp", prefix: "dhow-daemon-")
        defer { try? FileDescriptor.currentDirectory.removeTree(root) }
        let listener = try Socket.listen(at: "\(root)/socket")
        let bytes = script.bytes
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                try await onOwnThread {
                    guard let connection = try listener.accept() else { return nil }
                    _ = try? connection.send(bytes)
                    if hangsUp { try? connection.shutdown(.write) }
                    while let more = try? connection.read(count: 65536), !more.isEmpty {}
                    return nil
                }
            }
            group.addTask { try await onOwnThread { try body("\(root)/socket") } }
            var result: Result?
            while let next = try await group.next() { if let next { result = next } }
            guard let result else { throw StoreError(.unreachable, "no result") }
            return result
        }
    }

    private func failure(_ script: Script, _ body: @escaping @Sendable (DaemonStore) throws -> Void) async throws
        -> String
    {
        try await against(script) { socket in
            do {
                try body(try DaemonStore(socket: socket))
                return "no error"
            } catch { return "\(error)" }
        }
    }

    private let path = "/nix/store/5jf5r6h3wscvfcl4yx9lk164r95m11qh-c"

    @Test func answersAreRead() async throws {
        for minor in [23, 25, 34, 35, 37] as [UInt64] {
            var script = Script.greeting(minor: minor)
            script.put(Script.last, 1)
            let answer = try await against(script) { [path] socket in
                let store = try DaemonStore(socket: socket)
                return "\(try store.isValid(try store.directory.parse(path))) \(try store.ping().protocolVersion)"
            }
            #expect(answer == "true 1.\(minor)")
        }
    }

    @Test func newerDaemonsAreSpokenToAsWeCan() async throws {
        var script = Script()
        script.put(0x6478_696F, 0x126)
        script.put("2.30.0")
        script.put(1, Script.last, Script.last)
        let version = try await against(script) { try DaemonStore(socket: $0).ping().protocolVersion }
        #expect(version == "1.37")
    }

    @Test func notADaemon() async throws {
        var script = Script()
        script.bytes = Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
        #expect(try await failure(script) { _ in }.contains("no Nix daemon"))
        #expect(try await failure(Script()) { _ in }.contains("closed the connection"))
        var old = Script()
        old.put(0x6478_696F, 0x10A)
        #expect(try await failure(old) { _ in }.contains("1.10"))
    }

    @Test func messagesBeforeTheAnswer() async throws {
        var script = Script.greeting()
        script.put(0x6F6C_6D67)
        script.put("building\n")
        script.put(0x5354_5254, 7, 3, 105)
        script.put("an activity")
        script.put(2, 0, 5, 1)
        script.put("field")
        script.put(0, 0x5253_4C54, 7, 101, 1, 1)
        script.put("a line")
        script.put(0x5354_4F50, 7, Script.last, 0)
        let path = path
        let events = try await against(script) { socket in
            let events = Events()
            let store = try DaemonStore(socket: socket, onEvent: { events.add($0) })
            _ = try store.isValid(try store.directory.parse(path))
            return events.all
        }
        #expect(
            events == [
                .message("building"),
                .start(
                    id: 7, level: 3, kind: 105, text: "an activity", fields: [.number(5), .text("field")], parent: 0),
                .result(id: 7, kind: 101, fields: [.text("a line")]), .stop(id: 7),
            ])
    }

    @Test func failuresAreTheDaemonsWords() async throws {
        var script = Script.greeting()
        script.put(Script.failure)
        script.put("Error")
        script.put(0)
        script.put("Error")
        script.put("\u{1B}[31;1mpath\u{1B}[0m is bad")
        script.put(0, 1, 0)
        script.put("while testing")
        // The connection goes on.
        script.put(Script.last, 1)
        let path = path
        let text = try await against(script) { socket in
            let store = try DaemonStore(socket: socket)
            let object = try store.directory.parse(path)
            do { _ = try store.isValid(object) } catch { return "\(error) \(try store.isValid(object))" }
            return "no error"
        }
        #expect(text == "path is bad\n… while testing true")
    }

    @Test func hostileAnswers() async throws {
        let path = path
        let ask: @Sendable (DaemonStore) throws -> Void = { store in
            _ = try store.info(of: try store.directory.parse(path))
        }
        // No such message; a string and a list without end; padding; a path elsewhere; a wrong hash; cut short.
        var unknown = Script.greeting()
        unknown.put(0x1234)
        #expect(try await failure(unknown, ask).contains("no message"))
        var long = Script.greeting()
        long.put(0x6F6C_6D67, UInt64.max)
        #expect(try await failure(long, ask).contains("makes no sense"))
        var list = Script.greeting()
        list.put(Script.last, 1)
        list.put("")
        list.put(Hash(.sha256, of: "").text(.base16))
        list.put(UInt64.max)
        #expect(try await failure(list, ask).contains("makes no sense"))
        var padded = Script.greeting()
        padded.put(0x6F6C_6D67, 1)
        padded.bytes += [0x41, 0, 0, 0, 0, 0, 0, 1]
        #expect(try await failure(padded, ask).contains("padding"))
        var elsewhere = Script.greeting()
        elsewhere.put(Script.last, 1)
        elsewhere.put("/etc/passwd")
        #expect(try await failure(elsewhere, ask).contains("wrong store path"))
        var wrongHash = Script.greeting()
        wrongHash.put(Script.last, 1)
        wrongHash.put("")
        wrongHash.put("xyz")
        #expect(try await failure(wrongHash, ask).contains("wrong hash"))
        var short = Script.greeting()
        short.put(Script.last, 1)
        short.put("")
        #expect(try await failure(short, ask).contains("closed the connection"))
        var asks = Script.greeting()
        asks.put(0x6461_7461, 100)
        #expect(try await failure(asks, ask).contains("asks for bytes"))
    }

    @Test func randomBytesAreAnError() async throws {
        for _ in 0..<60 {
            var script = Script.greeting()
            script.put([Script.last, Script.failure, 0x6F6C_6D67, 0x5354_5254].randomElement() ?? 0)
            script.bytes += (0..<Int.random(in: 0...200)).map { _ in UInt8.random(in: 0...255) }
            let path = path
            let text = try await failure(script) { store in
                guard try store.info(of: try store.directory.parse(path)) != nil else { return }
            }
            #expect(!text.isEmpty)
        }
    }

    @Test func nobodyListens() {
        let error = #expect(throws: StoreError.self) { try DaemonStore(socket: "/nonexistent/socket") }
        #expect(error?.reason.contains("nix-daemon") == true)
    }
}

/// Events from several threads.
private final class Events: Sendable {
    private let list = Mutex<[DaemonEvent]>([])
    var all: [DaemonEvent] { list.withLock { $0 } }
    func add(_ event: DaemonEvent) { list.withLock { $0.append(event) } }
}
