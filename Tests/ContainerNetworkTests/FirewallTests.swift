import Glibc
import Kernel
import Testing

@testable import ContainerNetwork

@Suite(.enabled(if: canUseNetwork)) struct FirewallTests {
    @Test(arguments: [true, false]) func containersReachEachOtherTheHostAndTheOutside(filtersBridged: Bool) throws {
        let host = try TestHost(filtersBridged: filtersBridged)
        let network = try host.network(1)
        let (a, b) = (try host.container(2, on: network), try host.container(3, on: network))
        let server = try b.listen(80)
        #expect(try connects(from: a.namespace, to: b.address4, 80))
        #expect(try connects(from: host.namespace, to: b.address4, 80))
        // Masqueraded: the outside sees the host.
        let outside = try TestContainer(sandbox: host.outside)
        let far = try outside.listen(81)
        #expect(try connects(from: a.namespace, to: IPAddress("192.0.2.2"), 81))
        #expect(try acceptedPeer(far) == TestHost.hostAddress4)
        // Unpublished: the outside has no way in, though it has a route.
        #expect(try isBlocked(from: host.outside.namespace, to: b.address4, 80))
        withExtendedLifetime(server) {}
    }

    @Test(arguments: [IPFamily.v4, .v6], [true, false])
    func publishesPorts(_ family: IPFamily, filtersBridged: Bool) throws {
        let host = try TestHost(filtersBridged: filtersBridged)
        let network = try host.network(1, usesIPv4: family == .v4, usesIPv6: family == .v6)
        let (a, b) = (try host.container(2, on: network), try host.container(3, on: network))
        let other = try host.network(2, usesIPv4: family == .v4, usesIPv6: family == .v6)
        let c = try host.container(2, on: other)
        let server = try a.listen(80, family)
        let target = try #require(family == .v4 ? a.address4 : a.address6)
        let own = try #require(family == .v4 ? TestHost.hostAddress4 : TestHost.hostAddress6)
        let any = IPAddress(family: family, number: 0)
        try host.publish(PublishedPort(.tcp, host: any, 8080, to: target, 80), on: network)
        try host.publish(PublishedPort(.tcp, host: own, 8081, to: target, 80), on: network)
        for port in [UInt16(8080), 8081] {
            #expect(try connects(from: host.outside.namespace, to: own, port))
            let outer = try acceptedPeer(server)
            #expect(outer == IPAddress(family == .v4 ? "192.0.2.2" : "2001:db8:1::2"))
            #expect(try connects(from: host.namespace, to: own, port))
            _ = try acceptedPeer(server)
            // From its neighbour, from itself (hairpin), from another network.
            #expect(try connects(from: b.namespace, to: own, port))
            #expect(try acceptedPeer(server) == network.subnets[0].gateway)
            #expect(try connects(from: a.namespace, to: own, port))
            #expect(try acceptedPeer(server) == network.subnets[0].gateway)
            #expect(try connects(from: c.namespace, to: own, port))
            _ = try acceptedPeer(server)
        }
        #expect(try isBlocked(from: host.outside.namespace, to: own, 8082))
        #expect(try isBlocked(from: host.outside.namespace, to: target, 80))
        // Isolation between networks.
        #expect(try isBlocked(from: c.namespace, to: target, 80))
        try host.namespace.run {
            try host.firewall.unpublish(
                [PublishedPort(.tcp, host: any, 8080, to: target, 80)], on: network.id)
        }
        #expect(try isBlocked(from: host.outside.namespace, to: own, 8080))
        #expect(try connects(from: host.outside.namespace, to: own, 8081))
    }

    @Test func publishesUDP() throws {
        let host = try TestHost()
        let network = try host.network(1)
        let a = try host.container(2, on: network)
        let socket = try a.namespace.run { try Socket.bind(.datagram, address: [0, 0, 0, 0], port: 53) }
        let target = try #require(a.address4)
        try host.publish(PublishedPort(.udp, host: .v4(.any), 5353, to: target, 53), on: network)
        let client = try host.outside.namespace.run {
            try Socket.connect(.datagram, address: [192, 0, 2, 1], port: 5353)
        }
        _ = try client.send(Array("hello".utf8))
        let ready = try poll([PollRequest(socket, .readable)], timeoutMilliseconds: 5000)
        #expect(ready.first?.contains(.readable) == true)
        #expect(try socket.receive(count: 100).bytes == Array("hello".utf8))
        // The same flow goes to the port's next container.
        let b = try host.container(3, on: network)
        let next = try b.namespace.run { try Socket.bind(.datagram, address: [0, 0, 0, 0], port: 53) }
        try host.namespace.run {
            try host.firewall.unpublish(
                [PublishedPort(.udp, host: .v4(.any), 5353, to: target, 53)], on: network.id)
        }
        try host.publish(
            PublishedPort(.udp, host: .v4(.any), 5353, to: #require(b.address4), 53), on: network)
        _ = try client.send(Array("again".utf8))
        let again = try poll([PollRequest(next, .readable)], timeoutMilliseconds: 5000)
        try #require(again.first?.contains(.readable) == true)
        #expect(try next.receive(count: 100).bytes == Array("again".utf8))
    }

    @Test func reachesLoopbackByTranslationOnly() throws {
        for translates in [true, false] {
            let host = try TestHost(translatesLoopback: translates)
            let network = try host.network(1)
            let a = try host.container(2, on: network)
            let server = try a.listen(80)
            let target = try #require(a.address4)
            try host.publish(
                PublishedPort(.tcp, host: .v4(.any), 8080, to: target, 80),
                PublishedPort(.tcp, host: .v4(.loopback), 8081, to: target, 80), on: network)
            for port in [UInt16(8080), 8081] {
                if translates {
                    #expect(try connects(from: host.namespace, to: .v4(.loopback), port))
                } else {
                    #expect(try isBlocked(from: host.namespace, to: .v4(.loopback), port))
                }
            }
            // 127.0.0.1 as a destination from outside is nobody's.
            try host.outside.netlink.perform(
                .addRoute(
                    Route(
                        family: 2, destination: [127, 0, 0, 1], prefixLength: 32, gateway: [192, 0, 2, 1],
                        interface: host.outside.netlink.link(named: "eth0").index)))
            #expect(try isBlocked(from: host.outside.namespace, to: .v4(.loopback), 8081))
            withExtendedLifetime(server) {}
        }
    }

    @Test(arguments: [true, false]) func keepsContainersApartWithoutCommunication(filtersBridged: Bool) throws {
        let host = try TestHost(filtersBridged: filtersBridged)
        let network = try host.network(1, options: ["com.docker.network.bridge.enable_icc": "false"])
        let (a, b) = (try host.container(2, on: network), try host.container(3, on: network))
        let server = try b.listen(80)
        let target = try #require(b.address4)
        #expect(try isBlocked(from: a.namespace, to: target, 80))
        #expect(try connects(from: host.namespace, to: target, 80))
        try host.publish(PublishedPort(.tcp, host: .v4(.any), 8080, to: target, 80), on: network)
        #expect(try connects(from: a.namespace, to: TestHost.hostAddress4, 8080))
        guard case .v4(let source)? = a.address4, case .v4(let linked) = target else {
            Issue.record("no IPv4")
            return
        }
        try host.namespace.run { try host.firewall.link { [LinkedPort(from: source, to: linked, .tcp, 80)] } }
        #expect(try connects(from: a.namespace, to: target, 80))
        let other = try b.listen(81)
        #expect(try isBlocked(from: a.namespace, to: target, 81))
        try host.namespace.run { try host.firewall.link { [] } }
        #expect(try isBlocked(from: a.namespace, to: target, 80))
        // Also where somebody has removed the table, which is made anew.
        try host.namespace.run {
            try host.firewall.link { [LinkedPort(from: source, to: linked, .tcp, 80)] }
            try Self.nft("flush ruleset\n")
            try host.firewall.link { [] }
            #expect(try host.firewall.isInstalled())
        }
        #expect(try isBlocked(from: a.namespace, to: target, 80))
        withExtendedLifetime((server, other)) {}
    }

    @Test func keepsInternalNetworksIn() throws {
        let host = try TestHost()
        let network = try host.network(1, isInternal: true)
        let (a, b) = (try host.container(2, on: network), try host.container(3, on: network))
        let server = try b.listen(80)
        let far = try TestContainer(sandbox: host.outside).listen(81)
        #expect(try connects(from: a.namespace, to: b.address4, 80))
        #expect(try a.sandbox.netlink.routes().filter { $0.isDefault && $0.type == 1 }.isEmpty)
        // Even with a route of its own making.
        let joined = try #require(a.joined.first)
        try a.sandbox.setDefaultRoute(.v4, through: joined)
        #expect(try isBlocked(from: a.namespace, to: IPAddress("192.0.2.2"), 81))
        try host.publish(
            PublishedPort(.tcp, host: .v4(.any), 8080, to: #require(b.address4), 80), on: network)
        #expect(try isBlocked(from: host.outside.namespace, to: TestHost.hostAddress4, 8080))
        withExtendedLifetime((server, far)) {}
    }

    @Test func routesWithoutTranslation() throws {
        let host = try TestHost()
        let mode = "com.docker.network.bridge.gateway_mode_ipv"
        let routed = try host.network(1, usesIPv6: true, options: [mode + "4": "routed", mode + "6": "routed"])
        let open = try host.network(2, options: [mode + "4": "nat-unprotected"])
        let (a, b) = (try host.container(2, on: routed), try host.container(2, on: open))
        let servers = [try a.listen(80), try a.listen(81), try a.listen(80, .v6), try b.listen(80)]
        try host.publish(
            PublishedPort(.tcp, host: .v4(.any), 8080, to: #require(a.address4), 80),
            PublishedPort(.tcp, host: .v6(.any), 8080, to: #require(a.address6), 80), on: routed)
        let outside = host.outside.namespace
        #expect(try connects(from: outside, to: a.address4, 80))
        #expect(try connects(from: outside, to: a.address6, 80))
        #expect(try isBlocked(from: outside, to: a.address4, 81))
        #expect(try isBlocked(from: outside, to: TestHost.hostAddress4, 8080))
        #expect(try connects(from: outside, to: b.address4, 80))
        #expect(try isBlocked(from: a.namespace, to: b.address4, 80))
        // Not masqueraded: the outside sees the container.
        let far = try TestContainer(sandbox: host.outside).listen(90)
        #expect(try connects(from: a.namespace, to: IPAddress("192.0.2.2"), 90))
        #expect(try acceptedPeer(far) == a.address4)
        withExtendedLifetime(servers) {}
    }

    /// As nftables, as iptables over nftables and as iptables of old set it.
    @Test(arguments: ["nft", "iptables-nft", "iptables-legacy"]) func livesBesideAFilterThatDrops(_ tool: String) throws
    {
        let host = try TestHost()
        let isSet = try host.namespace.run {
            if tool == "nft" {
                try NFTablesLibrary().run(
                    "table ip filter { chain FORWARD { type filter hook forward priority filter; policy drop; }; }\n")
                return true
            }
            return try Self.run(tool, "-P", "FORWARD", "DROP") != nil
        }
        // Not every machine has every tool, nor every kernel the old tables.
        if !isSet { return }
        let network = try host.network(1)
        let a = try host.container(2, on: network)
        let server = try a.listen(80)
        let far = try TestContainer(sandbox: host.outside).listen(81)
        try host.publish(PublishedPort(.tcp, host: .v4(.any), 8080, to: #require(a.address4), 80), on: network)
        #expect(try connects(from: host.outside.namespace, to: TestHost.hostAddress4, 8080))
        #expect(try connects(from: a.namespace, to: IPAddress("192.0.2.2"), 81))
        #expect(try isBlocked(from: host.outside.namespace, to: a.address4, 80))
        try host.namespace.run {
            if tool != "nft" {
                // The tool's user still reads the chain, and what our rule is for.
                let rules = try #require(try Self.run(tool, "-S", "FORWARD"))
                #expect(rules.contains("table dhowtest") && rules.contains("-j ACCEPT"))
            }
            try host.firewall.restore()
            try host.driver.remove(network)
            let left =
                try tool == "nft"
                ? NFTablesLibrary().run("list ruleset\n") : Self.run(tool, "-S") ?? ""
            #expect(!left.contains("dhow"))
            #expect(left.contains("policy drop") || left.contains("-P FORWARD DROP"))
        }
        withExtendedLifetime((server, far)) {}
    }

    @Test func noticesAndRepairsAReload() throws {
        let host = try TestHost()
        let network = try host.network(1)
        let a = try host.container(2, on: network)
        let server = try a.listen(80)
        let port = PublishedPort(.tcp, host: .v4(.any), 8080, to: try #require(a.address4), 80)
        try host.namespace.run {
            let monitor = try FirewallMonitor(table: "dhowtest")
            try host.firewall.publish([port], on: network.id)
            #expect(try !monitor.changes())
            // Another process's doing.
            try Self.nft("flush ruleset\n")
            #expect(try monitor.changes())
            #expect(try !host.firewall.isInstalled())
            try host.firewall.restore()
            #expect(try host.firewall.isInstalled())
            #expect(try !monitor.changes())
            #expect(try connects(from: host.outside.namespace, to: TestHost.hostAddress4, 8080))
            try Self.nft("add table inet elsewhere\n")
            #expect(try !monitor.changes())
            try Self.nft("flush chain inet dhowtest nat-prerouting\n")
            #expect(try monitor.changes())
            try host.firewall.restore()
            // Without having noticed: changes find out by themselves.
            try Self.nft("flush ruleset\n")
            try host.firewall.publish(
                [PublishedPort(.tcp, host: .v4(.any), 8081, to: port.target, 80)], on: network.id)
            #expect(try connects(from: host.outside.namespace, to: TestHost.hostAddress4, 8080))
            #expect(try connects(from: host.outside.namespace, to: TestHost.hostAddress4, 8081))
            try Self.nft("flush ruleset\n")
            try host.firewall.unpublish([port], on: network.id)
            #expect(try host.firewall.isInstalled())
        }
        #expect(try isBlocked(from: host.outside.namespace, to: TestHost.hostAddress4, 8080))
        #expect(try connects(from: host.outside.namespace, to: TestHost.hostAddress4, 8081))
        withExtendedLifetime(server) {}
    }

    /// Runs an iptables in the calling thread's namespace; `nil` when it is missing or fails.
    private static func run(_ tool: String, _ arguments: String...) throws -> String? {
        guard (try? FileDescriptor.currentDirectory.status(of: "/usr/sbin/\(tool)")) != nil else { return nil }
        let output = try Subprocess.run(
            Subprocess.Configuration("/usr/sbin/\(tool)", arguments: [tool] + arguments))
        return output.status.isSuccess ? String(decoding: output.standardOutput, as: UTF8.self) : nil
    }

    /// Runs nft commands in another process, in the calling thread's namespace.
    private static func nft(_ commands: String) throws {
        let paths: [String] = ["/usr/sbin/nft", "/usr/bin/nft", "/run/current-system/sw/bin/nft"]
        let path = paths.first { (try? FileDescriptor.currentDirectory.status(of: $0)) != nil }
        let output = try Subprocess.run(
            Subprocess.Configuration(try #require(path, "nft is not installed"), arguments: ["nft", "-f", "-"]),
            input: Array(commands.utf8))
        #expect(output.status.isSuccess, "\(output.standardErrorText)")
    }

    @Test func refusesWhatConflicts() throws {
        let host = try TestHost()
        let network = try host.network(1)
        let target = try #require(IPAddress("10.1.0.2"))
        let port = PublishedPort(.tcp, host: .v4(.any), 8080, to: target, 80)
        try host.publish(port, on: network)
        try host.publish(port, on: network)
        #expect {
            try host.publish(
                PublishedPort(.tcp, host: .v4(.any), 8079, to: target, 80),
                PublishedPort(.tcp, host: .v4(.any), 8080, to: target, 81), on: network)
        } throws: { ($0 as? NetworkError)?.code == .conflict }
        // Nothing of a refused call stays.
        try host.publish(PublishedPort(.tcp, host: .v4(.any), 8079, to: target, 82), on: network)
        for bad in [
            PublishedPort(.tcp, host: .v6(.any), 8000, to: target, 80),
            PublishedPort(.tcp, host: .v4(.any), 0, to: target, 80),
            PublishedPort(.tcp, host: .v4(.any), 80, to: target, 0),
        ] {
            #expect { try host.publish(bad, on: network) } throws: { ($0 as? NetworkError)?.code == .invalidArgument }
        }
        #expect { try host.firewall.publish([port], on: "none") } throws: { ($0 as? NetworkError)?.code == .notFound }
        for name in ["", "a b", "x\";flush", "0123456789abcdef", "..", "a/b", "é"] {
            #expect {
                try host.firewall.add(FirewallNetwork(id: "x", bridge: name, subnets: []))
            } throws: { ($0 as? NetworkError)?.code == .invalidArgument }
        }
    }

    @Test func holdsThousandsOfPorts() throws {
        let host = try TestHost()
        let network = try host.network(1, usesIPv6: true)
        let a = try host.container(2, on: network)
        let server = try a.listen(80)
        let target4 = try #require(a.address4)
        let target6 = try #require(a.address6)
        let ports = (1...3000).flatMap { port in
            [
                PublishedPort(.tcp, host: .v4(.any), UInt16(10000 + port), to: target4, 80),
                PublishedPort(.tcp, host: .v6(.any), UInt16(10000 + port), to: target6, 80),
            ]
        }
        try host.namespace.run {
            try host.firewall.publish(ports, on: network.id)
            try host.firewall.restore()
        }
        #expect(try connects(from: host.outside.namespace, to: TestHost.hostAddress4, 13000))
        try host.namespace.run { try host.firewall.unpublish(ports, on: network.id) }
        #expect(try isBlocked(from: host.outside.namespace, to: TestHost.hostAddress4, 13000))
        withExtendedLifetime(server) {}
    }
}
