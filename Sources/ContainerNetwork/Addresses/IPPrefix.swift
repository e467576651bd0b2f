/// An address with the length of its network part: a subnet, or an interface's address in one.
public struct IPPrefix: Hashable, Sendable, Comparable {
    public let address: IPAddress
    /// Bits, 0 to 32 or 128.
    public let length: Int

    /// `nil` when the length does not fit the family.
    public init?(_ address: IPAddress, length: Int) {
        guard (0...address.family.bitCount).contains(length) else { return nil }
        self.address = address
        self.length = length
    }

    /// `address/length`. Bits of the host part are kept: `network` clears them.
    public init?(_ text: some StringProtocol) {
        guard let slash = text.lastIndex(of: "/"), let address = IPAddress(text[..<slash]) else { return nil }
        let digits = text[text.index(after: slash)...]
        guard (1...3).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.utf8.count == 1 || digits.utf8.first != 0x30, let length = Int(digits)
        else { return nil }
        self.init(address, length: length)
    }

    public var family: IPFamily { address.family }
    /// How many bits number the hosts.
    public var hostBitCount: Int { family.bitCount - length }

    private var hostMask: UInt128 {
        hostBitCount == 128 ? .max : (UInt128(1) << UInt128(hostBitCount)) - 1
    }

    /// The subnet, without the host's bits.
    public var network: IPPrefix { IPPrefix(unchecked: first, length) }
    /// The lowest address.
    public var first: IPAddress { IPAddress(family: family, number: address.number & ~hostMask) }
    /// The highest address: of IPv4 subnets larger than /31 the broadcast address.
    public var last: IPAddress { IPAddress(family: family, number: address.number | hostMask) }
    /// Whether no bit of the host part is set.
    public var isNetwork: Bool { address.number & hostMask == 0 }
    /// How many addresses there are, less one (a /0 of IPv6 has one more than fits).
    public var lastOffset: UInt128 { hostMask }

    public func contains(_ other: IPAddress) -> Bool {
        other.family == family && (other.number ^ address.number) & ~hostMask == 0
    }

    public func contains(_ other: IPPrefix) -> Bool { other.length >= length && contains(other.address) }

    public func overlaps(_ other: IPPrefix) -> Bool {
        length <= other.length ? contains(other.address) : other.contains(address)
    }

    /// Of subnets with the same start the larger is first.
    public static func < (left: Self, right: Self) -> Bool {
        left.address == right.address ? left.length < right.length : left.address < right.address
    }

    private init(unchecked address: IPAddress, _ length: Int) {
        self.address = address
        self.length = length
    }
}

extension IPPrefix: CustomStringConvertible {
    public var description: String { "\(address)/\(length)" }
}
