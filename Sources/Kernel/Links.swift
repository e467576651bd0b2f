import Glibc

/// A network interface, as rtnetlink lists it.
public struct Link: Sendable, Hashable {
    public var index: Int32
    public var name: String
    /// `IFF_*`.
    public var flags: UInt32
    /// `bridge`, `veth`, `macvlan`, …; empty for hardware.
    public var kind: String
    public var mtu: UInt32
    /// Six bytes for Ethernet.
    public var macAddress: [UInt8]
    /// The bridge's (or other master's) index; 0 for none.
    public var master: Int32
    /// The index of the interface below or at the other end; 0 for none.
    public var parent: Int32
    /// The text kept with the interface (`IFLA_IFALIAS`).
    public var alias: String

    /// IFF_UP
    public var isUp: Bool { flags & 0x1 != 0 }
    /// IFF_RUNNING: up, and the kernel has acted on its carrier.
    public var isRunning: Bool { flags & 0x40 != 0 }
    /// IFF_LOOPBACK
    public var isLoopback: Bool { flags & 0x8 != 0 }

    init?(_ message: NetlinkMessage) {
        // struct ifinfomsg: family, padding, type, index, flags, change: 16 bytes.
        guard message.type == 16, message.payload.count >= 16 else { return nil }
        let attributes = message.attributes(skipping: 16)
        index = message.payload.integer(at: 4, as: Int32.self)
        flags = message.payload.integer(at: 8, as: UInt32.self)
        name = attributes.string(3) ?? ""
        mtu = attributes.integer(4) ?? 0
        macAddress = Array(attributes[1] ?? [])
        master = attributes.integer(10) ?? 0
        parent = attributes.integer(5) ?? 0
        alias = attributes.string(20) ?? ""
        kind = attributes.nested(18)?.string(1) ?? ""
    }
}

/// How an interface to be made looks, besides its kind. What is `nil` is left to the kernel.
public struct LinkSettings: Sendable {
    public var name: String?
    /// In which namespace; `nil` for the socket's own.
    public var namespace: FileDescriptor?
    public var macAddress: [UInt8]?
    public var mtu: UInt32?
    public var master: Int32?
    public var isUp = false

    public init(
        name: String? = nil, namespace: FileDescriptor? = nil, macAddress: [UInt8]? = nil, mtu: UInt32? = nil,
        master: Int32? = nil, isUp: Bool = false
    ) {
        self.name = name
        self.namespace = namespace
        self.macAddress = macAddress
        self.mtu = mtu
        self.master = master
        self.isUp = isUp
    }
}

/// The kinds of interface that can be made.
public enum LinkKind: Sendable {
    case bridge(BridgeOptions)
    /// Two ends of a cable; the second is made with these settings, in their namespace. It cannot be made up: the
    /// kernel ties the two together only after it is set up (`ENOTCONN`).
    case veth(peer: LinkSettings)
    case macvlan(parent: Int32, mode: MacvlanMode)
    case ipvlan(parent: Int32, mode: IpvlanMode, flag: IpvlanFlag)
    /// A VLAN of an interface, 1 to 4094.
    case vlan(parent: Int32, identifier: UInt16)
    case dummy

    public struct BridgeOptions: Sendable {
        public var multicastSnooping: Bool?
        public var vlanFiltering: Bool?
        /// Seconds; the kernel's own is 15, and counts only with the spanning tree protocol.
        public var forwardDelay: UInt32?
        public init(multicastSnooping: Bool? = nil, vlanFiltering: Bool? = nil, forwardDelay: UInt32? = nil) {
            self.multicastSnooping = multicastSnooping
            self.vlanFiltering = vlanFiltering
            self.forwardDelay = forwardDelay
        }
    }

    /// `MACVLAN_MODE_*`
    public enum MacvlanMode: UInt32, Sendable, CaseIterable {
        case `private` = 1
        case vepa = 2
        case bridge = 4
        case passthru = 8
    }

    /// `IPVLAN_MODE_*`
    public enum IpvlanMode: UInt16, Sendable, CaseIterable {
        case l2 = 0
        case l3 = 1
        case l3s = 2
    }

    /// `IPVLAN_F_*`
    public enum IpvlanFlag: UInt16, Sendable, CaseIterable {
        case bridge = 0
        case `private` = 1
        case vepa = 2
    }

    var name: String {
        switch self {
        case .bridge: "bridge"
        case .veth: "veth"
        case .macvlan: "macvlan"
        case .ipvlan: "ipvlan"
        case .vlan: "vlan"
        case .dummy: "dummy"
        }
    }
}

