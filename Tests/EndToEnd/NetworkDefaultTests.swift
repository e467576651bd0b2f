import Foundation
import JSON
import Testing

/// The default network, and the daemon's flags about networks.
@Suite(.serialized, .enabled(if: !Programs.inVirtualMachine)) struct NetworkDefaultTests {
    @Test func docker0IsOursWhenItIsFree() throws {
        let engine = try NetworkedDaemon()
        // Nothing is made before it is needed.
        #expect(try engine.machine.state()["interfaces"]?.count == 2)
        let container = try engine.start("one")
        #expect(try engine.host.sh("ip -o -4 address show docker0 | awk '{print $4}'").text == "172.17.0.1/16")
        #expect(container.address4() == "172.17.0.2")
        #expect(try container.place.sh("ip route show default").text.hasPrefix("default via 172.17.0.1 dev eth0"))
        let network = try JSONValue(parsing: engine.dhow("network", "inspect", "bridge"))[0]
        #expect(network?["Options"]?["com.docker.network.bridge.name"] == "docker0")
        #expect(network?["Containers"]?[container.id]?["IPv4Address"] == "172.17.0.2/16")
    }

    @Test func anotherEnginesBridgeIsNotTouched() throws {
        let engine = try NetworkedDaemon(prepare: { machine in
            try machine.host.sh(
                "ip link add docker0 type bridge; ip address add 172.17.0.1/16 dev docker0; ip link set docker0 up")
        })
        let before = try engine.host.sh("ip -d link show docker0; ip address show docker0").text
        let web = try engine.startWeb("one", "-p", "8300:80")
        let link = try engine.host.sh("ip -o link show type bridge | cut -d: -f2").lines
        #expect(link.map { $0.trimmingCharacters(in: .whitespaces) } == ["docker0", "dhow0"])
        #expect(!web.address4().hasPrefix("172.17."))
        #expect(try engine.outside.get("http://\(TestHost.address4):8300/") == "one")
        engine.remove(["one"])
        try engine.daemon.stop()
        // But for what the kernel counts up by itself.
        let strip = { (text: String) in
            text.replacingOccurrences(of: "(_timer|qlen) +[0-9.]+", with: "", options: .regularExpression)
        }
        #expect(try strip(engine.host.sh("ip -d link show docker0; ip address show docker0").text) == strip(before))
        #expect(try engine.machine.state()["interfaces"]?.count == 3)
    }

    @Test func theBridgesAddressesAreAsTheFlagsSay() throws {
        let engine = try NetworkedDaemon([
            "--bip", "10.88.0.1/16", "--fixed-cidr", "10.88.5.0/24", "--mtu", "1400", "--ipv6", "--fixed-cidr-v6",
            "fd00:88::/64",
        ])
        let container = try engine.start("one")
        #expect(try engine.host.sh("ip -o -4 address show docker0 | awk '{print $4}'").text == "10.88.0.1/16")
        #expect(container.address4() == "10.88.5.0" || container.address4() == "10.88.5.1")
        #expect(container.address6().hasPrefix("fd00:88::"))
        #expect(try container.place.sh("ip -o link show eth0").text.contains("mtu 1400"))
        #expect(try container.place.sh("ip route get 8.8.8.8").text.contains("via 10.88.0.1"))
        #expect(try container.place.sh("ip -6 route show default").text.contains("via fd00:88::1"))
        let second = try engine.start("two")
        #expect(try second.place.run("ping", "-c1", "-W5", container.address4()).status == 0)
        #expect(try second.place.run("ping", "-c1", "-W5", container.address6()).status == 0)
    }

    @Test func aRouterBehindTheBridgeIsTheGateway() throws {
        let engine = try NetworkedDaemon([
            "--bip", "10.88.0.1/24", "--default-gateway", "10.88.0.254", "--bip6", "fd00:88::1/64",
            "--default-gateway-v6", "fd00:88::fe",
        ])
        let container = try engine.start("one")
        #expect(try engine.host.sh("ip -o -4 address show docker0 | awk '{print $4}'").text == "10.88.0.1/24")
        #expect(try container.place.sh("ip route show default").text.contains("via 10.88.0.254 "))
        #expect(try container.place.sh("ip -6 route show default").text.contains("via fd00:88::fe "))
        let network = try JSONValue(parsing: engine.dhow("network", "inspect", "bridge"))[0]
        #expect(network?["IPAM"]?["Config"]?[0]?["AuxiliaryAddresses"] == ["DefaultGatewayIPv4": "10.88.0.254"])
        #expect(network?["IPAM"]?["Config"]?[0]?["Gateway"] == "10.88.0.1")
        #expect(
            try engine.dhow("inspect", "-f", "{{.NetworkSettings.Networks.bridge.Gateway}}", "one") == "10.88.0.254")

        // Any bridge network can have one.
        try engine.dhow(
            "network", "create", "--subnet", "10.89.0.0/24", "--aux-address", "DefaultGatewayIPv4=10.89.0.7",
            "routed")
        let routed = try engine.start("two", "--network", "routed")
        #expect(try routed.place.sh("ip route show default").text.contains("via 10.89.0.7 "))
    }

    @Test func poolsGiveNewNetworksTheirSubnets() throws {
        let engine = try NetworkedDaemon([
            "--default-address-pool", "base=10.99.0.0/23,size=24", "--default-address-pool",
            "base=fd00:99::/63,size=64",
        ])
        let container = try engine.start("one")
        #expect(container.address4() == "10.99.0.2")
        try engine.dhow("network", "create", "second")
        let format = "{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}} {{end}}"
        #expect(try engine.dhow("network", "inspect", "-f", format, "second") == "10.99.1.0/24 10.99.1.1")
        let before = try engine.machine.state()
        let dry = try engine.daemon.dhow("network", "create", "third")
        #expect(dry.status == 1 && dry.stderr.contains("address pools have been fully subnetted"), "\(dry)")
        let changes = try engine.machine.changes(since: before)
        #expect(changes.isEmpty, "\(changes)")
        try engine.dhow("network", "rm", "second")
        try engine.dhow("network", "create", "--ipv6", "third")
        #expect(
            try engine.dhow("network", "inspect", "-f", format, "third").hasPrefix("10.99.1.0/24 10.99.1.1 fd00:99:"))
    }

    @Test func aSubnetThatTheHostRoutesIsNotChosen() throws {
        let engine = try NetworkedDaemon(
            ["--default-address-pool", "base=10.99.0.0/22,size=24"],
            prepare: { try $0.host.sh("ip route add 10.99.0.0/23 via \(TestHost.outsideAddress4)") })
        #expect(try engine.start("one").address4() == "10.99.2.2")
        // One that is asked for is given all the same.
        try engine.dhow("network", "create", "--subnet", "10.99.1.0/24", "wanted")
    }

    @Test func withoutADefaultNetwork() throws {
        let engine = try NetworkedDaemon(["--bridge", "none"])
        #expect(
            try engine.dhow("network", "ls", "--format", "{{.Name}}").components(separatedBy: "\n") == ["host", "none"])
        let container = try engine.start("alone")
        #expect(try container.place.sh("ip -o link | wc -l").text == "1")
        #expect(try engine.machine.state()["interfaces"]?.count == 2)
        try engine.dhow("network", "create", "own")
        #expect(try !engine.start("connected", "--network", "own").address4("own").isEmpty)
    }

    @Test func aBridgeOfTheUsers() throws {
        let engine = try NetworkedDaemon(
            ["--bridge", "mine0"],
            prepare: { machine in
                try machine.host.sh(
                    "ip link add mine0 type bridge; ip address add 10.66.0.1/24 dev mine0; ip link set mine0 up")
            })
        let web = try engine.startWeb("one", "-p", "8301:80")
        #expect(web.address4().hasPrefix("10.66.0."))
        #expect(try engine.outside.get("http://\(TestHost.address4):8301/") == "one")
        engine.remove(["one"])
        try engine.daemon.stop()
        #expect(try engine.host.sh("ip -o -4 address show mine0 | awk '{print $4}'").text == "10.66.0.1/24")
    }

    @Test(arguments: [false, true]) func communicationOffOnTheDefaultBridge(filtersBridged: Bool) throws {
        let engine = try NetworkedDaemon(
            ["--icc=false"],
            prepare: { machine in
                // Where the kernel can: whether the firewall sees what the bridge forwards.
                let value = filtersBridged ? 1 : 0
                try machine.host.sh(
                    "cd /proc/sys/net/bridge 2>/dev/null || exit 0; echo \(value) > bridge-nf-call-iptables")
            })
        let web = try engine.startWeb("web", "-p", "8304:80")
        let other = try engine.start("other")
        #expect(try other.place.get("http://\(web.address4())/", seconds: 1) == nil)
        // A link opens what is exposed, one way.
        let linked = try engine.startWeb("linked", "--link", "web:server", "--expose", "80")
        #expect(try engine.dhow("exec", "linked", "cat", "/etc/hosts").contains("\(web.address4())\tserver"))
        #expect(try linked.place.get("http://\(web.address4())/") == "web")
        #expect(try linked.place.run("ping", "-c1", "-W1", web.address4()).status != 0)
        #expect(try web.place.get("http://\(linked.address4())/", seconds: 1) == nil)
        #expect(try other.place.get("http://\(web.address4())/", seconds: 1) == nil)
        // It follows the one it leads to, outlives the engine, and ends with the link.
        try engine.dhow("stop", "-t0", "web")
        try engine.start("between")
        try engine.dhow("start", "web")
        let again = try engine.container("web")
        #expect(again.address4() != web.address4())
        #expect(try eventually(20) { try linked.place.get("http://\(again.address4())/", seconds: 1) == "web" })
        engine.daemon.crash()
        try engine.daemon.start()
        #expect(try linked.place.get("http://\(again.address4())/") == "web")
        try engine.dhow("rm", "--link", "linked/server")
        #expect(try linked.place.get("http://\(again.address4())/", seconds: 1) == nil)
        #expect(try engine.host.get("http://\(again.address4())/") == "web")
        #expect(try engine.outside.get("http://\(TestHost.address4):8304/") == "web")
    }

    @Test func portsArePublishedWhereTheFlagSays() throws {
        let engine = try NetworkedDaemon(["--ip", "127.0.0.1"])
        try engine.startWeb("web", "-p", "8302:80")
        #expect(try engine.dhow("port", "web") == "80/tcp -> 127.0.0.1:8302")
        #expect(try engine.host.get("http://127.0.0.1:8302/") == "web")
        #expect(try engine.outside.get("http://\(TestHost.address4):8302/", seconds: 1) == nil)
    }

    @Test func optionsForAllNewNetworks() throws {
        let engine = try NetworkedDaemon(["--default-network-opt", "bridge=com.docker.network.driver.mtu=1300"])
        try engine.dhow("network", "create", "small")
        let place = try engine.start("one", "--network", "small").place
        #expect(try place.sh("ip -o link show eth0").text.contains("mtu 1300"))
    }

    @Test func withoutAFirewallThereAreNoRules() throws {
        let engine = try NetworkedDaemon(["--iptables=false", "--ip6tables=false"])
        let web = try engine.startWeb("web", "-p", "8303:80")
        #expect(try engine.host.sh("nft list ruleset").text == "")
        // The proxy serves what nothing translates.
        #expect(try engine.host.get("http://127.0.0.1:8303/") == "web")
        #expect(try engine.outside.get("http://\(TestHost.address4):8303/") == "web")
        #expect(try engine.host.get("http://\(web.address4())/") == "web")
    }

    @Test(arguments: [
        (["--bip", "10.0.0.0/24"], "bip"), (["--bip", "nonsense"], "bip"),
        (["--bip", "10.0.0.1/24", "--fixed-cidr", "10.1.0.0/24"], "fixed-cidr"),
        (["--bridge", "nosuch0"], "nosuch0"), (["--bridge", "x0", "--bip", "10.0.0.1/24"], "mutually exclusive"),
        (["--default-address-pool", "base=10.0.0.0/24,size=16"], "default-address-pool"), (["--mtu", "5"], "mtu"),
        (
            [
                "--default-address-pool", "base=10.0.0.0/16,size=24", "--default-address-pool",
                "base=10.0.0.0/16,size=24",
            ], "overlap"
        ),
        (["--ip", "1.2.3"], "ip"), (["--default-gateway", "fd00::1"], "default-gateway"),
        (["--bip", "10.0.0.1/24", "--default-gateway", "10.1.0.1"], "default gateway 10.1.0.1"),
    ])
    func flagsThatCannotBe(flags: [String], word: String) throws {
        let machine = try TestHost()
        let before = try machine.state()
        do {
            let daemon = try Daemon(flags, launcher: machine.host.enter)
            daemon.tearDown()
            Issue.record("started with \(flags)")
        } catch let failure as CommandFailure {
            #expect(failure.output.status == 1, "\(failure)")
            #expect(failure.output.stderr.localizedCaseInsensitiveContains(word), "\(failure)")
        }
        let changes = try machine.changes(since: before)
        #expect(changes.isEmpty, "\(changes)")
    }
}
