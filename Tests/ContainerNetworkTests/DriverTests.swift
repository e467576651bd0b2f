import Kernel
import Testing

@testable import ContainerNetwork

@Suite struct DriverOptionTests {
    @Test func readsBridgeOptions() throws {
        let bridge = "com.docker.network.bridge."
        let options = try BridgeOptions(
            NetworkSpecification(
                id: "0123456789abcdef",
                options: [
                    bridge + "name": "mybridge", bridge + "enable_icc": "false", bridge + "enable_ip_masquerade": "0",
                    bridge + "host_binding_ipv4": "127.0.0.1", "com.docker.network.driver.mtu": "1400",
                    "com.docker.network.container_iface_prefix": "net", bridge + "gateway_mode_ipv6": "routed",
                    bridge + "trusted_host_interfaces": "eth1:eth2",
                ]))
        #expect(options.bridgeName == "mybridge")
        #expect(!options.allowsCommunication && !options.masquerades)
        #expect(options.mtu == 1400 && options.interfacePrefix == "net")
        #expect(options.gatewayMode4 == .nat && options.gatewayMode6 == .routed)
        #expect(options.trustedInterfaces == ["eth1", "eth2"])
        #expect(try BridgeOptions(NetworkSpecification(id: "0123456789abcdef")).bridgeName == "br-0123456789ab")
    }

    @Test(arguments: [
        ("com.docker.network.bridge.name", "averyveryverylongname"), ("com.docker.network.bridge.name", "a b"),
        ("com.docker.network.bridge.enable_icc", "maybe"), ("com.docker.network.driver.mtu", "67"),
        ("com.docker.network.driver.mtu", "-1"), ("com.docker.network.driver.mtu", "99999999999"),
        ("com.docker.network.bridge.host_binding_ipv4", "localhost"),
        ("com.docker.network.bridge.gateway_mode_ipv4", "bridge"),
        ("com.docker.network.bridge.gateway_mode_ipv4", "isolated"),
        ("com.docker.network.host_ipv4", "::1"), ("com.docker.network.container_iface_prefix", "averylongprefix"),
        ("com.docker.network.bridge.trusted_host_interfaces", "eth0:\"; drop"),
    ])
    func refusesBadOptions(_ name: String, _ value: String) {
        #expect { try BridgeOptions(NetworkSpecification(id: "0123456789abcdef", options: [name: value])) } throws: {
            ($0 as? NetworkError)?.code == .invalidArgument
        }
    }

    @Test(arguments: [
        "", "=", "net.ipv4.conf.IFNAME.x", "net.ipv4.conf.eth0.x=1", "kernel.x.conf.IFNAME.y=1",
        "net.ipv4.conf.IFNAME.../../x=1", "net.ipv4.conf.IFNAME.=1", "net.ipv4.tcp.IFNAME.x=1",
        "net.ipv4.conf.IFNAME.x=",
    ])
    func refusesBadSysctls(_ text: String) {
        #expect(throws: NetworkError.self) { try NetworkSandbox.settings([text], interface: "eth0") }
    }

    @Test func choosesTheDefaultRoute() {
        typealias Candidate = DefaultRoutes.Candidate
        #expect(DefaultRoutes.choose(.v4, among: []) == nil)
        #expect(DefaultRoutes.choose(.v6, among: [Candidate(networkName: "a", families: [.v4])]) == nil)
        let candidates = [
            Candidate(networkName: "b", families: [.v4]), Candidate(networkName: "a", families: [.v4]),
            Candidate(networkName: "c", families: [.v4, .v6]),
            Candidate(networkName: "d", priority: -1, families: [.v4, .v6]),
        ]
        #expect(DefaultRoutes.choose(.v4, among: candidates) == 2)
        #expect(DefaultRoutes.choose(.v4, among: Array(candidates[..<2])) == 1)
        #expect(
            DefaultRoutes.choose(.v4, among: candidates + [Candidate(networkName: "z", priority: 1, families: [.v4])])
                == 4)
    }

    @Test func readsMarks() {
        let mark = InterfaceMark(owner: "o", networkID: "n", endpointID: "e")
        #expect(InterfaceMark(mark.description) == mark)
        #expect(InterfaceMark(InterfaceMark(owner: "", networkID: "n").description)?.endpointID == nil)
        for alias in ["", "dhow", "dhow:", "dhow:o", "dhow:o:", "docker:o:n", "dhow:o:/e/"] {
            #expect(InterfaceMark(alias)?.networkID != "n", "\(alias)")
        }
    }
}

