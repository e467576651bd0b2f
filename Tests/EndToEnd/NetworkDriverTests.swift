import Foundation
import JSON
import Testing

/// Networks without a bridge of ours: macvlan, and IPv6 in all its mixtures.
@Suite(.serialized, .enabled(if: !Programs.inVirtualMachine)) struct NetworkDriverTests {
    private static let shared = Result { try NetworkedDaemon.shared() }
    private let engine: NetworkedDaemon

    init() throws { engine = try Self.shared.get() }

    @Test(arguments: ["bridge", "private", "vepa", "passthru"]) func macvlan(mode: String) throws {
        defer { engine.remove(["mac1", "mac2"], networks: ["lan"]) }
        try engine.dhow(
            "network", "create", "-d", "macvlan", "--subnet", "192.0.2.0/24", "--gateway", TestHost.outsideAddress4,
            "--ip-range", "192.0.2.128/25", "--ipv6", "--subnet", "2001:db8:1::/64", "--gateway",
            TestHost.outsideAddress6,
            "-o", "parent=wan0", "-o", "macvlan_mode=\(mode)", "lan")
        let first = try engine.startWeb("mac1", "--network", "lan", "--ip6", "2001:db8:1::a1")
        #expect(try first.place.sh("ip -d link show eth0").text.contains("macvlan mode \(mode)"))
        #expect(first.address4("lan").hasPrefix("192.0.2."))
        // It is a machine among those outside.
        #expect(try eventually { try engine.outside.get("http://\(first.address4("lan"))/", seconds: 1) == "mac1" })
        #expect(try eventually { try engine.outside.get("http://[2001:db8:1::a1]/", seconds: 1) == "mac1" })
        #expect(try first.place.sh("ip route show default").text.hasPrefix("default via \(TestHost.outsideAddress4)"))
        let second = try engine.daemon.dhow(
            "run", "-d", "--name", "mac2", "--network", "lan", Images.busybox, "sleep", "100000")
        if mode == "passthru" {
            // The parent is all the first one's.
            #expect(second.status == 125, "\(second)")
        } else {
            #expect(second.status == 0, "\(second)")
            let place = try engine.container("mac2").place
            let answer = try place.get("http://\(first.address4("lan"))/", seconds: 2)
            #expect(answer == (mode == "bridge" ? "mac1" : nil))
            #expect(try place.resolve("mac1") == [first.address4("lan")])
        }
        engine.remove(["mac1", "mac2"])
        // The kernel takes its time over the namespaces of the dead.
        #expect(try eventually { try engine.outside.run("ping", "-c1", "-W1", TestHost.address4).status == 0 })
        #expect(try eventually { try engine.host.sh("ip -d link show wan0").text.contains("promiscuity 0") })
    }

    @Test func macvlanThatCannotBe() throws {
        defer { engine.remove(networks: ["bad"]) }
        let before = try engine.machine.state()
        for (options, word) in [
            (["-o", "parent=wan0", "-o", "macvlan_mode=sideways"], "sideways"),
            (["-o", "parent=nosuch0"], "nosuch0"), (["-o", "parent=wan0.5000"], "5000"),
        ] {
            let output = try engine.daemon.dhow(["network", "create", "-d", "macvlan"] + options + ["bad"])
            #expect(output.status == 1 && output.stderr.contains(word), "\(output)")
        }
        let unknown = try engine.daemon.dhow("network", "create", "-d", "warp", "bad")
        #expect(unknown.status == 1 && unknown.stderr.contains("warp"), "\(unknown)")
        let changes = try engine.machine.changes(since: before)
        #expect(changes.isEmpty, "\(changes)")
    }

    @Test func aNetworkOfIPv6Alone() throws {
        defer { engine.remove(["six1", "six2"], networks: ["sixes"]) }
        try engine.dhow("network", "create", "--ipv4=false", "--ipv6", "sixes")
        let web = try engine.startWeb("six1", "--network", "sixes", "-p", "8600:80")
        let other = try engine.start("six2", "--network", "sixes")
        #expect(web.address4("sixes").isEmpty)
        // A subnet of one's own, from the addresses for that.
        #expect(web.address6("sixes").hasPrefix("fd"), "\(web.address6("sixes"))")
        #expect(try web.place.sh("ip -o -4 address show eth0").text.isEmpty)
        #expect(try other.place.get("http://[\(web.address6("sixes"))]/") == "six1")
        #expect(try other.place.resolve("six1", "AAAA") == [web.address6("sixes")])
        #expect(try other.place.resolve("six1").isEmpty)
        #expect(try engine.outside.get("http://[\(TestHost.address6)]:8600/") == "six1")
        #expect(try engine.host.get("http://[::1]:8600/") == "six1")
        #expect(
            try engine.outside.get("http://\(TestHost.address4):8600/", seconds: 2) == "six1"
                || engine.dhow("port", "six1") == "80/tcp -> [::]:8600")
        let server = try engine.outside.serve(.tcp, "::", 9200)
        #expect(try web.place.ask(.tcp, TestHost.outsideAddress6, 9200) == TestHost.address6)
        #expect(server.isRunning)
    }

    @Test func dualStackNetworksGetDifferentSubnets() throws {
        defer { engine.remove(networks: ["ula1", "ula2"]) }
        let format = "{{range .IPAM.Config}}{{.Subnet}} {{end}}"
        var subnets: Set<String> = []
        for name in ["ula1", "ula2"] {
            try engine.dhow("network", "create", "--ipv6", name)
            for subnet in try engine.dhow("network", "inspect", "-f", format, name).components(separatedBy: " ") {
                subnets.insert(subnet)
            }
        }
        #expect(subnets.count == 4, "\(subnets)")
        #expect(subnets.filter { $0.hasPrefix("fd") && $0.hasSuffix("::/64") }.count == 2, "\(subnets)")
    }

    @Test func anAddressIsUsableFromTheFirstPacket() throws {
        defer { engine.remove(networks: ["swift"]) }
        try engine.dhow("network", "create", "--ipv6", "swift")
        let server = try engine.outside.serve(.tcp, "::", 9201)
        // No wait for duplicates of an address that nobody else can have: the program's first call gets through.
        for address in [TestHost.outsideAddress4, TestHost.outsideAddress6] {
            let output = try engine.daemon.dhow(
                "run", "--rm", "--network", "swift", Images.busybox, "sh", "-c", "echo hello | nc \(address) 9201 -w 5")
            #expect(output.text == TestHost.address4 || output.text == TestHost.address6, "\(output)")
        }
        let tentative = try engine.dhow(
            "run", "--rm", "--network", "swift", Images.busybox, "sh", "-c", "cat /proc/net/if_inet6 | grep eth0")
        // The fifth column are flags, of which 40 is for tentative.
        for line in tentative.components(separatedBy: "\n") where line.hasPrefix("fd") {
            #expect(
                line.split(separator: " ")[4] == "80" || line.split(separator: " ")[4] == "02"
                    || line.split(separator: " ")[4] == "82", "\(line)")
        }
        #expect(server.isRunning)
    }

    @Test func whoKnewAnAddressHearsOfItsNewOwner() throws {
        let numbers = 10..<18
        defer { engine.remove(["knows"] + numbers.map { "guest\($0)" }, networks: ["known"]) }
        try engine.dhow("network", "create", "--subnet", "10.76.0.0/24", "--ipv6", "--subnet", "fd76::/64", "known")
        let neighbour = try engine.start("knows", "--network", "known")
        for number in numbers {
            try engine.dhow(
                "create", "--name", "guest\(number)", "--network", "known", "--ip", "10.76.0.\(number)", "--ip6",
                "fd76::\(number)", Images.busybox, "sleep", "100000")
        }
        // Those who start at once get new MAC addresses, and send nothing themselves.
        for round in 0..<4 {
            let starts = try numbers.map {
                try Child([Programs.dhow, "-H", "unix://\(engine.daemon.socket)", "start", "guest\($0)"])
            }
            for start in starts { #expect(try start.wait().status == 0) }
            for number in numbers {
                let place = try engine.container("guest\(number)").place
                let mac = try place.sh("ip -o link show eth0 | sed 's/.*ether //; s/ .*//'").text
                for address in ["10.76.0.\(number)", "fd76::\(number)"] {
                    for (name, place) in [("the host", engine.host), ("a container", neighbour.place)] {
                        let isKnown =
                            try round == 0
                            || eventually(5) {
                                try place.sh("ip neighbour show to \(address)").text.contains("lladdr \(mac) ")
                            }
                        #expect(isKnown, "\(name) on \(address), \(round)")
                        let ping = try place.run("ping", "-c1", "-W3", address)
                        #expect(ping.status == 0, "\(name) to \(address), \(round)")
                    }
                }
            }
            #expect(try engine.daemon.dhow(["stop", "-t", "0"] + numbers.map { "guest\($0)" }).status == 0)
        }
    }
}
