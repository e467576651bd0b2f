import EngineAPI
import Glibc
import NIOCore
import Synchronization
import Testing

@Suite(.serialized) struct HTTPServerTests {
    private func echo() -> Router {
        var router = Router()
        router.get("/hello") { _ in .text("hello") }
        router.head("/hello") { _ in .text("hello") }
        router.post("/count") { request in
            var count = 0
            for try await chunk in request.body { count += chunk.readableBytes }
            return .text("counted \(count)")
        }
        router.post("/small") { request in .text("\(try await request.body.collect(limit: 10).count)") }
        router.post("/ignore") { _ in .failure(.conflict, "not wanted") }
        router.get("/three") { _ in
            .stream(contentType: "text/plain") { writer in for n in 1...3 { try await writer.write("part \(n);") } }
        }
        router.get("/broken") { _ in
            .stream(contentType: "text/plain") { writer in
                try await writer.write("begun")
                throw HTTPFailure(.internalServerError, "the disk is gone")
            }
        }
        return router
    }

    @Test func answersAndKeepsTheConnection() async throws {
        try await TestServer.with(echo()) { server in
            let client = try server.connect()
            for _ in 1...3 {
                try await client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
                let answer = try await client.receive(until: "hello")
                #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
                #expect(answer.contains("Content-Length: 5\r\n"))
                #expect(answer.contains("Server: test\r\n"))
                #expect(!answer.contains("Connection: close"))
            }
        }
    }

    @Test func answersPipelinedRequestsInOrder() async throws {
        try await TestServer.with(echo()) { server in
            let client = try server.connect()
            try await client.send(
                "GET /hello HTTP/1.1\r\n\r\nPOST /count HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /three HTTP/1.1\r\n\r\n"
                    + "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n")
            let answers = try await client.receiveAll()
            #expect(answers.split(separator: "HTTP/1.1 200 OK").count == 4)
            let first = try #require(answers.firstRange(of: "hello")).lowerBound
            let second = try #require(answers.firstRange(of: "counted 3")).lowerBound
            let third = try #require(answers.firstRange(of: "part 3;")).lowerBound
            #expect(first < second && second < third)
            #expect(answers.hasSuffix("hello"))
        }
    }

    @Test func leavesTheBodyOutOfHead() async throws {
        try await TestServer.with(echo()) { server in
            let client = try server.connect()
            try await client.send("HEAD /hello HTTP/1.1\r\nConnection: close\r\n\r\n")
            let answer = try await client.receiveAll()
            #expect(answer.contains("Content-Length: 5\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n"))
        }
    }

    @Test func endsTheConnectionAfterHTTP10() async throws {
        try await TestServer.with(echo()) { server in
            let client = try server.connect()
            try await client.send("GET /three HTTP/1.0\r\n\r\n")
            let answer = try await client.receiveAll()
            #expect(answer.hasSuffix("\r\n\r\npart 1;part 2;part 3;"))
            #expect(!answer.contains("chunked"))
        }
    }

    @Test func streamsInChunks() async throws {
        try await TestServer.with(echo()) { server in
            let client = try server.connect()
            try await client.send("GET /three HTTP/1.1\r\n\r\n")
            let answer = try await client.receive(until: "0\r\n\r\n")
            #expect(answer.contains("Transfer-Encoding: chunked\r\n"))
            #expect(answer.hasSuffix("7\r\npart 1;\r\n7\r\npart 2;\r\n7\r\npart 3;\r\n0\r\n\r\n"))
        }
    }

    @Test func cutsAStreamThatFails() async throws {
        try await TestServer.with(echo()) { server in
            let client = try server.connect()
            try await client.send("GET /broken HTTP/1.1\r\n\r\n")
            let answer = try await client.receiveAll()
            #expect(answer.hasSuffix("5\r\nbegun\r\n"), "without the last chunk the client knows that it is not whole")
        }
    }

