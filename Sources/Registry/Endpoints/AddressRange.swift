import Glibc

/// A range of IP addresses, as `10.0.0.0/8` or `fd00::/8`; a bare address is a range of one.
struct AddressRange: Sendable, Equatable {
    private let bytes: [UInt8]
    private let prefixLength: Int

    /// - Returns: `nil` when `text` is neither an address nor a range.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let bytes = Self.bytes(of: String(parts[0])) else { return nil }
        var length = bytes.count * 8
        if parts.count == 2 {
            guard let number = Int(parts[1]), (0...length).contains(number) else { return nil }
            length = number
        }
        self.bytes = bytes
        prefixLength = length
    }

    func contains(_ address: String) -> Bool {
        guard let other = Self.bytes(of: address), other.count == bytes.count else { return false }
        let (whole, rest) = prefixLength.quotientAndRemainder(dividingBy: 8)
        guard other[..<whole] == bytes[..<whole] else { return false }
        if rest == 0 { return true }
        let mask = UInt8(truncatingIfNeeded: 0xFF00 >> rest)
        return other[whole] & mask == bytes[whole] & mask
    }

    private static func bytes(of text: String) -> [UInt8]? {
        var address = [UInt8](repeating: 0, count: 16)
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        if inet_pton(AF_INET, bare, &address) == 1 { return Array(address[..<4]) }
        return inet_pton(AF_INET6, bare, &address) == 1 ? address : nil
    }
}
