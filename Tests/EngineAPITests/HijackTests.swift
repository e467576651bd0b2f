import EngineAPI
import Glibc
import NIOCore
import Testing

@Suite(.serialized) struct HijackTests {
    /// A server whose `/attach` hands over one end of a socket pair, and the other end.
    private func attach(
        detachKeys: [UInt8] = [], prelude: [String] = [], _ body: (TestServer, CInt) async throws -> Void
    ) async throws {
        let (ours, theirs) = socketPair()
        let source = Lines(prelude)
        var router = Router()
        router.post("/attach") { request in
            _ = try await request.body.collect(limit: 100)
            var stream = Hijack.Stream(descriptor: ours)
            stream.detachKeys = detachKeys
            if !prelude.isEmpty { stream.prelude = { await source.next() } }
            let hijack = Hijack(contentType: "application/vnd.docker.raw-stream") { [stream] in stream }
            return HTTPResponse(body: .hijack(hijack))
        }
        router.post("/refuse") { _ in throw HTTPFailure(.notFound, "No such container: x") }
        try await TestServer.with(router) { try await body($0, theirs) }
        close(theirs)
    }

    private func receive(_ descriptor: CInt, _ limit: Int = 4096) async throws -> String {
        String(decoding: try await socketReceive(descriptor, limit), as: UTF8.self)
    }

    private let upgrade = "POST /attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}"

    @Test func passesBytesBothWaysAndEachEndByItself() async throws {
        try await attach { server, stream in
            let client = try server.connect()
            try await client.send(upgrade)
            let head = try await client.receive(until: "\r\n\r\n")
            #expect(head.hasPrefix("HTTP/1.1 101 UPGRADED\r\n"))
            #expect(head.contains("Content-Type: application/vnd.docker.raw-stream\r\n"))
            #expect(head.contains("Connection: Upgrade\r\n") && head.contains("Upgrade: tcp\r\n"))

            try await client.send("typed")
            #expect(try await receive(stream) == "typed")
            send(stream, "shown", 5, 0)
            #expect(try await client.receiveText() == "shown")

            // The end of the input is passed on, and the output goes on.
            client.closeSending()
            #expect(try await receive(stream) == "")
            send(stream, "still", 5, 0)
            #expect(try await client.receiveText() == "still")

            // The end of the output ends the connection.
            shutdown(stream, CInt(SHUT_WR))
            #expect(try await client.receiveAll() == "")
        }
    }

    @Test func answersOKWithoutUpgrade() async throws {
        try await attach { server, stream in
            let client = try server.connect()
            try await client.send("POST /attach HTTP/1.1\r\n\r\n")
            let head = try await client.receive(until: "\r\n\r\n")
            #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(!head.contains("chunked") && !head.contains("Content-Length"))
            send(stream, "shown", 5, 0)
            shutdown(stream, CInt(SHUT_WR))
            #expect(try await client.receiveAll() == "shown")
        }
    }

    @Test func passesOnWhatCameWithTheRequest() async throws {
        try await attach { server, stream in
            let client = try server.connect()
            try await client.send(upgrade + "early")
            #expect(try await receive(stream) == "early")
            try await client.send("late")
            #expect(try await receive(stream) == "late")
        }
    }

    @Test func sendsThePreludeFirst() async throws {
        try await attach(prelude: ["old ", "log "]) { server, stream in
            send(stream, "new", 3, 0)
            shutdown(stream, CInt(SHUT_WR))
            let client = try server.connect()
            try await client.send(upgrade)
            #expect(try await client.receiveAll().hasSuffix("\r\n\r\nold log new"))
        }
    }

    @Test func sendsNothingTogetherWithTheHead() async throws {
        for _ in 0..<5 {
            try await attach { server, stream in
                send(stream, "quick", 5, 0)
                let client = try server.connect()
                try await client.send(upgrade)
                // As a client that reads the head through a buffer of its own would.
                #expect(try await client.receiveText().hasSuffix("\r\n\r\n"))
                #expect(try await client.receiveText() == "quick")
            }
        }
    }

