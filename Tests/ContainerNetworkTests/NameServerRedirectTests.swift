import Kernel
import Testing

@testable import ContainerNetwork

@Suite(.enabled(if: canUseNetwork)) struct NameServerRedirectTests {
    private let namespace: NetworkNamespace
    private let thread: EventThread
    private let server: NameServer
    private let configuration: NameServerConfiguration

    init() throws {
        namespace = try NetworkNamespace.make()
        try namespace.run { try bringLoopbackUp() }
        thread = try EventThread()
        server = NameServer(on: thread)
        let table = NameTable(network: "front")
        table.set("1", .init(name: "web", addresses: [InternetAddress(ipv4: 172, 20, 0, 2)]))
        configuration = NameServerConfiguration(names: NameScope([.init(table)]), upstreams: .servers([]))
    }

    private func open() async throws {
        let namespace = namespace
        let sockets = try await blocking { try NameServerSockets.open(in: namespace) }
        #expect(try sockets.datagramPort != 53 && sockets.listenerPort != 53)
        try await server.open("c", sockets: sockets, configuration: configuration)
    }

    private func stop() async throws {
        try await server.closeAll()
        thread.shutDown()
    }

    /// The answers to queries at 127.0.0.11:53 from within the namespace, by datagram and by stream. The sockets are
    /// connected: an answer from elsewhere does not reach them.
    private func ask() async throws -> [[[UInt8]]] {
        let namespace = namespace
        return try await blocking {
            let (datagrams, stream) = try namespace.run {
                (
                    try Socket.connect(.udp, to: endpoint(53, NameServerSockets.address)),
                    try Socket.connect(.tcp, to: endpoint(53, NameServerSockets.address))
                )
            }
            let query = Wire.query("web", 1)
            try datagrams.writeAll(query)
            let byDatagram = try receiveDatagram(datagrams)
            _ = try until(stream, .writable)
            try writeAll(Wire.word(query.count) + query, to: stream)
            let size = try readAll(stream, count: 2)
            let byStream = try readAll(stream, count: Int(size[0]) << 8 | Int(size[1]))
            return [Wire.answers(byDatagram), Wire.answers(byStream)]
        }
    }

    @Test func queriesReachTheServerAndPort53IsFree() async throws {
        try await open()
        #expect(try await ask() == [[[172, 20, 0, 2]], [[172, 20, 0, 2]]])
        // A server of the container's own.
        let own = try await blocking { [namespace] in
            try namespace.run {
                let everywhere = endpoint(53, InternetAddress(ipv4: 0, 0, 0, 0))
                return [try Socket.bind(.udp, everywhere), try Socket.bind(.tcp, everywhere)]
            }
        }
        #expect(try await ask() == [[[172, 20, 0, 2]], [[172, 20, 0, 2]]])
        withExtendedLifetime(own) {}
        try await stop()
    }

    @Test func aRestartedDaemonTakesOver() async throws {
        try await open()
        for _ in 0..<3 {
            try await open()
            #expect(try await ask() == [[[172, 20, 0, 2]], [[172, 20, 0, 2]]])
        }
        let rules = try await blocking { [namespace] in
            try namespace.run { try NFTablesLibrary().run("list ruleset\n") }
        }
        #expect(rules.split(separator: "\n").count { $0.contains("127.0.0.11") } == 4)
        #expect(!rules.contains("nat"))
        try await stop()
    }

    /// A container with a filter of its own that lets through what belongs to a connection that it began.
    @Test func connectionTrackingSeesOneConnection() async throws {
        try await open()
        try await blocking { [namespace] in
            try namespace.run {
                _ = try NFTablesLibrary().run(
                    """
                    table ip own {
                        chain output {
                            type filter hook output priority 0; policy drop;
                            ct state established,related accept
                            ct state new ip daddr 127.0.0.11 accept
                        }
                        chain input {
                            type filter hook input priority 0; policy drop;
                            ct state established,related accept
                            ct state new ip daddr 127.0.0.11 accept
                        }
                        chain translate { type nat hook output priority -100; }
                    }

                    """)
            }
        }
        #expect(try await ask() == [[[172, 20, 0, 2]], [[172, 20, 0, 2]]])
        try await stop()
    }

    /// A socket that is bound to 127.0.0.11 before the namespace's first address would answer from another one.
    @Test func aNewNamespaceIsServed() async throws {
        let (client, sockets) = try await blocking {
            let fresh = try NetworkNamespace.make()
            let sockets = try NameServerSockets.open(in: fresh)
            return (try fresh.run { try Socket.connect(.udp, to: endpoint(53, NameServerSockets.address)) }, sockets)
        }
        try await server.open("fresh", sockets: sockets, configuration: configuration)
        let answer = try await blocking {
            try client.writeAll(Wire.query("web", 1))
            return try receiveDatagram(client)
        }
        #expect(Wire.answers(answer) == [[172, 20, 0, 2]])
        try await stop()
    }
}