@Suite(.enabled(if: canUseNetwork)) struct DriverTests {
    @Test func setsAnEndpointUp() throws {
        let host = try TestHost()
        let network = try host.network(
            1, usesIPv6: true, options: ["com.docker.network.driver.mtu": "1400"])
        let other = try host.network(2)
        let container = try host.container(2, on: network)
        try host.connect(
            container, 7, to: other, defaultRoutes: [], sysctls: ["net.ipv4.conf.IFNAME.log_martians=1"])
        let inner = container.sandbox.netlink
        let links = try inner.links()
        #expect(links.map(\.name).sorted() == ["eth0", "eth1", "lo"])
        let eth0 = try inner.link(named: "eth0")
        let eth1 = try inner.link(named: "eth1")
        #expect(eth0.isUp && eth0.mtu == 1400 && eth1.mtu == 1500)
        #expect(eth0.macAddress == container.joined[0].macAddress.bytes)
        let addresses = try inner.addresses()
        #expect(addresses.contains(InterfaceAddress(interface: eth0.index, address: [10, 1, 0, 2], prefixLength: 16)))
        #expect(addresses.contains { $0.interface == eth0.index && $0.address == container.address6?.bytes })
        #expect(addresses.contains(InterfaceAddress(interface: eth1.index, address: [10, 2, 0, 7], prefixLength: 16)))
        let defaults = try inner.routes().filter { $0.isDefault && $0.type == 1 && $0.table == 254 }
        #expect(Set(defaults.map(\.family)) == [2, 10])
        #expect(defaults.allSatisfy { $0.interface == eth0.index })
        let settings = try container.namespace.run {
            try [
                ["ipv4", "conf", "eth1", "log_martians"], ["ipv6", "conf", "eth1", "disable_ipv6"],
                ["ipv6", "conf", "eth0", "disable_ipv6"],
            ].map { try NetworkSysctl.read($0) }
        }
        #expect(settings == ["1", "1", "0"])
        let bridge = try host.netlink.link(named: "br-\(network.shortID)").index
        let linkLocal: [UInt8] = [0xfe, 0x80] + [UInt8](repeating: 0, count: 13) + [1]
        #expect(
            try host.netlink.addresses(of: bridge).filter { $0.address.starts(with: [0xfe, 0x80]) }.map(\.address)
                == [linkLocal])
        // The default route moves, and the first network is left while the container runs.
        try container.sandbox.setDefaultRoute(.v4, through: container.joined[1])
        #expect(try inner.routes().filter { $0.isDefault && $0.family == 2 }.map(\.interface) == [eth1.index])
        try host.driver.leave(container.joined[0], in: container.sandbox)
        try host.driver.leave(container.joined[0], in: container.sandbox)
        #expect(throws: KernelError.self) { try inner.link(named: "eth0") }
        let hostName = try #require(container.joined[0].hostInterface)
        #expect(throws: KernelError.self) { try host.netlink.link(named: hostName) }
        // Its name is free again.
        try host.connect(container, 9, to: network, defaultRoutes: [])
        #expect(container.joined.last?.interface == "eth0")
    }

    /// Lost, it would be sent again after a second.
    @Test func theFirstPacketToAContainerArrives() throws {
        let host = try TestHost()
        let network = try host.network(1, usesIPv6: true)
        for last in 2..<8 {
            let container = try host.container(last, on: network)
            let servers = [try container.listen(80), try container.listen(80, .v6)]
            #expect(try connects(from: host.namespace, to: container.address4, 80, milliseconds: 900))
            #expect(try connects(from: host.namespace, to: container.address6, 80, milliseconds: 900))
            withExtendedLifetime(servers) {}
        }
    }

    @Test func leavesNothingBehind() throws {
        let host = try TestHost()
        let before = try host.netlink.links().map(\.name).sorted()
        let network = try host.network(1)
        do {
            let container = try host.container(2, on: network)
            #expect(try host.netlink.links().contains { $0.name == container.joined[0].hostInterface })
            // A join that fails at the last step: the gateway of another family's subnet cannot be reached.
            let sandbox = container.sandbox
            let count = try host.netlink.links().count
            #expect(throws: NetworkError.self) {
                try host.namespace.run {
                    try host.driver.join(
                        EndpointSpecification(
                            id: "x", address4: IPPrefix("10.1.0.9/16"), sysctls: ["net.ipv4.conf.IFNAME.nonsense=1"]),
                        to: network, in: sandbox)
                }
            }
            #expect(try host.netlink.links().count == count)
            try host.driver.leave(container.joined[0], in: sandbox)
        }
        try host.namespace.run {
            try host.driver.remove(network)
            try host.driver.remove(network)
            #expect(try !NFTablesLibrary().run("list ruleset\n").contains("dhow"))
        }
        #expect(try host.netlink.links().map(\.name).sorted() == before)
    }

    @Test func takesOverOrRefusesABridge() throws {
        let host = try TestHost()
        let network = try host.network(1)
        // As after the daemon's restart.
        try host.namespace.run { try host.driver.create(network) }
        let stranger = NetworkSpecification(
            id: "ffff", options: ["com.docker.network.bridge.name": "br-000000000001"])
        #expect { try host.namespace.run { try host.driver.create(stranger) } } throws: {
            ($0 as? NetworkError)?.code == .conflict
        }
        let notABridge = NetworkSpecification(id: "fff0", options: ["com.docker.network.bridge.name": "up0"])
        #expect { try host.namespace.run { try host.driver.create(notABridge) } } throws: {
            ($0 as? NetworkError)?.code == .conflict
        }
        // The user's own bridge is used, and stays.
        try host.netlink.perform(.createLink(.bridge(.init()), LinkSettings(name: "mine")))
        let borrowed = try host.network(3, options: ["com.docker.network.bridge.name": "mine"])
        #expect(try host.netlink.link(named: "mine").isUp)
        try host.namespace.run { try host.driver.remove(borrowed) }
        #expect(try host.netlink.link(named: "mine").kind == "bridge")
        try host.namespace.run {
            #expect(try host.driver.defaultBridgeName() == "docker0")
            try host.netlink.perform(.createLink(.bridge(.init()), LinkSettings(name: "docker0")))
            #expect(try host.driver.defaultBridgeName() == "dhow0")
        }
    }

    @Test func sweepsOnlyItsOwn() throws {
        let host = try TestHost()
        let (kept, lost) = (try host.network(1), try host.network(2))
        let container = try host.container(2, on: kept)
        for (name, alias) in [("other0", "dhow:else:n"), ("user0", "mine"), ("plain0", "")] {
            try host.netlink.perform(.createLink(.bridge(.init()), LinkSettings(name: name)))
            try host.netlink.perform(.setLink(named: name, alias: alias))
        }
        let swept = try HostInterfaces.sweep(
            host.netlink, owner: "test", networks: [kept.id], endpoints: ["e2"])
        #expect(swept == ["br-\(lost.shortID)"])
        let swept2 = try HostInterfaces.sweep(host.netlink, owner: "test", networks: [kept.id], endpoints: [])
        #expect(swept2 == [container.joined[0].hostInterface])
        let names = try host.netlink.links().map(\.name)
        for name in ["other0", "user0", "plain0", "br-\(kept.shortID)"] { #expect(names.contains(name)) }
    }

    @Test(arguments: ["bridge", "private", "vepa", "passthru"]) func joinsMacvlan(_ mode: String) throws {
        let host = try TestHost()
        let driver = try host.namespace.run { try MacvlanDriver(owner: "test") }
        let network = NetworkSpecification(
            id: "00000000aaaa",
            subnets: [NetworkSubnet(try #require(IPPrefix("192.0.2.0/24")), gateway: IPAddress("192.0.2.2"))],
            options: ["parent": "up0", "macvlan_mode": mode])
        try driver.create(network)
        let sandbox = try NetworkSandbox(NetworkNamespace.make())
        let joined = try driver.join(
            EndpointSpecification(id: "m1", address4: IPPrefix("192.0.2.50/24")), to: network, in: sandbox)
        #expect(joined.interface == "eth0" && joined.hostInterface == nil)
        let server = try TestContainer(sandbox: host.outside).listen(80)
        #expect(try connects(from: sandbox.namespace, to: IPAddress("192.0.2.2"), 80))
        #expect(try acceptedPeer(server) == IPAddress("192.0.2.50"))
        #expect(try !sandbox.netlink.routes().filter(\.isDefault).isEmpty)
        try driver.leave(joined, in: sandbox)
        #expect(try sandbox.netlink.links().map(\.name) == ["lo"])
        try driver.remove(network)
        #expect(try host.netlink.link(named: "up0").isUp)
    }

    private func isMade(_ create: () throws -> Void) throws -> Bool {
        do {
            try create()
            return true
        } catch let error as NetworkError where error.code == .unavailable { return false }
    }

    @Test func makesParents() throws {
        let host = try TestHost()
        let driver = try host.namespace.run { try MacvlanDriver(owner: "test") }
        let before = try host.netlink.links().map(\.name).sorted()
        // The kernel may lack either kind.
        let tagged = NetworkSpecification(id: "00000000bbbb", options: ["parent": "up0.42"])
        if try isMade({ try driver.create(tagged) }) {
            #expect(try host.netlink.link(named: "up0.42").kind == "vlan")
        }
        let lone = NetworkSpecification(id: "00000000cccc", isInternal: true)
        if try isMade({ try driver.create(lone) }) {
            #expect(try host.netlink.link(named: "dm-00000000cccc").kind == "dummy")
        }
        for parent in ["missing0", "up0.0", "up0.4095", "up0.x", "missing0.5"] {
            #expect(throws: NetworkError.self) {
                try driver.create(NetworkSpecification(id: "00000000dddd", options: ["parent": parent]))
            }
        }
        try driver.remove(tagged)
        try driver.remove(lone)
        #expect(try host.netlink.links().map(\.name).sorted() == before)
    }

    /// The kernel may lack ipvlan: then the error says so, and nothing is left.
    @Test(arguments: ["l2", "l3", "l3s"]) func joinsIpvlan(_ mode: String) throws {
        let host = try TestHost()
        let driver = try host.namespace.run { try IpvlanDriver(owner: "test") }
        let network = NetworkSpecification(
            id: "00000000eeee",
            subnets: [NetworkSubnet(try #require(IPPrefix("192.0.2.0/24")), gateway: IPAddress("192.0.2.2"))],
            options: ["parent": "up0", "ipvlan_mode": mode])
        try driver.create(network)
        let sandbox = try NetworkSandbox(NetworkNamespace.make())
        let endpoint = EndpointSpecification(id: "i1", address4: IPPrefix("192.0.2.50/24"))
        do {
            let joined = try driver.join(endpoint, to: network, in: sandbox)
            let server = try TestContainer(sandbox: host.outside).listen(80)
            #expect(try connects(from: sandbox.namespace, to: IPAddress("192.0.2.2"), 80))
            #expect(try acceptedPeer(server) == IPAddress("192.0.2.50"))
            #expect(joined.routesOnLink == (mode != "l2"))
        } catch let error as NetworkError {
            #expect(error.code == .unavailable, "\(error)")
            #expect(try sandbox.netlink.links().map(\.name) == ["lo"])
        }
        var marked = endpoint
        marked.macAddress = .random()
        #expect(throws: NetworkError.self) { try driver.join(marked, to: network, in: sandbox) }
    }
}
