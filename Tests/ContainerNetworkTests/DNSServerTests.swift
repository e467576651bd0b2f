import Kernel
import Synchronization
import Testing

@testable import ContainerNetwork

@Suite struct DNSServerTests {
    private static func table() -> NameTable {
        let table = NameTable(network: "front")
        table.set(
            "1", .init(name: "web", aliases: ["www"], addresses: [InternetAddress(ipv4: 172, 20, 0, 2)]))
        for index in 1...40 {
            table.set(
                "s\(index)",
                .init(
                    name: "svc-\(index)", aliases: ["svc"],
                    addresses: [InternetAddress(ipv4: 172, 20, 1, UInt8(index))]))
        }
        table.set("6", .init(name: "six", addresses: [InternetAddress("fd00::6")].compactMap { $0 }))
        return table
    }

    private static func served(
        _ upstreams: [Upstream] = [], forwards: Bool = true, hasNdots: Bool = false,
        options: NameServer.Options = .init()
    ) async throws -> ServedNames {
        try await ServedNames(
            .init(
                names: NameScope([.init(table())]), upstreams: .servers(upstreams), forwardsThroughHost: forwards,
                hasNdots: hasNdots), options: options)
    }

    @Test func namesOfTheNetworksAreAnswered() async throws {
        let names = try await Self.served()
        let reply = try await names.ask(Wire.query("WEB", 1))
        #expect(Wire.answers(reply) == [[172, 20, 0, 2]])
        #expect(Wire.timeToLive(reply) == 600)
        #expect(reply[2] == 0x81 && reply[3] == 0x80)
        #expect(Array(reply[..<2]) == [0x12, 0x34])
        #expect(try await Wire.answers(names.ask(Wire.query("www.front", 1))) == [[172, 20, 0, 2]])
        let none = try await names.ask(Wire.query("web", 28))
        #expect(Wire.code(none) == 0 && Wire.answerCount(none) == 0)
        let six = try await names.ask(Wire.query("six", 28))
        #expect(Wire.answers(six) == [[0xfd] + [UInt8](repeating: 0, count: 14) + [6]])
        let mail = try await names.ask(Wire.query("web", 15))
        #expect(Wire.code(mail) == 0 && Wire.answerCount(mail) == 0)
        let pointer = try await names.ask(Wire.query("2.0.20.172.in-addr.arpa", 12))
        #expect(Wire.answers(pointer) == [Wire.name("web.front")])
        // Nobody to ask.
        #expect(try await Wire.code(names.ask(Wire.query("elsewhere", 1))) == 2)
        try await names.stop()
    }

    @Test func servicesAreShuffledAndCutToSize() async throws {
        let names = try await Self.served()
        let cut = try await names.ask(Wire.query("svc", 1))
        #expect(Wire.isTruncated(cut) && cut.count <= 512 && Wire.answerCount(cut) == 30)
        let whole = try await names.ask(Wire.query("svc", 1, edns: 1232))
        #expect(!Wire.isTruncated(whole) && Wire.answerCount(whole) == 40)
        let streamed = try await names.askByStream([Wire.query("svc", 1), Wire.query("web", 1)])
        #expect(Wire.answerCount(streamed[0]) == 40 && Wire.answerCount(streamed[1]) == 1)
        var orders: Set<[[UInt8]]> = []
        for _ in 0..<8 { orders.insert(Wire.answers(try await names.ask(Wire.query("svc", 1, edns: 1232)))) }
        #expect(orders.count > 1)
        #expect(orders.allSatisfy { Set($0).count == 40 })
        try await names.stop()
    }

