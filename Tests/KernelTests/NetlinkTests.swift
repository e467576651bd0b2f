import Glibc
import Testing

@testable import Kernel

@Suite struct NetlinkMessageTests {
    @Test func buildsWhatItReads() {
        var request = NetlinkRequest(16, [.create], operation: "test")
        request.append(UInt32(7))
        request.attribute(3, string: "name")
        request.attribute(4, UInt16(5))
        request.nest(18) { $0.attribute(1, bytes: [1, 2, 3, 4, 5]) }
        let messages = NetlinkMessage.split(request.finished(sequence: 9))
        #expect(messages.count == 1)
        #expect(messages.first?.type == 16 && messages.first?.sequence == 9)
        let attributes = messages.first?.attributes(skipping: 4)
        #expect(attributes?.string(3) == "name")
        #expect(attributes?.integer(4, as: UInt16.self) == 5)
        #expect(attributes?.integer(4, as: UInt32.self) == nil)
        #expect(attributes?.nested(18)?[1].map(Array.init) == [1, 2, 3, 4, 5])
        #expect(attributes?[99] == nil)
    }

    @Test func survivesNonsense() {
        var state: UInt64 = 3
        for length in 0..<400 {
            var bytes = (0..<length).map { _ -> UInt8 in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 56) & (length % 2 == 0 ? 0x1f : 0xff)
            }
            // A header that promises more or less than there is.
            if length > 4 {
                bytes[1] = 0
                bytes[2] = 0
                bytes[3] = 0
            }
            for message in NetlinkMessage.split(bytes) {
                _ = (Link(message), InterfaceAddress(message), Route(message))
                _ = message.attributes(skipping: 200).string(3)
            }
            _ = NetlinkAttributes(bytes[...]).nested(1)
        }
    }

    @Test func announcesInTheRightWords() {
        let arp = gratuitousARP([10, 0, 0, 2], [2, 0, 0, 0, 0, 1])
        #expect(arp.count == 42 && arp[12...13].elementsEqual([8, 6]))
        let advertisement = neighbourAdvertisement(
            [0xfd] + [UInt8](repeating: 0, count: 14) + [2], [2, 0, 0, 0, 0, 1])
        #expect(advertisement.count == 14 + 40 + 32)
        // The checksum over pseudo header and message comes out as all ones.
        let (header, body) = (advertisement[14..<54], advertisement[54...])
        let sum = Array(header[22..<54]) + [0, 0, 0, 32, 0, 0, 0, 58] + Array(body)
        var total: UInt32 = 0
        for index in stride(from: 0, to: sum.count, by: 2) { total += UInt32(sum[index]) << 8 | UInt32(sum[index + 1]) }
        while total > 0xffff { total = total & 0xffff + total >> 16 }
        #expect(total == 0xffff)
    }
}

/// In namespaces of their own: nothing of the host's is touched, and nothing is left.
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
