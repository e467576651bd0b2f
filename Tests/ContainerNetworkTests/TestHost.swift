import CKernel
import Glibc
import Kernel
import Testing

@testable import ContainerNetwork

/// Whether network tests can run: root, and libnftables.
let canUseNetwork: Bool = {
    guard geteuid() == 0, let namespace = try? NetworkNamespace.make() else { return false }
    return (try? namespace.run { try NFTablesLibrary().run("list tables\n") }) != nil
}()

/// A host in a network namespace of its own, with a machine outside, joined by a cable. All of it goes with the object:
/// nothing is ever made in the namespace that the tests run in.
final class TestHost {
    let namespace: NetworkNamespace
    let outside: NetworkSandbox
    let netlink: NetlinkSocket
    let firewall: Firewall
    let driver: BridgeDriver
    private let reception: AddressReception

    static let hostAddress4 = IPAddress("192.0.2.1")
    static let hostAddress6 = IPAddress("2001:db8:1::1")

    /// - Parameter filtersBridged: whether bridged packets pass the firewall (`bridge-nf-call-iptables`), where the kernel
    ///   knows that at all.
    init(translatesLoopback: Bool = false, filtersBridged: Bool = false) throws {
        namespace = try NetworkNamespace.make()
        outside = try NetworkSandbox(NetworkNamespace.make())
        let firewall = Firewall(.init(table: "dhowtest", translatesLoopback: translatesLoopback))
        (netlink, driver) = try namespace.run {
            try bringLoopbackUp()
            for setting in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
                try? NetworkSysctl.write(["bridge", setting], filtersBridged ? "1" : "0")
            }
            return (
                try NetlinkSocket(),
                try BridgeDriver(.init(owner: "test", routesLoopback: translatesLoopback), firewall: firewall)
            )
        }
        self.firewall = firewall
        reception = try AddressReception(namespace)
        let outsideReception = try AddressReception(outside.namespace)
        try netlink.perform(
            .createLink(
                .veth(peer: LinkSettings(name: "eth0", namespace: outside.namespace.descriptor)),
                LinkSettings(name: "up0", isUp: true)))
        try outside.namespace.run { try bringLoopbackUp() }
        let inner = try netlink.link(named: "up0").index
        let outer = try outside.netlink.link(named: "eth0").index
        try outside.netlink.perform(.setLink(outer, isUp: true))
        try netlink.settleCarrier(of: "up0")
        try outside.netlink.settleCarrier(of: "eth0")
        for (socket, index, last) in [(netlink, inner, UInt8(1)), (outside.netlink, outer, 2)] {
            let v6: [UInt8] = [0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]
            let linkLocal: [UInt8] = [0xfe, 0x80] + [UInt8](repeating: 0, count: 13) + [last]
            try socket.perform([
                .addAddress(InterfaceAddress(interface: index, address: [192, 0, 2, last], prefixLength: 24)),
                .addAddress(InterfaceAddress(interface: index, address: v6, prefixLength: 64)),
                .addAddress(InterfaceAddress(interface: index, address: linkLocal, prefixLength: 64, scope: 253)),
            ])
        }
        try reception.wait(for: [Self.hostAddress6])
        try outsideReception.wait(for: [IPAddress("2001:db8:1::2")])
        // The outside knows a way to every container; whether it is let in is the firewall's business.
        try outside.netlink.perform([
            .addRoute(.default(via: [192, 0, 2, 1], interface: outer)),
            .addRoute(.default(via: [0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], interface: outer)),
        ])
    }

    /// A network whose id ends in `number`: 10.`number`.0.0/16 and fd00:`number`::/64.
    func network(
        _ number: Int, isInternal: Bool = false, usesIPv4: Bool = true, usesIPv6: Bool = false,
        options: [String: String] = [:]
    ) throws -> NetworkSpecification {
        var subnets: [NetworkSubnet] = []
        if usesIPv4 {
            subnets.append(
                NetworkSubnet(
                    try #require(IPPrefix("10.\(number).0.0/16")), gateway: IPAddress("10.\(number).0.1")))
        }
        if usesIPv6 {
            subnets.append(
                NetworkSubnet(
                    try #require(IPPrefix("fd00:\(number)::/64")), gateway: IPAddress("fd00:\(number)::1")))
        }
        let id =
            String(repeating: "0", count: 12 - String(number).count) + "\(number)" + String(repeating: "a", count: 52)
        let network = NetworkSpecification(
            id: id, subnets: subnets, isInternal: isInternal, usesIPv4: usesIPv4, usesIPv6: usesIPv6, options: options)
        try namespace.run { try driver.create(network) }
        try reception.wait(for: subnets.map(\.gateway))
        return network
    }

    /// A container with address `last` on the network.
    func container(_ last: Int, on network: NetworkSpecification) throws -> TestContainer {
        let sandbox = try NetworkSandbox(NetworkNamespace.make())
        try sandbox.namespace.run { try bringLoopbackUp() }
        let container = try TestContainer(sandbox: sandbox)
        try connect(container, last, to: network)
        return container
    }

    func connect(
        _ container: TestContainer, _ last: Int, to network: NetworkSpecification,
        defaultRoutes: Set<IPFamily> = [.v4, .v6],
        sysctls: [String] = []
    ) throws {
        func address(_ family: IPFamily) -> IPPrefix? {
            guard let subnet = network.subnets.first(where: { $0.prefix.family == family })?.prefix else { return nil }
            return IPPrefix(
                IPAddress(family: family, number: subnet.first.number + UInt128(last)), length: subnet.length)
        }
        let endpoint = EndpointSpecification(
            id: "e\(last)", address4: address(.v4), address6: address(.v6), defaultRoutes: defaultRoutes,
            sysctls: sysctls)
        container.joined.append(
            try namespace.run { try driver.join(endpoint, to: network, in: container.sandbox) })
        try container.reception.wait(for: [endpoint.address6?.address])
        container.address4 = container.address4 ?? endpoint.address4?.address
        container.address6 = container.address6 ?? endpoint.address6?.address
    }

    func publish(_ ports: PublishedPort..., on network: NetworkSpecification) throws {
        try namespace.run { try firewall.publish(ports, on: network.id) }
    }
}

final class TestContainer {
    let sandbox: NetworkSandbox
    var joined: [JoinedEndpoint] = []
    var address4: IPAddress?
    var address6: IPAddress?
    var namespace: NetworkNamespace { sandbox.namespace }

    fileprivate let reception: AddressReception

    init(sandbox: NetworkSandbox) throws {
        self.sandbox = sandbox
        reception = try AddressReception(sandbox.namespace)
    }

    /// Listens on all addresses of a family; the kernel takes connections without anyone's help.
    func listen(_ port: UInt16, _ family: IPFamily = .v4) throws -> FileDescriptor {
        try namespace.run {
            let any = [UInt8](repeating: 0, count: family.bitCount / 8)
            let socket = try Socket.bind(.stream, address: any, port: port)
            try Socket.listen(socket)
            return socket
        }
    }
}

/// Whether a namespace receives at its IPv6 addresses.
///
/// Even where an address is usable at once, the kernel joins its multicast group, at which neighbours ask for it, and then
/// adds its local route, from a queue of its own. Until then packets are lost, and are sent again after a second: on a
/// machine that is busy enough a connection fails.
private struct AddressReception {
    private let netlink: NetlinkSocket
    private let changes: NetlinkSocket

    /// To be made before the addresses are.
    init(_ namespace: NetworkNamespace) throws {
        // RTNLGRP_IPV6_ROUTE
        (netlink, changes) = try namespace.run { (try NetlinkSocket(), try NetlinkSocket(.route, groups: [11])) }
    }

    func wait(for addresses: [IPAddress?]) throws {
        let wanted = Set(addresses.compactMap { $0 }.filter { $0.family == .v6 }.map(\.bytes))
        // RTN_LOCAL
        while true {
            let local = try netlink.routes(includingLocal: true).filter { $0.type == 2 }
            if wanted.isSubset(of: local.map(\.destination)) { return }
            let hasNews = try poll([PollRequest(changes.descriptor, .readable)], timeoutMilliseconds: 60_000)
            try #require(hasNews.first?.contains(.readable) == true, "the kernel adds no local routes")
            _ = try changes.receive()
        }
    }
}

/// Whether a TCP connection comes about.
///
/// - Parameter milliseconds: how long to wait for one that is expected not to.
func connects(from namespace: NetworkNamespace, to address: IPAddress?, _ port: UInt16, milliseconds: Int = 5000) throws
    -> Bool
{
    let address = try #require(address)
    return try namespace.run {
        let socket = try Socket.make(address.family == .v6 ? .internet6 : .internet, .stream)
        var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        _ = ck_setsockopt(socket.rawValue, SOL_SOCKET, SO_SNDTIMEO, &time, UInt32(MemoryLayout<timeval>.size))
        do {
            try Socket.connect(socket, address: address.bytes, port: port)
            return true
        } catch { return false }
    }
}

/// That no connection comes about: what is dropped is never answered, so a short wait tells as much as a long one.
func isBlocked(from namespace: NetworkNamespace, to address: IPAddress?, _ port: UInt16) throws -> Bool {
    try !connects(from: namespace, to: address, port, milliseconds: 300)
}

/// Who the next connection comes from, as the server sees it.
func acceptedPeer(_ listener: FileDescriptor) throws -> IPAddress? {
    let isReady = try poll([PollRequest(listener, .readable)], timeoutMilliseconds: 5000).first?.contains(.readable)
    try #require(isReady == true, "nobody connected")
    let connection = try #require(try listener.accept())
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutableBytes(of: &storage) { bytes in
        guard let start = bytes.baseAddress,
            getpeername(connection.rawValue, start.assumingMemoryBound(to: sockaddr.self), &length) == 0
        else { return nil }
        return length >= 28 ? IPAddress(bytes: bytes[8..<24]) : IPAddress(bytes: bytes[4..<8])
    }
}