/// What a port of a bridge does (`IFLA_BRPORT_*`); `nil` leaves it as it is.
public struct BridgePortFlags: Sendable {
    /// Sends frames back out of the port that they came in by.
    public var hairpin: Bool?
    /// Exchanges no frames with other isolated ports.
    public var isolated: Bool?
    public var learning: Bool?
    public init(hairpin: Bool? = nil, isolated: Bool? = nil, learning: Bool? = nil) {
        self.hairpin = hairpin
        self.isolated = isolated
        self.learning = learning
    }
}

// Requests about interfaces (rtnetlink's RTM_NEWLINK 16, RTM_DELLINK 17, RTM_GETLINK 18, RTM_SETLINK 19).
extension NetlinkRequest {
    /// Makes an interface. For a veth, both ends with all their settings in this one message.
    public static func createLink(_ kind: LinkKind, _ settings: LinkSettings) -> NetlinkRequest {
        var request = NetlinkRequest(
            16, [.create, .exclusive], operation: "make \(kind.name) interface", subject: settings.name ?? "")
        request.linkHeader(index: 0, up: settings.isUp ? true : nil)
        request.append(settings)
        switch kind {
        // IFLA_LINK
        case .macvlan(let parent, _), .ipvlan(let parent, _, _), .vlan(let parent, _): request.attribute(5, parent)
        case .bridge, .veth, .dummy: break
        }
        // IFLA_LINKINFO 18: IFLA_INFO_KIND 1, IFLA_INFO_DATA 2
        request.nest(18) { info in
            info.attribute(1, bytes: Array(kind.name.utf8))
            info.nest(2) { data in data.append(kind) }
        }
        return request
    }

    private mutating func append(_ kind: LinkKind) {
        switch kind {
        case .bridge(let options):
            // IFLA_BR_FORWARD_DELAY 1 (hundredths of a second), _VLAN_FILTERING 7, _MCAST_SNOOPING 23
            if let delay = options.forwardDelay { attribute(1, delay &* 100) }
            if let filtering = options.vlanFiltering { attribute(7, UInt8(filtering ? 1 : 0)) }
            if let snooping = options.multicastSnooping { attribute(23, UInt8(snooping ? 1 : 0)) }
        case .veth(let peer):
            // VETH_INFO_PEER: a whole message of its own.
            nest(1) { info in
                info.linkHeader(index: 0, up: peer.isUp ? true : nil)
                info.append(peer)
            }
        case .macvlan(_, let mode): attribute(1, mode.rawValue)
        case .ipvlan(_, let mode, let flag):
            attribute(1, mode.rawValue)
            attribute(2, flag.rawValue)
        case .vlan(_, let identifier): attribute(1, identifier)
        case .dummy: break
        }
    }

    private mutating func append(_ settings: LinkSettings) {
        if let name = settings.name { attribute(3, string: name) }
        if let address = settings.macAddress { attribute(1, bytes: address) }
        if let mtu = settings.mtu { attribute(4, mtu) }
        if let master = settings.master { attribute(10, master) }
        // IFLA_NET_NS_FD
        if let namespace = settings.namespace { attribute(28, UInt32(bitPattern: namespace.rawValue)) }
    }

    /// struct ifinfomsg. IFF_UP is 1.
    private mutating func linkHeader(family: UInt8 = 0, index: Int32, up: Bool?, promiscuous: Bool? = nil) {
        append(family)
        append(UInt8(0))
        append(UInt16(0))
        append(index)
        // IFF_UP 1, IFF_PROMISC 0x100
        append(UInt32(up == true ? 1 : 0) | (promiscuous == true ? 0x100 : 0))
        append(UInt32(up == nil ? 0 : 1) | (promiscuous == nil ? 0 : 0x100))
    }

    public static func deleteLink(_ index: Int32) -> NetlinkRequest {
        var request = NetlinkRequest(17, operation: "delete interface", subject: "number \(index)")
        request.linkHeader(index: index, up: nil)
        return request
    }

    public static func deleteLink(named name: String) -> NetlinkRequest {
        var request = NetlinkRequest(17, operation: "delete interface", subject: name)
        request.linkHeader(index: 0, up: nil)
        request.attribute(3, string: name)
        return request
    }