    @Test func sendsTheHeadBeforeTheBodyIsThere() async throws {
        let holder = Gate()
        var router = Router()
        router.post("/wait") { _ in
            .stream(contentType: "application/json") { writer in
                await holder.wait()
                try await writer.write("{}")
            }
        }
        try await TestServer.with(router) { server in
            let client = try server.connect()
            try await client.send("POST /wait HTTP/1.1\r\n\r\n")
            let head = try await client.receive(until: "\r\n\r\n")
            #expect(head.hasSuffix("\r\n\r\n"))
            await holder.open()
            #expect(try await client.receive(until: "0\r\n\r\n").contains("{}"))
        }
    }

    @Test func takesChunkedBodiesOfAnySize() async throws {
        try await TestServer.with(echo()) { server in
            let client = try server.connect()
            try await client.send("POST /count HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = Array("10000\r\n".utf8) + [UInt8](repeating: 7, count: 0x10000) + Array("\r\n".utf8)
            for _ in 0..<200 { try await client.send(chunk) }
            try await client.send("0\r\n\r\n")
            #expect(try await client.receive(until: "counted").contains("counted \(200 * 0x10000)"))
        }
    }

    @Test func stopsReadingWhenNobodyTakesTheBody() async throws {
        let holder = Gate()
        var router = Router()
        router.post("/slow") { request in
            await holder.wait()
            var count = 0
            for try await chunk in request.body { count += chunk.readableBytes }
            return .text("counted \(count)")
        }
        try await TestServer.with(router) { server in
            let client = try server.connect()
            let size = 8 << 20
            try await client.send("POST /slow HTTP/1.1\r\nContent-Length: \(size)\r\n\r\n")
            // What fits the socket and the marks goes; then the client must block.
            var sent = 0
            let piece = [UInt8](repeating: 1, count: 65536)
            while sent < size {
                let count = Glibc.send(
                    client.descriptor, piece, min(piece.count, size - sent), CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
                if count < 0 {
                    try await Task.sleep(for: .milliseconds(200))
                    let again = Glibc.send(
                        client.descriptor, piece, min(piece.count, size - sent), CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
                    if again < 0 { break }
                    sent += again
                } else {
                    sent += count
                }
            }
            #expect(sent < 4 << 20)
            await holder.open()
            try await client.send([UInt8](repeating: 1, count: size - sent))
            #expect(try await client.receive(until: "counted").contains("counted \(size)"))
        }
    }

    @Test func asksForTheBodyOnlyWhenItIsWanted() async throws {
        try await TestServer.with(echo()) { server in
            let client = try server.connect()
            try await client.send("POST /count HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            #expect(try await client.receiveText() == "HTTP/1.1 100 Continue\r\n\r\n")
            try await client.send("abc")
            #expect(try await client.receive(until: "counted 3").contains("200 OK"))

            let other = try server.connect()
            try await other.send("POST /ignore HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            let answer = try await other.receiveAll()
            #expect(answer.hasPrefix("HTTP/1.1 409 Conflict\r\n"))
            #expect(answer.contains("Connection: close"))
        }
    }

    @Test func refusesBodiesBeyondTheLimit() async throws {
        try await TestServer.with(echo()) { server in
            let client = try server.connect()
            try await client.send("POST /small HTTP/1.1\r\nContent-Length: 11\r\n\r\n12345678901")
            #expect(try await client.receive(until: "}").hasPrefix("HTTP/1.1 413 "))
            let chunked = try server.connect()
            try await chunked.send(
                "POST /small HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n")
            #expect(try await chunked.receive(until: "}").hasPrefix("HTTP/1.1 413 "))
        }
    }

    @Test func answersBeforeABodyThatItDoesNotRead() async throws {
        try await TestServer.with(echo()) { server in
            let client = try server.connect()
            try await client.send("POST /ignore HTTP/1.1\r\nContent-Length: 50000000\r\n\r\n")
            try await client.send([UInt8](repeating: 0, count: 100_000))
            let answer = try await client.receive(until: "}")
            #expect(answer.contains("{\"message\":\"not wanted\"}"))

            // A short one is read past.
            let short = try server.connect()
            try await short.send("POST /ignore HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345GET /hello HTTP/1.1\r\n\r\n")
            #expect(try await short.receive(until: "hello").contains("409"))
        }
    }

    @Test(arguments: [
        "FOO\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", "GET /\u{0} HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nNo colon here\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /count HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        "POST /count HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "POST /count HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "GET /%zz HTTP/1.1\r\n\r\n", "GET /hello?a=%4 HTTP/1.1\r\n\r\n",
    ])
    func refusesWhatIsNoHTTP(_ request: String) async throws {
        try await TestServer.with(echo()) { server in
            let client = try server.connect()
            try await client.send(request)
            client.closeSending()
            let answer = try await client.receiveAll()
            #expect(answer.hasPrefix("HTTP/1.1 400 ") || answer.isEmpty)
            // And the server lives.
            let next = try server.connect()
            try await next.send("GET /hello HTTP/1.1\r\n\r\n")
            #expect(try await next.receive(until: "hello").contains("200 OK"))
        }
    }

    @Test func refusesHeadersWithoutEnd() async throws {
        try await TestServer.with(echo()) { server in
            let client = try server.connect()
            try await client.send("GET /hello HTTP/1.1\r\nX: " + String(repeating: "a", count: 400_000))
            #expect(try await client.receiveAll().hasPrefix("HTTP/1.1 431 "))
            let many = try server.connect()
            try await many.send("GET /hello HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 2000) + "\r\n")
            #expect(try await many.receiveAll().hasPrefix("HTTP/1.1 431 "))
        }
    }

    @Test func keepsLineBreaksOutOfHeaders() async throws {
        var router = Router()
        router.get("/evil") { _ in HTTPResponse(.ok, headers: ["X-Path": "a\r\nSet-Cookie: b"]) }
        try await TestServer.with(router) { server in
            let client = try server.connect()
            try await client.send("GET /evil HTTP/1.1\r\nConnection: close\r\n\r\n")
            #expect(!(try await client.receiveAll()).contains("\r\nSet-Cookie"))
        }
    }

    @Test func cancelsWhenTheClientLeaves() async throws {
        let ended = Gate()
        var router = Router()
        router.get("/follow") { _ in
            .stream(contentType: "text/plain") { writer in
                try await writer.write("first")
                do { try await Task.sleep(for: .seconds(60)) } catch {
                    await ended.open()
                    throw error
                }
            }
        }
        try await TestServer.with(router) { server in
            let client = try server.connect()
            try await client.send("GET /follow HTTP/1.1\r\n\r\n")
            _ = try await client.receive(until: "first")
            client.close()
            await ended.wait()
        }
    }

    @Test func finishesWhatChangesThingsWhenTheClientLeaves() async throws {
        let begun = Gate()
        let ended = Gate()
        var router = Router()
        router.post("/change") { _ in
            await begun.open()
            try await Task.sleep(for: .milliseconds(200))
            await ended.open()
            return .empty(.noContent)
        }
        try await TestServer.with(router) { server in
            let client = try server.connect()
            try await client.send("POST /change HTTP/1.1\r\n\r\n")
            await begun.wait()
            client.close()
            await ended.wait()
        }
    }

    @Test func takesConstantMemoryForAClientThatDoesNotRead() async throws {
        let count = Counter()
        var router = Router()
        router.get("/flood") { _ in
            .stream(contentType: "text/plain") { writer in
                let piece = [UInt8](repeating: 65, count: 65536)
                while true {
                    try await writer.write(piece)
                    count.add(piece.count)
                }
            }
        }
        try await TestServer.with(router) { server in
            let client = try server.connect()
            try await client.send("GET /flood HTTP/1.1\r\n\r\n")
            try await Task.sleep(for: .milliseconds(300))
            #expect(count.value > 0)
            #expect(count.value < 4 << 20)
            client.close()
        }
    }
}

/// Opens once.
actor Gate {
    private var isOpen = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    func open() {
        isOpen = true
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    func wait() async {
        if isOpen { return }
        await withCheckedContinuation { waiters.append($0) }
    }
}

final class Counter: Sendable {
    private let count = Mutex(0)
    func add(_ amount: Int) { count.withLock { $0 += amount } }
    var value: Int { count.withLock { $0 } }
}
