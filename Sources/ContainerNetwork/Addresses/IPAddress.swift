/// The two versions of the Internet Protocol.
public enum IPFamily: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case v4 = 4
    case v6 = 6

    /// How many bits an address has.
    public var bitCount: Int { self == .v4 ? 32 : 128 }
    public var description: String { self == .v4 ? "IPv4" : "IPv6" }
}

/// An IPv4 or IPv6 address. Ordered by family, then by number.
public enum IPAddress: Hashable, Sendable, Comparable {
    case v4(IPv4Address)
    case v6(IPv6Address)

    public init?(_ text: some StringProtocol) {
        if let address = IPv4Address(text) {
            self = .v4(address)
        } else if let address = IPv6Address(text) {
            self = .v6(address)
        } else {
            return nil
        }
    }

    /// From 4 or 16 bytes in network order.
    public init?(bytes: some Collection<UInt8>) {
        if let address = IPv4Address(bytes: bytes) {
            self = .v4(address)
        } else if let address = IPv6Address(bytes: bytes) {
            self = .v6(address)
        } else {
            return nil
        }
    }

    /// - Parameter number: taken modulo the family's size.
    public init(family: IPFamily, number: UInt128) {
        self = family == .v4 ? .v4(IPv4Address(UInt32(truncatingIfNeeded: number))) : .v6(IPv6Address(number))
    }

    public var family: IPFamily {
        switch self {
        case .v4: .v4
        case .v6: .v6
        }
    }

    /// The address as a number of the family's width.
    public var number: UInt128 {
        switch self {
        case .v4(let address): UInt128(address.value)
        case .v6(let address): address.value
        }
    }

    /// In network order: 4 or 16.
    public var bytes: [UInt8] {
        switch self {
        case .v4(let address): address.bytes
        case .v6(let address): address.bytes
        }
    }

    /// 0.0.0.0 or ::, which as a host address means any.
    public var isUnspecified: Bool { number == 0 }

    public var isLoopback: Bool {
        switch self {
        case .v4(let address): address.isLoopback
        case .v6(let address): address.isLoopback
        }
    }

    public static func < (left: Self, right: Self) -> Bool {
        (left.family.rawValue, left.number) < (right.family.rawValue, right.number)
    }
}

extension IPAddress: CustomStringConvertible {
    public var description: String {
        switch self {
        case .v4(let address): address.description
        case .v6(let address): address.description
        }
    }
}