    /// Changes what is not `nil`. `settings.namespace` moves the interface; renaming needs it to be down on kernels
    /// before 6.2.
    public static func setLink(
        _ index: Int32, _ settings: LinkSettings = LinkSettings(), isUp: Bool? = nil, isPromiscuous: Bool? = nil
    ) -> NetlinkRequest {
        var request = NetlinkRequest(19, operation: "change interface", subject: "number \(index)")
        request.linkHeader(index: index, up: isUp ?? (settings.isUp ? true : nil), promiscuous: isPromiscuous)
        request.append(settings)
        return request
    }

    /// Changes an interface by name, so that it can follow the request that makes it in the same call.
    ///
    /// - Parameters:
    ///   - alias: the kernel takes it only once an interface is there.
    ///   - withholdsLinkLocalAddress: the kernel gives the interface no IPv6 link-local address. That, too, cannot be
    ///     said while one is made, and it must be said in a request before the one that brings it up.
    public static func setLink(
        named name: String, alias: String? = nil, withholdsLinkLocalAddress: Bool = false, isUp: Bool? = nil
    ) -> NetlinkRequest {
        var request = NetlinkRequest(19, operation: "change interface", subject: name)
        request.linkHeader(index: 0, up: isUp)
        request.attribute(3, string: name)
        if let alias { request.attribute(20, bytes: Array(alias.utf8)) }
        if withholdsLinkLocalAddress {
            // IFLA_AF_SPEC 26, AF_INET6 10, IFLA_INET6_ADDR_GEN_MODE 8: IN6_ADDR_GEN_MODE_NONE 1
            request.nest(26) { $0.nest(10) { $0.attribute(8, UInt8(1)) } }
        }
        return request
    }

    /// Sets the flags of a bridge's port.
    public static func setBridgePort(named name: String, _ flags: BridgePortFlags) -> NetlinkRequest {
        var request = NetlinkRequest(16, operation: "change bridge port", subject: name)
        request.linkHeader(index: 0, up: nil)
        request.attribute(3, string: name)
        // IFLA_LINKINFO 18: IFLA_INFO_SLAVE_KIND 4, IFLA_INFO_SLAVE_DATA 5
        request.nest(18) { info in
            info.attribute(4, bytes: Array("bridge".utf8))
            info.nest(5) { port in
                // IFLA_BRPORT_MODE 4 (hairpin), _LEARNING 8, _ISOLATED 33
                if let hairpin = flags.hairpin { port.attribute(4, UInt8(hairpin ? 1 : 0)) }
                if let learning = flags.learning { port.attribute(8, UInt8(learning ? 1 : 0)) }
                if let isolated = flags.isolated { port.attribute(33, UInt8(isolated ? 1 : 0)) }
            }
        }
        return request
    }

    static func getLink(named name: String) -> NetlinkRequest {
        var request = NetlinkRequest(18, operation: "find interface", subject: name)
        request.linkHeader(index: 0, up: nil)
        request.attribute(3, string: name)
        return request
    }

    static func getLink(_ index: Int32) -> NetlinkRequest {
        var request = NetlinkRequest(18, operation: "find interface", subject: "number \(index)")
        request.linkHeader(index: index, up: nil)
        return request
    }

    static func listLinks() -> NetlinkRequest {
        var request = NetlinkRequest(18, .dump, operation: "list interfaces")
        request.linkHeader(index: 0, up: nil)
        return request
    }
}

extension NetlinkSocket {
    /// The interface of this name.
    /// - Throws: `ENODEV` when there is none.
    public func link(named name: String) throws(KernelError) -> Link {
        guard let link = try query(.getLink(named: name)).lazy.compactMap(Link.init).first else {
            throw KernelError(.noDevice, "find interface", name)
        }
        return link
    }

    /// - Throws: `ENODEV` when there is none.
    public func link(_ index: Int32) throws(KernelError) -> Link {
        guard let link = try query(.getLink(index)).lazy.compactMap(Link.init).first else {
            throw KernelError(.noDevice, "find interface", "number \(index)")
        }
        return link
    }

    /// All interfaces of the socket's namespace.
    public func links() throws(KernelError) -> [Link] { try query(.listLinks()).compactMap(Link.init) }

    /// Makes an interface whose carrier has just come usable now rather than soon.
    ///
    /// The kernel acts on carriers from a queue: until it gets there, an interface drops what it is to send, a bridge what
    /// comes from its port, and whoever asked for a neighbour asks again after a second. Since Linux 6.8 asking for the
    /// interface empties the queue for it (`linkwatch_sync_dev`); before, it is asked again until the kernel got there,
    /// for 50 ms at most.
    public func settleCarrier(of name: String) throws(KernelError) {
        for _ in 0..<100 {
            if try link(named: name).isRunning { return }
            usleep(500)
        }
    }
}
