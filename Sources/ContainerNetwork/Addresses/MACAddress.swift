import Kernel

/// An Ethernet address.
public struct MACAddress: Hashable, Sendable {
    /// Six.
    public let bytes: [UInt8]

    /// `nil` unless there are six.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 6 else { return nil }
        self.bytes = Array(bytes)
    }

    /// Six pairs of hexadecimal digits with `:` or `-` between them, all the same.
    public init?(_ text: some StringProtocol) {
        let characters = Array(text.utf8)
        guard characters.count == 17, characters[2] == 0x3a || characters[2] == 0x2d else { return nil }
        var bytes: [UInt8] = []
        for index in 0..<6 {
            guard let high = Self.digit(characters[3 * index]), let low = Self.digit(characters[3 * index + 1]),
                index == 5 || characters[3 * index + 2] == characters[2]
            else { return nil }
            bytes.append(high << 4 | low)
        }
        self.bytes = bytes
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    /// A random one, locally administered and of one station, as dockerd gives since version 28.
    public static func random() -> MACAddress {
        var bytes = randomBytes(count: 6)
        bytes[0] = bytes[0] & 0xfc | 0x02
        return MACAddress(unchecked: bytes)
    }

    /// 02:42 and the address: what dockerd gave before version 28, and the same at each start.
    public static func derived(from address: IPv4Address) -> MACAddress {
        MACAddress(unchecked: [0x02, 0x42] + address.bytes)
    }

    /// Whether it names a group rather than one station.
    public var isMulticast: Bool { bytes[0] & 1 != 0 }

    private init(unchecked bytes: [UInt8]) { self.bytes = bytes }
}

extension MACAddress: CustomStringConvertible {
    public var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
}
