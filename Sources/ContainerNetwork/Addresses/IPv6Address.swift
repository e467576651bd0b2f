/// An IPv6 address, without a zone.
public struct IPv6Address: Hashable, Sendable, Comparable {
    /// The address as a number.
    public var value: UInt128

    public init(_ value: UInt128) { self.value = value }

    /// From sixteen bytes in network order; `nil` for another count.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        value = bytes.reduce(0) { $0 << 8 | UInt128($1) }
    }

    /// Every form of RFC 4291, 2.2; no zone, no brackets.
    public init?(_ text: some StringProtocol) {
        let colon = UInt8(ascii: ":")
        let bytes = Array(text.utf8)
        guard (2...45).contains(bytes.count) else { return nil }
        var groups: [UInt16] = []
        var gap: Int?
        var position = 0
        if bytes[0] == colon {
            guard bytes[1] == colon else { return nil }
            gap = 0
            position = 2
        }
        while position < bytes.count {
            let end = bytes[position...].firstIndex(of: colon) ?? bytes.count
            let part = bytes[position..<end]
            if part.contains(UInt8(ascii: ".")) {
                guard end == bytes.count, let tail = IPv4Address(String(decoding: part, as: UTF8.self)) else {
                    return nil
                }
                groups += [UInt16(tail.value >> 16), UInt16(tail.value & 0xffff)]
                break
            }
            guard (1...4).contains(part.count), let group = Self.hexadecimal(part) else { return nil }
            groups.append(group)
            if groups.count > 8 { return nil }
            if end == bytes.count { break }
            position = end + 1
            if position == bytes.count { return nil }
            if bytes[position] == colon {
                guard gap == nil else { return nil }
                gap = groups.count
                position += 1
            }
        }
        if let gap {
            guard groups.count < 8 else { return nil }
            groups.insert(contentsOf: [UInt16](repeating: 0, count: 8 - groups.count), at: gap)
        }
        guard groups.count == 8 else { return nil }
        value = groups.reduce(0) { $0 << 16 | UInt128($1) }
    }

    private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt16? {
        var value: UInt16 = 0
        for digit in digits {
            let number: UInt8
            switch digit {
            case 0x30...0x39: number = digit - 0x30
            case 0x41...0x46: number = digit - 0x41 + 10
            case 0x61...0x66: number = digit - 0x61 + 10
            default: return nil
            }
            value = value << 4 | UInt16(number)
        }
        return value
    }

    public static let any = Self(0)
    public static let loopback = Self(1)

    /// Sixteen bytes in network order.
    public var bytes: [UInt8] { withUnsafeBytes(of: value.bigEndian, Array.init) }
    public var isLoopback: Bool { value == 1 }
    public var isMulticast: Bool { value >> 120 == 0xff }
    /// fe80::/10
    public var isLinkLocal: Bool { value >> 118 == 0x3fa }
    /// ::ffff:0:0/96: an IPv4 address in IPv6's clothes.
    public var mapped: IPv4Address? {
        value >> 32 == 0xffff ? IPv4Address(UInt32(truncatingIfNeeded: value)) : nil
    }

    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

extension IPv6Address: CustomStringConvertible {
    /// RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups (the first of equals) as `::`,
    /// IPv4-mapped addresses with their IPv4 part in decimal.
    public var description: String {
        if let mapped { return "::ffff:\(mapped)" }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: value >> UInt128(112 - 16 * $0)) }
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > best.count { best = start..<end }
            start = end + 1
        }
        func text(_ range: Range<Int>) -> String {
            groups[range].map { String($0, radix: 16) }.joined(separator: ":")
        }
        if best.count < 2 { return text(0..<8) }
        return text(0..<best.lowerBound) + "::" + text(best.upperBound..<8)
    }
}