    @Test func hostileMessagesAreAnsweredShortly() async throws {
        let names = try await Self.served()
        #expect(try await Wire.code(names.ask(Array(Wire.query("web", 1)[..<15]))) == 1)
        #expect(try await Wire.code(names.ask(Wire.query("web", 1) + [UInt8](repeating: 0, count: 60_000))) == 1)
        // Not to be answered: the next answer is the next query's.
        let port = names.port
        let reply = try await blocking {
            let socket = try Socket.connect(.udp, to: endpoint(port))
            try socket.writeAll(Wire.response(Wire.query("web", 1)))
            try socket.writeAll([1, 2, 3])
            try socket.writeAll(Wire.query("web", 1, id: 77))
            return try receiveDatagram(socket)
        }
        #expect(Array(reply[..<2]) == [0, 77])
        let big = [UInt8](repeating: 0xc0, count: 65535)
        _ = try await names.askByStream([big])
        #expect(try await Wire.answers(names.ask(Wire.query("web", 1))) == [[172, 20, 0, 2]])
        try await names.stop()
    }

    @Test func otherNamesAreForwardedAsTheyCame() async throws {
        let upstream = try await FakeUpstream { query, _ in [Wire.response(query, addresses: [[9, 9, 9, 9]])] }
        let names = try await Self.served([upstream.upstream()])
        let query = Wire.query("elsewhere", 1, edns: 4000)
        let reply = try await names.ask(query)
        #expect(Array(reply[..<2]) == [0x12, 0x34])
        #expect(Wire.answers(reply) == [[9, 9, 9, 9]])
        #expect(Array(upstream.queries[0].message[2...]) == Array(query[2...]))
        #expect(try await Wire.answers(names.askByStream([query])[0]) == [[9, 9, 9, 9]])
        #expect(upstream.queries[1].isStream)
        // Unknown addresses in reverse, and types that are not ours.
        #expect(try await Wire.answers(names.ask(Wire.query("8.8.8.8.in-addr.arpa", 12))) == [[9, 9, 9, 9]])
        #expect(try await Wire.answers(names.ask(Wire.query("web", 16))) == [[9, 9, 9, 9]])
        try await names.stop()
        upstream.stop()
    }

    @Test func identifiersAreRandom() async throws {
        let upstream = try await FakeUpstream { query, _ in [Wire.response(query, addresses: [[9, 9, 9, 9]])] }
        let names = try await Self.served([upstream.upstream()])
        for index in 0..<20 { _ = try await names.ask(Wire.query("n\(index)", 1, id: 7)) }
        #expect(Set(upstream.queries.map { [$0.message[0], $0.message[1]] }).count > 10)
        try await names.stop()
        upstream.stop()
    }

    @Test func falseAnswersGoUnheard() async throws {
        let upstream = try await FakeUpstream { query, _ in
            var wrongNumber = Wire.response(query, addresses: [[6, 6, 6, 6]])
            wrongNumber[0] ^= 1
            var wrongName = Wire.response(query, addresses: [[6, 6, 6, 6]])
            wrongName[13] = UInt8(ascii: "z")
            return [wrongNumber, wrongName, query, [], [1], Wire.response(query, addresses: [[9, 9, 9, 9]])]
        }
        let names = try await Self.served([upstream.upstream()])
        #expect(try await Wire.answers(names.ask(Wire.query("elsewhere", 1))) == [[9, 9, 9, 9]])
        try await names.stop()
        upstream.stop()
    }

    @Test func truncatedAnswersAreFetchedByStream() async throws {
        let many = (0..<60).map { [10, 0, 0, UInt8($0)] }
        let upstream = try await FakeUpstream { query, isStream in
            [isStream ? Wire.response(query, addresses: many) : Wire.response(query, isTruncated: true)]
        }
        let names = try await Self.served([upstream.upstream()])
        let whole = try await names.ask(Wire.query("elsewhere", 1, edns: 4096))
        #expect(Wire.answerCount(whole) == 60 && !Wire.isTruncated(whole))
        let cut = try await names.ask(Wire.query("elsewhere", 1))
        #expect(Wire.isTruncated(cut) && Wire.answerCount(cut) == 0 && cut.count <= 512)
        #expect(try await Wire.answerCount(names.askByStream([Wire.query("elsewhere", 1)])[0]) == 60)
        try await names.stop()
        upstream.stop()
    }

