/// An address of an interface. Addresses are bytes in network order: 4 for IPv4, 16 for IPv6.
public struct InterfaceAddress: Sendable, Hashable {
    public var interface: Int32
    public var address: [UInt8]
    public var prefixLength: UInt8
    /// `RT_SCOPE_*`: 0 global, 253 link, 254 host.
    public var scope: UInt8

    public init(interface: Int32, address: [UInt8], prefixLength: UInt8, scope: UInt8 = 0) {
        self.interface = interface
        self.address = address
        self.prefixLength = prefixLength
        self.scope = scope
    }

    init?(_ message: NetlinkMessage) {
        // struct ifaddrmsg: family, prefix length, flags, scope, index: 8 bytes. RTM_NEWADDR 20.
        guard message.type == 20, message.payload.count >= 8 else { return nil }
        let attributes = message.attributes(skipping: 8)
        // IFA_LOCAL 2, else IFA_ADDRESS 1
        guard let address = attributes[2] ?? attributes[1] else { return nil }
        self.init(
            interface: message.payload.integer(at: 4, as: Int32.self), address: Array(address),
            prefixLength: message.payload.integer(at: 1, as: UInt8.self),
            scope: message.payload.integer(at: 3, as: UInt8.self))
    }
}

/// The family number of an address by its size: AF_INET 2, AF_INET6 10.
func addressFamily(_ address: [UInt8]) -> UInt8 { address.count == 16 ? 10 : 2 }

extension NetlinkRequest {
    /// Adds an address. IPv6 addresses are usable at once: duplicate address detection is off (`IFA_F_NODAD`), since
    /// whoever hands the address out already knows that it is free.
    public static func addAddress(_ address: InterfaceAddress) -> NetlinkRequest {
        addressRequest(20, [.create, .exclusive], "add address", address)
    }

    public static func deleteAddress(_ address: InterfaceAddress) -> NetlinkRequest {
        addressRequest(21, [], "delete address", address)
    }

    private static func addressRequest(
        _ type: UInt16, _ flags: Flags, _ operation: String, _ address: InterfaceAddress
    ) -> NetlinkRequest {
        var request = NetlinkRequest(
            type, flags, operation: operation, subject: "to interface number \(address.interface)")
        request.append(addressFamily(address.address))
        request.append(address.prefixLength)
        // IFA_F_NODAD
        request.append(UInt8(address.address.count == 16 ? 0x2 : 0))
        request.append(address.scope)
        request.append(address.interface)
        request.attribute(2, bytes: address.address)
        request.attribute(1, bytes: address.address)
        if address.address.count == 4, address.prefixLength < 31 {
            // IFA_BROADCAST 4: the last address of the subnet.
            let value = address.address.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let last = value | (UInt32.max >> UInt32(address.prefixLength))
            request.attribute(4, last.bigEndian)
        }
        return request
    }
}

extension NetlinkSocket {
    /// The addresses of all interfaces, or of one.
    public func addresses(of interface: Int32? = nil) throws(KernelError) -> [InterfaceAddress] {
        var request = NetlinkRequest(22, .dump, operation: "list addresses")
        request.append(UInt32(0))
        request.append(interface ?? 0)
        return try query(request).compactMap(InterfaceAddress.init)
            .filter { interface == nil || $0.interface == interface }
    }
}
