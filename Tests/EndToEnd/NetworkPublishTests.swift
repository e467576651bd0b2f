import Foundation
import Testing

/// Published ports, called from every place that can, with and without the userland proxy.
@Suite(.serialized, .enabled(if: !Programs.inVirtualMachine)) struct NetworkPublishTests {
    private static let proxying = Result { try NetworkedDaemon.shared(["--userland-proxy=true"]) }
    private static let translating = Result { try NetworkedDaemon.shared(["--userland-proxy=false"]) }

    private func engine(_ usesProxy: Bool) throws -> NetworkedDaemon {
        try (usesProxy ? Self.proxying : Self.translating).get()
    }

    /// The host's addresses, as those outside and inside may call them.
    private static let hostAddresses = [TestHost.address4, "[\(TestHost.address6)]"]
    private static let loopback = ["127.0.0.1", "[::1]", "localhost"]

    @Test(arguments: [true, false]) func aPortIsReachedFromEverywhere(usesProxy: Bool) throws {
        let engine = try engine(usesProxy)
        defer { engine.remove(["web", "neighbour", "stranger", "other"], networks: ["dual", "elsewhere"]) }
        try engine.dhow("network", "create", "--ipv6", "dual")
        try engine.dhow("network", "create", "--ipv6", "elsewhere")
        let web = try engine.startWeb("web", "--network", "dual", "-p", "8080:80")
        let inside = [
            ("itself", web.place), ("a neighbour", try engine.start("neighbour", "--network", "dual").place),
            ("another network", try engine.start("stranger", "--network", "elsewhere").place),
        ]
        for address in Self.hostAddresses {
            #expect(try engine.outside.get("http://\(address):8080/") == "web", "outside at \(address)")
            for (name, place) in inside {
                #expect(try place.get("http://\(address):8080/") == "web", "\(name) at \(address)")
            }
        }
        for address in Self.hostAddresses + Self.loopback {
            #expect(try engine.host.get("http://\(address):8080/") == "web", "the host at \(address)")
        }
        // The default network has no IPv6.
        let other = try engine.start("other")
        #expect(try other.place.get("http://\(TestHost.address4):8080/") == "web")
        // Who calls is seen as it is.
        #expect(
            try engine.outside.addressSeen(by: "http://\(TestHost.address4):8080") == TestHost.outsideAddress4)
        #expect(
            try engine.outside.addressSeen(by: "http://[\(TestHost.address6)]:8080") == TestHost.outsideAddress6)
        engine.remove(["web"])
        #expect(try engine.outside.get("http://\(TestHost.address4):8080/", seconds: 2) == nil)
        #expect(try engine.host.get("http://127.0.0.1:8080/", seconds: 2) == nil)
    }

    @Test func theProxyCarriesIPv6ToAContainerWithoutIt() throws {
        let engine = try engine(true)
        defer { engine.remove(["four"]) }
        try engine.startWeb("four", "-p", "8081:80")
        #expect(try engine.outside.get("http://[\(TestHost.address6)]:8081/") == "four")
        #expect(try engine.host.get("http://[::1]:8081/") == "four")
        #expect(try engine.host.get("http://[\(TestHost.address6)]:8081/") == "four")
    }

    @Test(arguments: [true, false]) func datagramsArriveAndAreAnswered(usesProxy: Bool) throws {
        let engine = try engine(usesProxy)
        defer { engine.remove(["echo"], networks: ["datagrams"]) }
        try engine.dhow("network", "create", "--ipv6", "datagrams")
        let echo = try engine.start("echo", "--network", "datagrams", "-p", "5300:53/udp")
        let server = try echo.place.serve(.udp, "::", 53)
        #expect(try engine.outside.ask(.udp, TestHost.address4, 5300) == TestHost.outsideAddress4)
        #expect(try engine.outside.ask(.udp, TestHost.address6, 5300) == TestHost.outsideAddress6)
        for address in [TestHost.address4, TestHost.address6, "127.0.0.1", "::1"] {
            #expect(try engine.host.ask(.udp, address, 5300) != nil, "the host at \(address)")
        }
        for address in [TestHost.address4, TestHost.address6] {
            #expect(try echo.place.ask(.udp, address, 5300) != nil, "itself at \(address)")
        }
        #expect(server.isRunning)
    }

    @Test(arguments: [true, false]) func muchTrafficPasses(usesProxy: Bool) throws {
        guard Shell.exists("iperf3") else { return }
        let engine = try engine(usesProxy)
        defer { engine.remove(["load"], networks: ["loaded"]) }
        try engine.dhow("network", "create", "--ipv6", "loaded")
        let load = try engine.start("load", "--network", "loaded", "-p", "5201:5201/tcp", "-p", "5201:5201/udp")
        let server = try load.place.start("iperf3", "-s")
        #expect(try eventually { try load.place.sh("ss -Hlnt").text.contains(":5201") })
        for (from, address) in [
            (engine.outside, TestHost.address4), (engine.outside, TestHost.address6), (engine.host, "127.0.0.1"),
            (engine.host, "::1"),
        ] {
            for options in [["-n", "20M"], ["-n", "20M", "-R"], ["-u", "-b", "20M", "-n", "2M"]] {
                // A server that is still busy with the last one refuses.
                var output = Output(status: -1, stdout: "", stderr: "")
                let passed = try eventually(5) {
                    output = try Shell.run(
                        ["timeout", "30"] + from.enter + ["iperf3", "-c", address, "-p", "5201"] + options)
                    return output.status == 0
                }
                #expect(passed, "\(address) \(options): \(output)")
            }
        }
        #expect(server.isRunning)
    }

    @Test(arguments: [true, false]) func rangesAndPortsOfTheEnginesChoice(usesProxy: Bool) throws {
        let engine = try engine(usesProxy)
        defer { engine.remove(["range", "first", "second", "any", "all"], networks: ["both"]) }
        try engine.dhow("network", "create", "--ipv6", "both")
        let range = try engine.start("range", "-p", "7000-7002:80-82")
        let servers = try (80...82).map { try range.place.serve(.tcp, "::", $0) }
        for port in 7000...7002 { #expect(try engine.outside.ask(.tcp, TestHost.address4, port) != nil) }
        for server in servers { #expect(server.isRunning) }
        // One of a range: the first that is free.
        try engine.startWeb("first", "-p", "7002-7004:80")
        try engine.startWeb("second", "-p", "7002-7004:80")
        #expect(try engine.outside.get("http://\(TestHost.address4):7003/") == "first")
        #expect(try engine.outside.get("http://\(TestHost.address4):7004/") == "second")
        try engine.startWeb("any", "--network", "both", "-p", "80")
        let any = try engine.dhow("port", "any", "80").components(separatedBy: "\n")
        let port = any.first?.components(separatedBy: ":").last ?? ""
        #expect(any == ["0.0.0.0:\(port)", "[::]:\(port)"])
        #expect(try engine.outside.get("http://\(TestHost.address4):\(port)/") == "any")
        #expect(try engine.outside.get("http://[\(TestHost.address6)]:\(port)/") == "any")
        try engine.startWeb("all", "--network", "both", "-P", "--expose", "80", "--expose", "90-91/udp")
        let all = try engine.dhow("port", "all").components(separatedBy: "\n")
        #expect(all.count == 6, "\(all)")
        for exposed in ["80/tcp", "90/udp", "91/udp"] {
            #expect(all.filter { $0.hasPrefix(exposed + " -> ") }.count == 2, "\(all)")
        }
    }

    @Test(arguments: [true, false]) func anAddressOfTheHostIsTheOnlyOneThatAnswers(usesProxy: Bool) throws {
        let engine = try engine(usesProxy)
        defer { engine.remove(["local", "local6", "facing", "same"], networks: ["six"]) }
        try engine.dhow("network", "create", "--ipv6", "six")
        try engine.startWeb("local", "-p", "127.0.0.1:8090:80")
        try engine.startWeb("facing", "-p", "\(TestHost.address4):8090:80")
        try engine.startWeb("local6", "--network", "six", "-p", "[::1]:8090:80")
        #expect(try engine.host.get("http://127.0.0.1:8090/") == "local")
        #expect(try engine.host.get("http://[::1]:8090/") == "local6")
        #expect(try engine.host.get("http://\(TestHost.address4):8090/") == "facing")
        #expect(try engine.outside.get("http://\(TestHost.address4):8090/") == "facing")
        #expect(try engine.outside.get("http://[\(TestHost.address6)]:8090/", seconds: 2) == nil)
        // Nobody outside reaches the loopback by a route of their own.
        engine.remove(["facing"])
        try engine.outside.sh(
            "ip route add 127.9.0.0/16 via \(TestHost.address4); echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet")
        try engine.startWeb("same", "-p", "127.9.0.1:8090:80")
        #expect(try engine.host.get("http://127.9.0.1:8090/") == "same")
        #expect(try engine.outside.get("http://127.9.0.1:8090/", seconds: 2) == nil)
    }

    /// Runs a container that would leave a file behind if its program ever started.
    private func refuse(_ engine: NetworkedDaemon, _ options: String..., saying words: [String]) throws {
        let scratch = try ScratchDirectory()
        let output = try engine.daemon.dhow(
            ["run", "--name", "refused", "-v", "\(scratch.path):/mark"] + options
                + [Images.busybox, "touch", "/mark/started"])
        defer { engine.remove(["refused"]) }
        #expect(output.status == 125, "\(output)")
        for word in words { #expect(output.stderr.contains(word), "\(output)") }
        #expect(!FileManager.default.fileExists(atPath: scratch.file("started")))
        #expect(try engine.daemon.inspect("refused")["State"]?["Status"] == "created")
    }

    @Test(arguments: [true, false]) func whoeverHasAPortIsNamedBeforeTheProgramStarts(usesProxy: Bool) throws {
        let engine = try engine(usesProxy)
        defer { engine.remove(["owner"]) }
        try engine.startWeb("owner", "-p", "8100:80", "-p", "8101:81/udp")
        try refuse(engine, "-p", "8100:80", saying: ["8100", "owner", "already allocated"])
        try refuse(engine, "-p", "8099-8099:80", "-p", "8101:1/udp", saying: ["8101", "owner"])
        try refuse(engine, "-p", "127.0.0.1:8100:80", saying: ["8100", "owner"])
        // A refusal gives back what it had taken.
        let other = try engine.host.serve(.tcp, "0.0.0.0", 8102)
        try refuse(engine, "-p", "8099:80", "-p", "8102:80", saying: ["8102", "address already in use"])
        try engine.dhow("run", "--rm", "-p", "8099:80", Images.busybox, "true")
        #expect(other.isRunning)
        // The same number of the other protocol is free.
        try engine.dhow("run", "--rm", "-p", "8100:80/udp", Images.busybox, "true")
    }

    @Test(arguments: [true, false]) func stoppingGivesPortsBack(usesProxy: Bool) throws {
        let engine = try engine(usesProxy)
        defer { engine.remove(["one", "two"]) }
        try engine.startWeb("one", "-p", "8110:80")
        try engine.dhow("stop", "-t", "0", "one")
        let server = try engine.host.serve(.tcp, "::", 8110)
        #expect(try engine.outside.ask(.tcp, TestHost.address4, 8110) != nil)
        let refused = try engine.daemon.dhow("start", "one")
        #expect(refused.status == 1 && refused.stderr.contains("8110"), "\(refused)")
        kill(server.pid, SIGKILL)
        _ = try server.wait()
        try engine.dhow("start", "one")
        #expect(try eventually { try engine.outside.get("http://\(TestHost.address4):8110/", seconds: 2) == "one" })
        try engine.dhow("rm", "-f", "one")
        try engine.startWeb("two", "-p", "8110:80")
        #expect(try engine.outside.get("http://\(TestHost.address4):8110/") == "two")
    }

    @Test func anAddressForAllPortsOfANetwork() throws {
        let engine = try engine(true)
        defer { engine.remove(["bound"], networks: ["binding"]) }
        try engine.dhow(
            "network", "create", "-o", "com.docker.network.bridge.host_binding_ipv4=127.0.0.1", "binding")
        try engine.startWeb("bound", "--network", "binding", "-p", "8120:80")
        #expect(try engine.dhow("port", "bound") == "80/tcp -> 127.0.0.1:8120")
        #expect(try engine.host.get("http://127.0.0.1:8120/") == "bound")
        #expect(try engine.outside.get("http://\(TestHost.address4):8120/", seconds: 1) == nil)
    }

    @Test func noProcessServesAPort() throws {
        let engine = try engine(true)
        defer { engine.remove(["plain", "quiet"]) }
        let children = { try Int(Shell.sh("pgrep -c -P \(engine.daemon.pid) || true").text) ?? -1 }
        let before = try children()
        try engine.start("plain")
        let perContainer = try children() - before
        try engine.startWeb("quiet", "-p", "8130-8139:80-89")
        #expect(try engine.host.get("http://127.0.0.1:8130/") == "quiet")
        #expect(try children() == before + 2 * perContainer)
    }

    @Test func manyPortsOfOneContainer() throws {
        let engine = try engine(false)
        defer { engine.remove(["wide"]) }
        let wide = try engine.start("wide", "-p", "20000-20499:1000-1499", "-p", "20000-20499:1000-1499/udp")
        let servers = [try wide.place.serve(.tcp, "0.0.0.0", 1499), try wide.place.serve(.udp, "0.0.0.0", 1000)]
        #expect(try engine.outside.ask(.tcp, TestHost.address4, 20499) == TestHost.outsideAddress4)
        #expect(try engine.outside.ask(.udp, TestHost.address4, 20000) == TestHost.outsideAddress4)
        for server in servers { #expect(server.isRunning) }
        engine.remove(["wide"])
        #expect(try engine.host.sh("nft list ruleset").text.contains("20499") == false)
        #expect(try engine.host.sh("ss -Hlntu").text.contains(":20") == false)
    }
}