    @Test func theNextServerIsAsked() async throws {
        let silent = try await FakeUpstream { _, _ in [] }
        let failing = try await FakeUpstream { query, _ in [Wire.response(query, code: 2)] }
        let refusing = try await FakeUpstream { query, _ in [Wire.response(query, code: 5)] }
        let good = try await FakeUpstream { query, _ in [Wire.response(query, code: 3)] }
        // A socket that hears from one port only: for all others nobody is there.
        let deaf = try Socket.bind(.udp, endpoint(0))
        try deaf.connect(to: endpoint(9))
        let closed = try deaf.localEndpoint().port
        // Long enough for the good one on a busy machine.
        let options = NameServer.Options(upstreamTimeoutMilliseconds: 1000)
        for bad in [
            silent.upstream(), failing.upstream(), refusing.upstream(), Upstream(loopback, port: closed, from: .host),
        ] {
            let names = try await Self.served([bad, good.upstream()], options: options)
            #expect(try await Wire.code(names.ask(Wire.query("elsewhere", 1))) == 3)
            #expect(try await Wire.code(names.askByStream([Wire.query("elsewhere", 1)])[0]) == 3)
            try await names.stop()
        }
        let none = try await Self.served([silent.upstream(), failing.upstream()], options: options)
        #expect(try await Wire.code(none.ask(Wire.query("elsewhere", 1))) == 2)
        try await none.stop()
        withExtendedLifetime(deaf) {}
        for server in [silent, failing, refusing, good] { server.stop() }
    }

    @Test func internalNetworksDoNotAskThroughTheHost() async throws {
        let upstream = try await FakeUpstream { query, _ in [Wire.response(query, addresses: [[9, 9, 9, 9]])] }
        let names = try await Self.served([upstream.upstream()], forwards: false)
        #expect(try await Wire.code(names.ask(Wire.query("elsewhere", 1))) == 2)
        #expect(upstream.queries.isEmpty)
        try await names.stop()
        upstream.stop()
    }

    @Test func unknownSingleLabelsWaitForSearchDomains() async throws {
        let upstream = try await FakeUpstream { query, _ in [Wire.response(query, addresses: [[9, 9, 9, 9]])] }
        let names = try await Self.served([upstream.upstream()], hasNdots: true)
        let empty = try await names.ask(Wire.query("elsewhere", 1))
        #expect(Wire.code(empty) == 0 && Wire.answerCount(empty) == 0)
        #expect(try await Wire.answers(names.ask(Wire.query("else.where", 1))) == [[9, 9, 9, 9]])
        try await names.stop()
        upstream.stop()
    }

    @Test func weAreNotOurOwnUpstream() async throws {
        let names = try await Self.served()
        let own = Upstream(loopback, port: names.port, from: .container)
        let address = Upstream(NameServerSockets.address, from: .container)
        try await names.server.update(
            "c", configuration: .init(names: NameScope(), upstreams: .servers([own, address])))
        #expect(try await Wire.code(names.ask(Wire.query("elsewhere", 1))) == 2)
        // By way of somebody else it is a loop, which is cut.
        let around = Upstream(loopback, port: names.port, from: .host)
        try await names.server.update("c", configuration: .init(names: NameScope(), upstreams: .servers([around])))
        let code = try await Wire.code(names.ask(Wire.query("elsewhere", 1)))
        #expect(code == 2 || code == 5)
        try await names.stop()
    }