    @Test func endsTheStreamWhenTheClientLeaves() async throws {
        try await attach { server, stream in
            let client = try server.connect()
            try await client.send(upgrade)
            _ = try await client.receive(until: "\r\n\r\n")
            client.close()
            #expect(try await receive(stream) == "")
            // Both ways: writing fails once the other end is closed.
            var failed = false
            for _ in 0..<100 where !failed {
                failed = send(stream, "x", 1, CInt(MSG_NOSIGNAL)) < 0
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(failed)
        }
    }

    @Test func holdsBackForASlowClient() async throws {
        try await attach { server, stream in
            let client = try server.connect()
            try await client.send(upgrade)
            _ = try await client.receive(until: "\r\n\r\n")
            let piece = [UInt8](repeating: 66, count: 65536)
            var sent = 0
            var refusals = 0
            while refusals < 10 && sent < 64 << 20 {
                let count = send(stream, piece, piece.count, CInt(MSG_DONTWAIT))
                if count < 0 {
                    refusals += 1
                    try await Task.sleep(for: .milliseconds(20))
                } else {
                    sent += count
                }
            }
            #expect(sent < 4 << 20)
            shutdown(stream, CInt(SHUT_WR))
            #expect(try await client.receiveAll().utf8.count == sent)
        }
    }

    @Test func leavesAtTheDetachKeys() async throws {
        try await attach(detachKeys: DetachSequence.standard) { server, stream in
            let client = try server.connect()
            try await client.send(upgrade)
            _ = try await client.receive(until: "\r\n\r\n")
            try await client.send([UInt8(ascii: "a"), 16])
            #expect(try await receive(stream) == "a")
            try await client.send([17, UInt8(ascii: "b")])
            #expect(try await client.receiveAll() == "")
            #expect(try await receive(stream) == "", "the keys themselves and what follows do not arrive")
        }
    }

    @Test func closesAfterARefusedUpgrade() async throws {
        try await attach { server, _ in
            let client = try server.connect()
            try await client.send("POST /refuse HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
            let answer = try await client.receiveAll()
            #expect(answer.hasPrefix("HTTP/1.1 404 Not Found\r\n"))
            #expect(answer.contains("{\"message\":\"No such container: x\"}"))
        }
    }

    @Test func endsCleanlyForAClientWhoseInputNobodyReads() async throws {
        try await attach { server, stream in
            let client = try server.connect()
            try await client.send(upgrade)
            _ = try await client.receive(until: "\r\n\r\n")
            // More than the sockets on the way hold: some of it stays unread.
            let piece = [UInt8](repeating: 65, count: 65536)
            for _ in 0..<10 {
                while send(client.descriptor, piece, piece.count, CInt(MSG_DONTWAIT)) > 0 {}
                try await Task.sleep(for: .milliseconds(5))
            }
            send(stream, "last", 4, 0)
            shutdown(stream, CInt(SHUT_WR))
            var text = ""
            while true {
                var buffer = [UInt8](repeating: 0, count: 100)
                let count = try await patiently { recv(client.descriptor, &buffer, buffer.count, CInt(MSG_DONTWAIT)) }
                #expect(count >= 0, "the connection broke with error \(errno)")
                guard count > 0 else { break }
                text += String(decoding: buffer.prefix(count), as: UTF8.self)
            }
            #expect(text == "last")
        }
    }

    @Test func leavesNoConnectionBehind() async throws {
        try await attach { server, stream in
            let client = try server.connect()
            try await client.send(upgrade)
            _ = try await client.receive(until: "\r\n\r\n")
            #expect(server.connectionCount == 1)
            shutdown(stream, CInt(SHUT_WR))
            _ = try await client.receiveAll()
            client.close()
            for _ in 0..<100 where server.connectionCount > 0 { try await Task.sleep(for: .milliseconds(10)) }
            #expect(server.connectionCount == 0)
        }
    }
}

actor Lines {
    private var rest: [String]
    init(_ lines: [String]) { rest = lines }
    func next() -> ByteBuffer? { rest.isEmpty ? nil : ByteBuffer(string: rest.removeFirst()) }
}
