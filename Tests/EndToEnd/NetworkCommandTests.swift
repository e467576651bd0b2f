import Foundation
import JSON
import Testing

/// `network create`, `connect`, `disconnect`, `inspect`, `ls`, `rm` and `prune`, by `dhow` and by the real command.
@Suite(.serialized, .enabled(if: !Programs.inVirtualMachine)) struct NetworkCommandTests {
    private static let shared = Result { try NetworkedDaemon.shared() }
    private let engine: NetworkedDaemon

    init() throws { engine = try Self.shared.get() }

    static let clients = Shell.exists("docker") ? [Programs.dhow, "docker"] : [Programs.dhow]

    /// Runs one of the clients, which must succeed.
    @discardableResult
    private func run(_ client: String, _ arguments: String...) throws -> String {
        try Shell.check([client, "-H", "unix://\(engine.daemon.socket)"] + arguments).text
    }

    private func inspect(_ network: String) throws -> JSONValue {
        try JSONValue(parsing: engine.dhow("network", "inspect", network))[0] ?? .null
    }

    @Test(arguments: clients) func aNetworkIsWhatWasAskedFor(client: String) throws {
        defer { engine.remove(["c1", "c2"], networks: ["full"]) }
        let id = try run(
            client, "network", "create", "--driver", "bridge", "--subnet", "10.70.0.0/16", "--ip-range", "10.70.5.0/24",
            "--gateway", "10.70.5.254", "--aux-address", "router=10.70.5.1", "--ipv6", "--subnet", "fd00:70::/64",
            "--label", "a=b", "--attachable", "-o", "com.docker.network.bridge.name=dhowtest0", "-o",
            "com.docker.network.driver.mtu=1450", "full")
        #expect(id.count == 64)
        let network = try inspect("full")
        #expect(network["Id"]?.string == id)
        #expect(network["Driver"] == "bridge" && network["Scope"] == "local" && network["Attachable"] == true)
        #expect(network["EnableIPv6"] == true && network["Internal"] == false)
        #expect(network["Labels"] == ["a": "b"])
        #expect(
            network["Options"] == [
                "com.docker.network.bridge.name": "dhowtest0", "com.docker.network.driver.mtu": "1450",
            ])
        let pools = network["IPAM"]?["Config"]
        #expect(
            pools?[0] == [
                "Subnet": "10.70.0.0/16", "IPRange": "10.70.5.0/24", "Gateway": "10.70.5.254",
                "AuxiliaryAddresses": ["router": "10.70.5.1"],
            ], "\(pools?.serialized() ?? "")")
        #expect(pools?[1]?["Subnet"] == "fd00:70::/64")
        let link = try engine.host.sh("ip address show dhowtest0").text
        #expect(
            link.contains("mtu 1450") && link.contains("10.70.5.254/16") && link.contains("fd00:70::1/64"), "\(link)")
        // The first address that is neither the auxiliary one nor the subnet's.
        let first = try engine.start("c1", "--network", "full")
        #expect(["10.70.5.0", "10.70.5.2"].contains(first.address4("full")), "\(first.address4("full"))")
        let containers = try inspect("full")["Containers"]
        #expect(containers?[first.id]?["Name"] == "c1")
        #expect(containers?[first.id]?["IPv4Address"]?.string == first.address4("full") + "/16")
        #expect(containers?[first.id]?["IPv6Address"]?.string == first.address6("full") + "/64")
        #expect(
            try run(client, "network", "ls", "--filter", "label=a=b", "--format", "{{.Name}} {{.Driver}}")
                == "full bridge")
        #expect(try run(client, "network", "ls", "-q", "--no-trunc", "--filter", "name=ful") == id)
        engine.remove(["c1"])
        #expect(try run(client, "network", "rm", String(id.prefix(12))) == String(id.prefix(12)))
        #expect(try engine.host.run("ip", "link", "show", "dhowtest0").status != 0)
    }

    @Test(arguments: clients) func connectingAndDisconnectingWhileRunning(client: String) throws {
        defer { engine.remove(["mobile", "fixed"], networks: ["home", "away"]) }
        try run(client, "network", "create", "home")
        try run(client, "network", "create", "--subnet", "10.71.0.0/24", "--subnet", "fd00:71::/64", "--ipv6", "away")
        let mobile = try engine.start("mobile", "--network", "home")
        let fixed = try engine.startWeb("fixed", "--network", "away")
        #expect(try mobile.place.get("http://\(fixed.address4("away"))/", seconds: 1) == nil)
        try run(
            client, "network", "connect", "--ip", "10.71.0.77", "--ip6", "fd00:71::77", "--alias", "roamer", "away",
            "mobile")
        let connected = try engine.container("mobile")
        #expect(connected.address4("away") == "10.71.0.77" && connected.address6("away") == "fd00:71::77")
        #expect(try mobile.place.sh("ip -o address show eth1").text.contains("10.71.0.77/24"))
        #expect(try mobile.place.get("http://\(fixed.address4("away"))/") == "fixed")
        #expect(try mobile.place.get("http://[\(fixed.address6("away"))]/") == "fixed")
        #expect(try fixed.place.resolve("roamer") == ["10.71.0.77"])
        #expect(try engine.dhow("exec", "mobile", "cat", "/etc/hosts").contains("10.71.0.77"))
        let again = try engine.daemon.dhow("network", "connect", "away", "mobile")
        #expect(again.status == 1 && again.stderr.contains("already"), "\(again)")
        // It is connected after a restart, too.
        try engine.dhow("restart", "-t", "0", "mobile")
        #expect(try engine.container("mobile").address4("away") == "10.71.0.77")
        let inUse = try engine.daemon.dhow("network", "rm", "away")
        #expect(
            inUse.status == 1 && inUse.stderr.contains("active endpoints") && inUse.stderr.contains("mobile"),
            "\(inUse)")
        try run(client, "network", "disconnect", "away", "mobile")
        let after = try engine.container("mobile")
        #expect(try after.place.run("ip", "link", "show", "eth1").status != 0)
        #expect(after.settings["Networks"]?.object?.members.map(\.name) == ["home"])
        #expect(try fixed.place.resolve("roamer") == ["NXDOMAIN"])
        #expect(try !engine.dhow("exec", "mobile", "cat", "/etc/hosts").contains("10.71.0.77"))
        // A stopped container is connected when it starts; a disconnected one can be removed with force.
        try engine.dhow("stop", "-t", "0", "mobile")
        try run(client, "network", "connect", "away", "mobile")
        try engine.dhow("start", "mobile")
        #expect(try !engine.container("mobile").address4("away").isEmpty)
        try run(client, "network", "disconnect", "-f", "away", "mobile")
        try run(client, "network", "disconnect", "home", "mobile")
        #expect(try engine.container("mobile").place.sh("ip -o link | wc -l").text == "1")
    }

    @Test func severalNetworksAtOnce() throws {
        defer { engine.remove(["many", "left", "right"], networks: ["net-a", "net-b"]) }
        try engine.dhow("network", "create", "--subnet", "10.72.1.0/24", "net-a")
        try engine.dhow("network", "create", "--subnet", "10.72.2.0/24", "net-b")
        let many = try engine.start(
            "many", "--network", "name=net-a,ip=10.72.1.9,alias=one", "--network",
            "name=net-b,ip=10.72.2.9,alias=two,alias=zwei,gw-priority=1,mac-address=02:00:00:00:00:99",
            "-p", "8400:80")
        #expect(try many.place.sh("ip -o -4 address").lines.count == 3)
        #expect(try many.place.sh("ip route show default").text.hasPrefix("default via 10.72.2.1 "))
        #expect(try many.place.sh("ip -o link").text.contains("02:00:00:00:00:99"))
        let left = try engine.start("left", "--network", "net-a")
        let right = try engine.start("right", "--network", "net-b")
        #expect(try left.place.resolve("one") == ["10.72.1.9"])
        #expect(try right.place.resolve("zwei") == ["10.72.2.9"])
        #expect(try left.place.resolve("two") == ["NXDOMAIN"])
        #expect(try left.place.resolve("many") == ["10.72.1.9"])
        #expect(try right.place.resolve("many") == ["10.72.2.9"])
        // The port follows the network that has the default route.
        let server = try many.place.serve(.tcp, "0.0.0.0", 80)
        #expect(try engine.outside.ask(.tcp, TestHost.address4, 8400) == TestHost.outsideAddress4)
        try engine.dhow("network", "disconnect", "net-b", "many")
        #expect(try many.place.sh("ip route show default").text.hasPrefix("default via 10.72.1.1 "))
        #expect(try eventually { try engine.outside.ask(.tcp, TestHost.address4, 8400) == TestHost.outsideAddress4 })
        #expect(server.isRunning)
    }

    @Test func linksAndAliases() throws {
        defer { engine.remove(["db", "app", "legacy", "old"], networks: ["linked"]) }
        try engine.dhow("network", "create", "linked")
        let db = try engine.start("db", "--network", "linked", "--network-alias", "database")
        let app = try engine.start("app", "--network", "linked", "--link", "db:store")
        for name in ["db", "database", "store", String(db.id.prefix(12))] {
            #expect(try app.place.resolve(name) == [db.address4("linked")], "\(name)")
        }
        // A link is the container's own.
        #expect(try db.place.resolve("store") == ["NXDOMAIN"])
        // On the default network links are lines in a file.
        let old = try engine.start("old")
        try engine.start("legacy", "--link", "old:ancient")
        let hosts = try engine.dhow("exec", "legacy", "cat", "/etc/hosts")
        #expect(hosts.contains("\(old.address4())\tancient \(old.id.prefix(12)) old"), "\(hosts)")
        #expect(try engine.daemon.dhow("exec", "legacy", "ping", "-c1", "-W5", "ancient").status == 0)
        for name in ["legacy", "legacy/none"] { #expect(try engine.daemon.dhow("rm", "--link", name).status == 1) }
        #expect(try engine.dhow("rm", "--link", "legacy/ancient") == "legacy/ancient")
        #expect(try !engine.dhow("exec", "legacy", "cat", "/etc/hosts").contains("ancient"))
        #expect(try engine.daemon.inspect("legacy")["HostConfig"]?["Links"]?.array?.isEmpty != false)
    }

    @Test func settingsOfOneInterface() throws {
        defer { engine.remove(["tuned"], networks: ["tune"]) }
        try engine.dhow("network", "create", "tune")
        let tuned = try engine.start(
            "tuned", "--network",
            "name=tune,\"driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.forwarding=0\",driver-opt=com.docker.network.endpoint.ifname=lan0",
            "--mac-address", "02:42:00:00:00:17")
        #expect(try tuned.place.sh("cat /proc/sys/net/ipv4/conf/lan0/log_martians").text == "1")
        #expect(try tuned.place.sh("cat /proc/sys/net/ipv4/conf/lan0/forwarding").text == "0")
        #expect(try tuned.place.sh("ip -o link show lan0").text.contains("02:42:00:00:00:17"))
        #expect(tuned.settings["Networks"]?["tune"]?["MacAddress"] == "02:42:00:00:00:17")
        let refused = try engine.daemon.dhow(
            "run", "--rm", "--network", "name=tune,driver-opt=com.docker.network.endpoint.sysctls=kernel.panic=1",
            Images.busybox, "true")
        #expect(refused.status == 125 && refused.stderr.contains("sysctl"), "\(refused)")
    }

    @Test func networksOfOthersAndNone() throws {
        defer { engine.remove(["owner", "guest", "bare", "hosted"], networks: ["owned"]) }
        try engine.dhow("network", "create", "owned")
        let owner = try engine.startWeb("owner", "--network", "owned", "-p", "8401:80")
        let guest = try engine.start("guest", "--network", "container:owner")
        #expect(
            try guest.place.sh("readlink /proc/self/ns/net").text == owner.place.sh("readlink /proc/self/ns/net").text)
        #expect(try guest.place.get("http://127.0.0.1/") == "owner")
        #expect(
            try engine.dhow("exec", "guest", "cat", "/etc/hosts", "/etc/resolv.conf")
                == engine.dhow("exec", "owner", "cat", "/etc/hosts", "/etc/resolv.conf"))
        #expect(try engine.dhow("exec", "guest", "hostname") == String(owner.id.prefix(12)))
        let ports = try engine.daemon.dhow(
            "run", "--rm", "--network", "container:owner", "-p", "1:1", Images.busybox, "true")
        #expect(ports.status == 125 && ports.stderr.contains("conflicting options"), "\(ports)")
        let bare = try engine.start("bare", "--network", "none")
        #expect(try bare.place.sh("ip -o link | wc -l").text == "1")
        let hosted = try engine.start("hosted", "--network", "host")
        #expect(
            try hosted.place.sh("readlink /proc/self/ns/net").text == engine.host.sh("readlink /proc/self/ns/net").text)
        for mode in ["none", "host"] {
            let connect = try engine.daemon.dhow("network", "connect", "owned", mode == "none" ? "bare" : "hosted")
            #expect(connect.status == 1 && !connect.stderr.isEmpty, "\(connect)")
        }
        let missing = try engine.daemon.dhow("run", "--rm", "--network", "nosuch", Images.busybox, "true")
        #expect(missing.status == 125 && missing.stderr.contains("network nosuch not found"), "\(missing)")
    }

    @Test(arguments: clients) func pruningLeavesWhatIsUsed(client: String) throws {
        defer { engine.remove(["user"], networks: ["used", "unused1", "unused2", "kept"]) }
        for name in ["used", "unused1", "unused2"] { try run(client, "network", "create", name) }
        try run(client, "network", "create", "--label", "keep", "kept")
        try engine.start("user", "--network", "used")
        #expect(
            try run(client, "network", "ls", "-q", "--filter", "dangling=true").components(separatedBy: "\n").count == 3
        )
        let pruned = try run(client, "network", "prune", "-f", "--filter", "label!=keep").components(separatedBy: "\n")
        #expect(pruned.sorted() == ["Deleted Networks:", "unused1", "unused2"], "\(pruned)")
        let left = try run(client, "network", "ls", "--format", "{{.Name}}").components(separatedBy: "\n")
        #expect(left.sorted() == ["bridge", "host", "kept", "none", "used"])
        let ids = try Set(engine.dhow("network", "ls", "-q", "--filter", "driver=bridge").components(separatedBy: "\n"))
        let bridges = try engine.host.sh("ip -o link show type bridge").lines.count
        #expect(bridges <= ids.count)
    }

    @Test func eventsOfNetworks() throws {
        defer { engine.remove(["walker"], networks: ["told"]) }
        let since = try Shell.sh("date +%s").text
        try engine.dhow("network", "create", "told")
        let walker = try engine.start("walker", "--network", "told")
        try engine.dhow("rm", "-f", "walker")
        try engine.dhow("network", "rm", "told")
        let events = try engine.dhow(
            "events", "--since", since, "--until", try Shell.sh("echo $(($(date +%s) + 1))").text, "--filter",
            "type=network",
            "--filter", "network=told", "--format", "{{.Action}} {{.Actor.Attributes.container}}"
        ).components(separatedBy: "\n").map { $0.replacingOccurrences(of: " <no value>", with: "") }
        #expect(
            events.map { $0.trimmingCharacters(in: .whitespaces) } == [
                "create", "connect \(walker.id)", "disconnect \(walker.id)", "destroy",
            ], "\(events)")
    }

    @Test func configurationOnlyNetworks() throws {
        defer { engine.remove(["user"], networks: ["real", "recipe"]) }
        try engine.dhow("network", "create", "--config-only", "--subnet", "10.73.0.0/24", "recipe")
        try engine.dhow("network", "create", "--config-from", "recipe", "real")
        #expect(try engine.start("user", "--network", "real").address4("real").hasPrefix("10.73.0."))
        let refused = try engine.daemon.dhow("network", "rm", "recipe")
        #expect(refused.status == 1 && refused.stderr.contains("in use"), "\(refused)")
        let run = try engine.daemon.dhow("run", "--rm", "--network", "recipe", Images.busybox, "true")
        #expect(run.status == 125, "\(run)")
    }
}
