import Foundation
import Testing

/// What the firewall lets through and what it does not, and how it lives beside other people's rules.
@Suite(.serialized, .enabled(if: !Programs.inVirtualMachine)) struct NetworkFilterTests {
    private static let shared = Result { try NetworkedDaemon.shared() }
    private let engine: NetworkedDaemon

    init() throws { engine = try Self.shared.get() }

    @Test func whatContainersSendOutBearsTheHostsAddress() throws {
        defer { engine.remove(["out", "plain"], networks: ["masked", "unmasked"]) }
        try engine.dhow("network", "create", "--ipv6", "masked")
        try engine.dhow(
            "network", "create", "-o", "com.docker.network.bridge.enable_ip_masquerade=false", "--subnet",
            "10.77.1.0/24", "unmasked")
        let servers = [try engine.outside.serve(.tcp, "::", 9000), try engine.outside.serve(.udp, "::", 9000)]
        let out = try engine.start("out", "--network", "masked")
        for transport in [Probe.Transport.tcp, .udp] {
            #expect(try out.place.ask(transport, TestHost.outsideAddress4, 9000) == TestHost.address4)
            #expect(try out.place.ask(transport, TestHost.outsideAddress6, 9000) == TestHost.address6)
        }
        let plain = try engine.start("plain", "--network", "unmasked")
        try engine.outside.sh("ip route replace 10.77.1.0/24 via \(TestHost.address4)")
        #expect(try plain.place.ask(.tcp, TestHost.outsideAddress4, 9000) == plain.address4("unmasked"))
        for server in servers { #expect(server.isRunning) }
    }

    @Test func networksAreApart() throws {
        defer { engine.remove(["left", "right", "friend"], networks: ["apart1", "apart2"]) }
        for name in ["apart1", "apart2"] { try engine.dhow("network", "create", "--ipv6", name) }
        let left = try engine.startWeb("left", "--network", "apart1", "-p", "8200:80")
        let right = try engine.start("right", "--network", "apart2")
        let friend = try engine.start("friend", "--network", "apart1")
        let addresses = [left.address4("apart1"), "[\(left.address6("apart1"))]"]
        for address in addresses {
            #expect(try friend.place.get("http://\(address)/") == "left")
            #expect(try engine.host.get("http://\(address)/") == "left")
            #expect(try right.place.get("http://\(address)/", seconds: 1) == nil, "\(address)")
        }
        // Connected, they meet.
        try engine.dhow("network", "connect", "apart1", "right")
        for address in addresses { #expect(try right.place.get("http://\(address)/") == "left") }
        try engine.dhow("network", "disconnect", "apart1", "right")
        for address in addresses { #expect(try right.place.get("http://\(address)/", seconds: 1) == nil) }
    }

    @Test func nobodyOutsideReachesAContainersOwnAddress() throws {
        defer { engine.remove(["own", "routed"], networks: ["hidden", "open"]) }
        try engine.dhow("network", "create", "--subnet", "10.77.2.0/24", "hidden")
        try engine.dhow(
            "network", "create", "--subnet", "10.77.3.0/24", "-o", "com.docker.network.bridge.gateway_mode_ipv4=routed",
            "open")
        let own = try engine.startWeb("own", "--network", "hidden", "-p", "8201:80")
        let routed = try engine.startWeb("routed", "--network", "open", "-p", "80")
        let closed = try routed.place.serve(.tcp, "0.0.0.0", 81)
        try engine.outside.sh(
            "for n in 2 3; do ip route replace 10.77.$n.0/24 via \(TestHost.address4); done")
        #expect(try engine.outside.get("http://\(own.address4("hidden"))/", seconds: 1) == nil)
        #expect(try engine.outside.get("http://\(TestHost.address4):8201/") == "own")
        // A routed network opens what is published, at the container's own address.
        #expect(try engine.outside.get("http://\(routed.address4("open"))/") == "routed")
        #expect(try engine.outside.ask(.tcp, routed.address4("open"), 81, seconds: 1) == nil)
        #expect(closed.isRunning)
    }

    @Test func anInternalNetworkHasNoOutside() throws {
        defer { engine.remove(["in1", "in2"], networks: ["inner"]) }
        try engine.dhow("network", "create", "--internal", "--ipv6", "inner")
        let first = try engine.startWeb("in1", "--network", "inner")
        let second = try engine.start("in2", "--network", "inner")
        let server = try engine.outside.serve(.tcp, "::", 9001)
        #expect(try second.place.get("http://\(first.address4("inner"))/") == "in1")
        #expect(try second.place.get("http://[\(first.address6("inner"))]/") == "in1")
        #expect(try second.place.sh("ip route show default; ip -6 route show default").text == "")
        // Not even by a route of one's own.
        try second.place.sh("ip route add default dev eth0 || true")
        #expect(try second.place.ask(.tcp, TestHost.outsideAddress4, 9001, seconds: 1) == nil)
        #expect(server.isRunning)
    }

    @Test(arguments: ["0", "1"]) func withoutCommunicationNeighboursAreApart(bridgeFilter: String) throws {
        defer { engine.remove(["shy1", "shy2"], networks: ["quiet"]) }
        // Where the host sends bridged packets through its filters, and where it does not.
        try engine.host.sh(
            "for f in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do [ ! -e $f ] || echo \(bridgeFilter) > $f; done")
        try engine.dhow("network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "--ipv6", "quiet")
        let first = try engine.startWeb("shy1", "--network", "quiet", "-p", "8202:80")
        let second = try engine.start("shy2", "--network", "quiet")
        let server = try engine.outside.serve(.tcp, "::", 9002)
        #expect(try second.place.get("http://\(first.address4("quiet"))/", seconds: 1) == nil)
        #expect(try second.place.get("http://[\(first.address6("quiet"))]/", seconds: 1) == nil)
        #expect(try engine.host.get("http://\(first.address4("quiet"))/") == "shy1")
        #expect(try engine.outside.get("http://\(TestHost.address4):8202/") == "shy1")
        #expect(try second.place.ask(.tcp, TestHost.outsideAddress4, 9002) == TestHost.address4)
        #expect(server.isRunning)
    }

    @Test func forwardingIsOnAndOthersPacketsAreNotForwarded() throws {
        let fresh = try NetworkedDaemon()
        #expect(try fresh.host.sh("cat /proc/sys/net/ipv4/ip_forward").text == "0")
        // A second machine outside, which must not reach the first through the host.
        let other = try TestHost()
        defer { withExtendedLifetime(other) {} }
        let name = URL(fileURLWithPath: fresh.host.path).lastPathComponent
        try other.host.sh(
            """
            ip link add wan1 netns \(name) type veth peer name wan1
            ip link set wan1 up
            ip address add 203.0.113.2/24 dev wan1
            ip route replace default via 203.0.113.1
            """)
        try fresh.host.sh("ip link set wan1 up; ip address add 203.0.113.1/24 dev wan1")
        try fresh.outside.sh("ip route add default via \(TestHost.address4)")
        let server = try fresh.outside.serve(.tcp, "::", 9003)
        let inside = try fresh.start("inside")
        #expect(try fresh.host.sh("cat /proc/sys/net/ipv4/ip_forward").text == "1")
        #expect(try inside.place.ask(.tcp, TestHost.outsideAddress4, 9003) == TestHost.address4)
        #expect(try other.host.ask(.tcp, TestHost.outsideAddress4, 9003, seconds: 1) == nil)
        #expect(server.isRunning)
    }

    @Test func aHostThatDropsWhatItForwardsIsNoHindrance() throws {
        let fresh = try NetworkedDaemon(prepare: { machine in
            try machine.host.sh(
                """
                for t in iptables-nft ip6tables-nft; do
                    $t -P FORWARD DROP
                    $t -A FORWARD -i wan0 -p tcp --dport 1 -j DROP
                done
                nft add table inet firewall
                nft 'add chain inet firewall input { type filter hook input priority 10; }'
                nft add rule inet firewall input tcp dport 2 drop
                """)
        })
        let before = try fresh.host.sh("nft list ruleset").lines
        try fresh.dhow("network", "create", "--ipv6", "dropped")
        let web = try fresh.startWeb("web", "--network", "dropped", "-p", "8203:80")
        #expect(try fresh.outside.get("http://\(TestHost.address4):8203/") == "web")
        #expect(try fresh.outside.get("http://[\(TestHost.address6)]:8203/") == "web")
        let server = try fresh.outside.serve(.tcp, "::", 9004)
        #expect(try web.place.ask(.tcp, TestHost.outsideAddress4, 9004) == TestHost.address4)
        #expect(try web.place.ask(.tcp, TestHost.outsideAddress6, 9004) == TestHost.address6)
        #expect(server.isRunning)
        // Theirs is all there; of ours in their chain there is one rule, with a comment that says whose it is.
        let during = try fresh.host.sh("iptables-nft -S; ip6tables-nft -S").lines
        #expect(during.filter { $0.contains("--dport 1 ") && $0.hasSuffix("DROP") }.count == 2, "\(during)")
        #expect(during.filter { $0.hasPrefix("-P FORWARD DROP") }.count == 2, "\(during)")
        // Nothing of ours is left when the last network and its engine are gone.
        fresh.remove(["web"], networks: ["dropped"])
        try fresh.daemon.stop()
        #expect(try fresh.host.sh("nft list ruleset").lines == before)
    }

    @Test func firewalldIsNoHindrance() throws {
        var firewalld: Firewalld?
        let fresh = try NetworkedDaemon(prepare: { firewalld = try Firewalld(on: $0.host) })
        let before = try fresh.host.sh("nft list ruleset").lines
        try fresh.dhow("network", "create", "--ipv6", "walled")
        let web = try fresh.startWeb("web", "--network", "walled", "-p", "8206:80")
        let server = try fresh.outside.serve(.tcp, "::", 9006)
        let uninvited = try fresh.host.serve(.tcp, "::", 9007)
        func isReached() throws -> Bool {
            try fresh.outside.get("http://\(TestHost.address4):8206/") == "web"
                && fresh.outside.get("http://[\(TestHost.address6)]:8206/") == "web"
                && web.place.ask(.tcp, TestHost.outsideAddress4, 9006) == TestHost.address4
                && web.place.ask(.tcp, TestHost.outsideAddress6, 9006) == TestHost.address6
        }
        #expect(try isReached())
        // It still guards the host.
        #expect(try fresh.outside.ask(.tcp, TestHost.address4, 9007, seconds: 1) == nil)
        // A reload makes its table anew.
        #expect(try firewalld?.command("--reload").text == "success")
        #expect(try eventually { try isReached() })
        fresh.remove(["web"], networks: ["walled"])
        try fresh.daemon.stop()
        #expect(try fresh.host.sh("nft list ruleset").lines == before)
        withExtendedLifetime((firewalld, server, uninvited)) {}
    }

    @Test(arguments: ["nft flush ruleset", "nft delete table inet $table", "nft flush table inet $table"])
    func rulesThatSomeoneRemovedComeBack(removal: String) throws {
        let fresh = try NetworkedDaemon()
        try fresh.host.sh("nft add table inet other; nft add chain inet other theirs")
        let web = try fresh.startWeb("web", "-p", "8204:80")
        let server = try fresh.outside.serve(.tcp, "::", 9005)
        let ours = "table=$(nft list tables | awk '/dhow/ {print $3}')"
        let before = try fresh.host.sh("\(ours); nft list table inet $table").lines
        #expect(before.count > 20)
        try fresh.host.sh("\(ours); \(removal)")
        #expect(
            try eventually {
                try fresh.host.sh("\(ours); [ -z \"$table\" ] || nft list table inet $table").lines == before
            })
        #expect(try fresh.outside.get("http://\(TestHost.address4):8204/") == "web")
        #expect(try web.place.ask(.tcp, TestHost.outsideAddress4, 9005) == TestHost.address4)
        #expect(server.isRunning)
        // What was someone else's to remove stays removed.
        let others = try fresh.host.sh("nft list tables").lines.filter { $0.contains("other") }
        #expect(others.isEmpty == removal.hasSuffix("ruleset"))
    }

    @Test func anotherEngineOnTheHostIsLeftAlone() throws {
        let first = try NetworkedDaemon()
        let directory = try ScratchDirectory("second")
        let second = try Daemon(launcher: first.host.enter)
        defer {
            second.tearDown()
            withExtendedLifetime(directory) {}
        }
        try Images.load(into: second)
        try first.startWeb("web", "-p", "8205:80")
        try second.check(
            "run", "-d", "--name", "web", "-p", "8206:80", Images.busybox, "sh", "-c",
            "mkdir /www; echo second > /www/index.html; exec httpd -f -p 80 -h /www")
        #expect(try eventually { try first.outside.get("http://\(TestHost.address4):8206/") == "second" })
        #expect(try first.outside.get("http://\(TestHost.address4):8205/") == "web")
        // The name of the port's owner is only known to its own engine; the port is refused all the same.
        let refused = try second.dhow("run", "--rm", "-p", "8205:80", Images.busybox, "true")
        #expect(refused.status == 125 && refused.stderr.contains("8205"), "\(refused)")
        first.remove(["web"])
        try first.daemon.stop()
        #expect(try first.outside.get("http://\(TestHost.address4):8206/") == "second")
        second.tearDown()
        #expect(try first.machine.state()["interfaces"]?.count == 2)
    }

    @Test(.enabled(if: Shell.exists("dockerd"), "dockerd is installed by make setup")) func besideDocker() throws {
        let machine = try TestHost()
        let scratch = try ScratchDirectory("dockerd")
        let socket = scratch.file("docker.sock")
        let other = try Child(
            machine.host.enter + [
                "dockerd", "-H", "unix://\(socket)", "--data-root", scratch.file("data"), "--exec-root",
                scratch.file("run"), "-p", scratch.file("pid"), "--storage-driver", "vfs",
            ])
        func docker(_ arguments: String...) throws -> Output {
            try Shell.run(["docker", "-H", "unix://\(socket)"] + arguments)
        }
        defer {
            _ = try? docker("rm", "-f", "theirs")
            kill(other.pid, SIGTERM)
            _ = try? other.wait(timeout: 60)
        }
        #expect(try eventually(60) { try docker("version").status == 0 }, "\(other.stderr)")
        #expect(try docker("import", try Images.rootTar.get(), Images.busybox).status == 0)
        let theirs = try docker(
            "run", "-d", "--name", "theirs", "-p", "8210:80", Images.busybox, "sh", "-c",
            "mkdir /www; echo theirs > /www/index.html; exec httpd -f -p 80 -h /www")
        #expect(theirs.status == 0, "\(theirs)")
        let chains = {
            try machine.host.sh("iptables-nft -S; iptables-nft -t nat -S").lines.filter { !$0.contains("dhow") }
        }
        #expect(try eventually { try machine.outside.get("http://\(TestHost.address4):8210/") == "theirs" })
        let before = try chains()
        do {
            let daemon = try Daemon(launcher: machine.host.enter)
            defer { daemon.tearDown() }
            try Images.load(into: daemon)
            try daemon.check(
                "run", "-d", "--name", "ours", "-p", "8211:80", Images.busybox, "sh", "-c",
                "mkdir /www; echo ours > /www/index.html; exec httpd -f -p 80 -h /www")
            #expect(try daemon.check("network", "inspect", "-f", "{{.Options}}", "bridge").text.contains("dhow0"))
            #expect(try eventually { try machine.outside.get("http://\(TestHost.address4):8211/") == "ours" })
            #expect(try machine.outside.get("http://\(TestHost.address4):8210/") == "theirs")
            #expect(try machine.host.get("http://127.0.0.1:8210/") == "theirs")
            #expect(try machine.host.get("http://127.0.0.1:8211/") == "ours")
            let refused = try daemon.dhow("run", "--rm", "-p", "8210:80", Images.busybox, "true")
            #expect(refused.status == 125 && refused.stderr.contains("8210"), "\(refused)")
            // One of theirs that starts now is reached, too.
            #expect(try docker("restart", "-t", "0", "theirs").status == 0)
            #expect(try eventually { try machine.outside.get("http://\(TestHost.address4):8210/") == "theirs" })
        }
        #expect(try machine.outside.get("http://\(TestHost.address4):8210/") == "theirs")
        #expect(try chains() == before)
        #expect(try !machine.host.sh("nft list ruleset").text.contains("dhow"))
    }
}
