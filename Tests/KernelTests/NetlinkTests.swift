import Glibc
import Kernel
import Testing

@Suite(.enabled(if: geteuid() == 0)) struct NetlinkTests {
    @Test func comesBackFromANamespace() throws {
        let home = try FileDescriptor.currentDirectory.status(of: "/proc/thread-self/ns/net", followLinks: true).inode
        let namespace = try NetworkNamespace.make()
        struct Failure: Error {}
        #expect(throws: Failure.self) {
            try namespace.run {
                let inside = try FileDescriptor.currentDirectory.status(
                    of: "/proc/thread-self/ns/net", followLinks: true)
                #expect(inside.inode != home)
                throw Failure()
            }
        }
        let after = try FileDescriptor.currentDirectory.status(of: "/proc/thread-self/ns/net", followLinks: true)
        #expect(after.inode == home)
        let notANamespace = NetworkNamespace(try FileDescriptor.open("/dev/null"))
        #expect(throws: KernelError.self) { try notANamespace.run {} }
        #expect(throws: KernelError.self) { try NetworkNamespace.open(pid: Int32.max) }
    }

    @Test func makesInterfaces() throws {
        let (here, there) = (try NetworkNamespace.make(), try NetworkNamespace.make())
        let inner = try there.run { try NetlinkSocket() }
        let netlink = try here.run { try NetlinkSocket() }
        let mac: [UInt8] = [2, 1, 2, 3, 4, 5]
        try netlink.perform([
            .createLink(.bridge(.init(multicastSnooping: false)), LinkSettings(name: "br0", mtu: 1400, isUp: true)),
            .setLink(named: "br0", alias: "a mark"),
        ])
        let bridge = try netlink.link(named: "br0")
        #expect(bridge.kind == "bridge" && bridge.isUp && bridge.mtu == 1400 && bridge.alias == "a mark")
        try netlink.perform(
            .createLink(
                .veth(
                    peer: LinkSettings(name: "eth0", namespace: there.descriptor, macAddress: mac, mtu: 1300)),
                LinkSettings(name: "port0", master: bridge.index, isUp: true)))
        let port = try netlink.link(named: "port0")
        #expect(port.master == bridge.index && port.isUp && port.kind == "veth")
        let eth0 = try inner.link(named: "eth0")
        #expect(eth0.macAddress == mac && eth0.mtu == 1300 && !eth0.isUp)
        try netlink.perform(.setBridgePort(named: "port0", BridgePortFlags(hairpin: true, isolated: true)))
        try inner.perform([
            .setLink(eth0.index, LinkSettings(name: "eth7")), .setLink(eth0.index, isUp: true, isPromiscuous: true),
        ])
        #expect(try inner.link(named: "eth7").flags & 0x101 == 0x101)

        let address = InterfaceAddress(interface: eth0.index, address: [10, 0, 0, 2], prefixLength: 24)
        let address6 = InterfaceAddress(
            interface: eth0.index, address: [0xfd] + [UInt8](repeating: 0, count: 14) + [2], prefixLength: 64)
        try inner.perform([
            .addAddress(address), .addAddress(address6),
            .addRoute(.default(via: [10, 0, 0, 1], interface: eth0.index)),
            .addRoute(.default(via: [192, 0, 2, 1], interface: eth0.index, metric: 5, isOnLink: true)),
            .addNeighbour(interface: eth0.index, address: [10, 0, 0, 9], macAddress: mac),
        ])
        #expect(try inner.addresses(of: eth0.index).contains(address))
        #expect(try inner.addresses().contains(address6))
        #expect(try inner.routes().filter { $0.family == 2 && $0.isDefault }.count == 2)
        try there.run {
            try announceAddress([10, 0, 0, 2], macAddress: mac, interface: eth0.index)
            try announceAddress(address6.address, macAddress: mac, interface: eth0.index)
        }
        try inner.perform(.deleteRoute(.default(via: [10, 0, 0, 1], interface: eth0.index)))
        try inner.perform(.deleteAddress(address))
        #expect(try !inner.addresses(of: eth0.index).contains(address))
        try netlink.perform(.deleteLink(port.index))
        #expect(throws: KernelError.self) { try inner.link(named: "eth7") }
    }

    @Test func saysWhatTheKernelSays() throws {
        let netlink = try NetworkNamespace.make().run { try NetlinkSocket() }
        #expect { try netlink.link(named: "none") } throws: { ($0 as? KernelError)?.code == .noDevice }
        #expect { try netlink.perform(.createLink(.bridge(.init()), LinkSettings(name: "a/b"))) } throws: {
            ($0 as? KernelError)?.code == .invalidArgument
        }
        // The reason comes with the number.
        #expect {
            try netlink.perform(.createLink(.bridge(.init()), LinkSettings(name: "br0", mtu: 70000)))
        } throws: { ($0 as? KernelError)?.advice.isEmpty == false }
        // Each request of a call succeeds or fails by itself.
        let failures = try netlink.performAll([
            .deleteLink(named: "none"), .createLink(.bridge(.init()), LinkSettings(name: "br1")),
            .createLink(.bridge(.init()), LinkSettings(name: "br1")),
        ])
        #expect(failures.map { $0?.code } == [.noDevice, nil, .exists])
        #expect(try netlink.links().map(\.name).contains("br1"))
    }

    @Test func listsMoreThanOneBufferHolds() throws {
        let netlink = try NetworkNamespace.make().run { try NetlinkSocket() }
        try netlink.perform((0..<100).map { .createLink(.bridge(.init()), LinkSettings(name: "br\($0)")) })
        #expect(try netlink.links().filter { $0.kind == "bridge" }.count == 100)
    }

    @Test func writesSettings() throws {
        let namespace = try NetworkNamespace.make()
        let values = try namespace.run {
            let old = try NetworkSysctl.ensure(["ipv4", "conf", "lo", "log_martians"], "1")
            return (old, try NetworkSysctl.read(["ipv4", "conf", "lo", "log_martians"]))
        }
        #expect(values == ("0", "1"))
        for path in [["ipv4", "..", "x"], ["ipv4", "a/b"], ["", "x"], ["nonsense"]] {
            #expect(throws: KernelError.self) { try NetworkSysctl.write(path, "1") }
        }
    }
}
