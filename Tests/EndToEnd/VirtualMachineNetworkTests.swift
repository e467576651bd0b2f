import Foundation
import Testing

/// Networks that not every kernel has. Runs here where the kernel has them, and in the virtual machine of `make test-vm`,
/// which has them all, and the usual one beside them.
@Suite(.serialized) struct VirtualMachineNetworkTests {
    private static let shared = Result { try NetworkedDaemon.shared() }
    private let engine: NetworkedDaemon

    init() throws { engine = try Self.shared.get() }

    /// Whether the kernel can make an interface of a kind.
    private static func canMake(_ kind: String...) -> Bool {
        guard let machine = try? TestHost() else { return false }
        let output = try? Shell.run(
            machine.host.enter + ["ip", "link", "add", "link", "wan0", "name", "try0", "type"] + kind)
        return output?.status == 0
    }

    private static let hasIpvlan = canMake("ipvlan", "mode", "l2")
    private static let hasVirtualLANs = canMake("vlan", "id", "9")

    @Test func aBridgeWithAPublishedPort() throws {
        defer { engine.remove(["web", "friend"], networks: ["plain"]) }
        try engine.dhow("network", "create", "--ipv6", "plain")
        let web = try engine.startWeb("web", "--network", "plain", "-p", "8900:80")
        let friend = try engine.start("friend", "--network", "plain")
        #expect(try engine.outside.get("http://\(TestHost.address4):8900/") == "web")
        #expect(try engine.outside.get("http://[\(TestHost.address6)]:8900/") == "web")
        for address in ["127.0.0.1", "[::1]", TestHost.address4] {
            #expect(try engine.host.get("http://\(address):8900/") == "web", "\(address)")
        }
        #expect(try friend.place.resolve("web") == [web.address4("plain")])
        #expect(try friend.place.resolve("one.test") == ["203.0.113.7"])
    }

    private static let hasSCTP: Bool = {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), Int32(IPPROTO_SCTP))
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }()

    @Test(.enabled(if: hasSCTP, "the kernel has no SCTP")) func streamsOfSCTP() throws {
        defer { engine.remove(["streams"], networks: ["sctp"]) }
        try engine.dhow("network", "create", "--ipv6", "sctp")
        let streams = try engine.start("streams", "--network", "sctp", "-p", "8901:81/sctp")
        let server = try streams.place.serve(.sctp, "::", 81)
        #expect(try engine.dhow("port", "streams").contains("81/sctp -> 0.0.0.0:8901"))
        #expect(try engine.outside.ask(.sctp, TestHost.address4, 8901) == TestHost.outsideAddress4)
        #expect(try engine.outside.ask(.sctp, TestHost.address6, 8901) == TestHost.outsideAddress6)
        #expect(try engine.host.ask(.sctp, "127.0.0.1", 8901) != nil)
        #expect(server.isRunning)
    }

    @Test(.enabled(if: !hasSCTP, "the kernel has SCTP")) func aKernelWithoutSCTPTranslatesItAllTheSame() throws {
        defer { engine.remove(["streams"]) }
        try engine.start("streams", "-p", "8901:81/sctp")
        #expect(try engine.host.sh("nft list ruleset").text.contains("sctp . 8901"))
    }

    @Test(.enabled(if: hasIpvlan, "the kernel has no ipvlan"), arguments: ["l2", "l3", "l3s"])
    func ipvlan(mode: String) throws {
        defer { engine.remove(["ip1", "ip2"], networks: ["ipv"]) }
        // In the second mode the containers are machines among those outside, in the others they are behind the host.
        let (subnet4, subnet6) = mode == "l2" ? ("192.0.2.0/24", "2001:db8:1::/64") : ("10.92.0.0/24", "fd00:92::/64")
        let gateways =
            mode == "l2"
            ? [
                "--gateway", TestHost.outsideAddress4, "--ip-range", "192.0.2.128/25", "--gateway",
                TestHost.outsideAddress6, "--ip-range", "2001:db8:1::100/120",
            ] : []
        try Shell.check(
            [
                Programs.dhow, "-H", "unix://\(engine.daemon.socket)", "network", "create", "-d", "ipvlan", "-o",
                "parent=wan0", "-o", "ipvlan_mode=\(mode)", "--subnet", subnet4, "--ipv6", "--subnet", subnet6,
            ] + gateways + ["ipv"])
        if mode != "l2" {
            try engine.outside.sh(
                "ip route replace \(subnet4) via \(TestHost.address4); ip -6 route replace \(subnet6) via \(TestHost.address6)"
            )
        }
        let first = try engine.startWeb("ip1", "--network", "ipv")
        let second = try engine.start("ip2", "--network", "ipv")
        #expect(try first.place.sh("ip -d link show eth0").text.contains("ipvlan  mode \(mode)"))
        for address in [first.address4("ipv"), "[\(first.address6("ipv"))]"] {
            #expect(try eventually { try engine.outside.get("http://\(address)/", seconds: 2) == "ip1" }, "\(address)")
            #expect(try second.place.get("http://\(address)/") == "ip1", "\(address)")
        }
        #expect(try second.place.resolve("ip1") == [first.address4("ipv")])
        let server = try engine.outside.serve(.tcp, "0.0.0.0", 9300)
        #expect(try second.place.ask(.tcp, TestHost.outsideAddress4, 9300) == second.address4("ipv"))
        #expect(server.isRunning)
        let refused = try engine.daemon.dhow(
            "network", "create", "-d", "ipvlan", "-o", "parent=wan0", "-o", "ipvlan_mode=l9", "bad")
        #expect(refused.status == 1 && refused.stderr.contains("l9"), "\(refused)")
    }

    @Test(.enabled(if: hasVirtualLANs, "the kernel has no virtual LANs")) func macvlanOnAVirtualLAN() throws {
        defer { engine.remove(["tagged"], networks: ["vlan"]) }
        try engine.outside.sh(
            """
            ip link add link wan0 name wan0.7 type vlan id 7
            ip link set wan0.7 up
            ip address add 10.80.0.1/24 dev wan0.7
            """)
        defer { _ = try? engine.outside.sh("ip link del wan0.7") }
        try engine.dhow(
            "network", "create", "-d", "macvlan", "--subnet", "10.80.0.0/24", "--gateway", "10.80.0.1", "-o",
            "parent=wan0.7", "vlan")
        let tagged = try engine.startWeb("tagged", "--network", "vlan")
        #expect(try eventually { try engine.outside.get("http://\(tagged.address4("vlan"))/", seconds: 1) == "tagged" })
        // Made for the network, gone with it.
        engine.remove(["tagged"], networks: ["vlan"])
        #expect(try engine.host.run("ip", "link", "show", "wan0.7").status != 0)
    }
}
