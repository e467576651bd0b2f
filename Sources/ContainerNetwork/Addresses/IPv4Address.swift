/// An IPv4 address.
public struct IPv4Address: Hashable, Sendable, Comparable {
    /// The address as a number: 10.0.0.1 is 0x0a000001.
    public var value: UInt32

    public init(_ value: UInt32) { self.value = value }

    /// From four bytes in network order; `nil` for another count.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 else { return nil }
        value = bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Four decimal numbers without leading zeros, as Go's `netip` reads them: what others take for octal is refused.
    public init?(_ text: some StringProtocol) {
        var value: UInt32 = 0
        var count = 0
        for part in text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            guard (1...3).contains(part.count), part.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            if part.count > 1, part.first == 0x30 { return nil }
            let number = part.reduce(UInt32(0)) { $0 * 10 + UInt32($1 - 0x30) }
            guard number <= 255, count < 4 else { return nil }
            value = value << 8 | number
            count += 1
        }
        guard count == 4 else { return nil }
        self.value = value
    }

    public static let any = Self(0)
    public static let loopback = Self(0x7f00_0001)

    /// Four bytes in network order.
    public var bytes: [UInt8] { withUnsafeBytes(of: value.bigEndian, Array.init) }
    public var isLoopback: Bool { value >> 24 == 127 }
    public var isMulticast: Bool { value >> 28 == 0xe }
    /// 169.254.0.0/16
    public var isLinkLocal: Bool { value >> 16 == 0xa9fe }

    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

extension IPv4Address: CustomStringConvertible {
    public var description: String {
        "\(value >> 24).\(value >> 16 & 0xff).\(value >> 8 & 0xff).\(value & 0xff)"
    }
}