    @Test func pendingQueriesAreBounded() async throws {
        let silent = try await FakeUpstream { _, _ in [] }
        let names = try await Self.served([silent.upstream()], options: .init(maximumPending: 10))
        let port = names.port
        let reply = try await blocking {
            let socket = try Socket.connect(.udp, to: endpoint(port))
            for index in 0...10 { try socket.writeAll(Wire.query("n\(index)", 1, id: index)) }
            return try receiveDatagram(socket)
        }
        #expect(Wire.code(reply) == 5 && reply[1] == 10)
        try await names.stop()
        silent.stop()
    }

    @Test func hostFileIsFollowed() async throws {
        let directory = try FileDescriptor.currentDirectory.makeTemporaryDirectory(in: "/tmp")
        defer { try? FileDescriptor.currentDirectory.removeTree(directory) }
        let thread = try EventThread()
        let box = LoopBound<HostResolvConfWatch>()
        let (changes, continuation) = AsyncStream<[String]>.makeStream()
        let location = HostResolvConf(path: directory + "/resolv.conf", pathBesideStub: directory + "/none")
        try await thread.run { loop in
            _ = try box.value(on: loop) {
                try HostResolvConfWatch(location, on: loop) { continuation.yield($0.nameServers.map(\.text)) }
            }
        }
        var iterator = changes.makeAsyncIterator()
        #expect(await iterator.next() == [])
        try FileDescriptor.currentDirectory.replaceFile(location.path, with: Array("nameserver 192.0.2.1\n".utf8))
        while let servers = await iterator.next() { if servers == ["192.0.2.1"] { break } }
        try FileDescriptor.currentDirectory.writeFile(location.path, "nameserver 192.0.2.2\n", creating: true)
        while let servers = await iterator.next() { if servers == ["192.0.2.2"] { break } }
        try FileDescriptor.currentDirectory.unlink(location.path)
        while let servers = await iterator.next() { if servers.isEmpty { break } }
        withExtendedLifetime(box) {}
        thread.shutDown()
    }

    /// A container's own servers are asked from its network namespace, and the namespace ends with the server.
    @Test(.enabled(if: getuidIsRoot())) func upstreamsOfTheContainerAreAskedFromThere() async throws {
        let inside = try await blocking {
            try Namespaces.unshare(.network)
            try bringLoopbackUp()
            let upstream = try Socket.bind(.udp, endpoint(0))
            let client = try Socket.make(.udp, .internet)
            let sockets = try NameServerSockets.open()
            try client.connect(to: endpoint(53, NameServerSockets.address))
            return (upstream, client, sockets)
        }
        let (upstream, client, sockets) = inside
        let port = try upstream.localEndpoint().port
        let thread = try EventThread()
        let server = NameServer(on: thread)
        try await server.open(
            "c", sockets: sockets,
            configuration: .init(
                names: NameScope([.init(Self.table())]),
                upstreams: .servers([Upstream(loopback, port: port, from: .container)])))
        let (local, remote) = try await blocking {
            try client.writeAll(Wire.query("web", 1))
            let local = try receiveDatagram(client)
            try client.writeAll(Wire.query("elsewhere", 1))
            let batch = DatagramBatch(capacity: 1, datagramSize: 512)
            _ = try until(upstream, .readable)
            _ = batch.receive(from: upstream)
            let reply = Wire.response(Array(batch.datagram(0)), addresses: [[9, 9, 9, 9]])
            let sender = batch.sender(0)
            batch.removeAll()
            reply.withUnsafeBytes { batch.append($0, to: sender, from: nil) }
            batch.send(on: upstream)
            return (local, try receiveDatagram(client))
        }
        #expect(Wire.answers(local) == [[172, 20, 0, 2]])
        #expect(Wire.answers(remote) == [[9, 9, 9, 9]])
        try await server.close("c")
        #expect(sockets.datagrams.rawValue == -1 && sockets.listener.rawValue == -1)
        thread.shutDown()
    }
}

func getuidIsRoot() -> Bool {
    ((try? FileDescriptor.currentDirectory.readText("/proc/self/status")) ?? "").contains("Uid:\t0\t")
}
