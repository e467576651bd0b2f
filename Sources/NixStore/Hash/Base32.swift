/// Nix's base 32: digits and letters without `e o t u`, most significant first, over the bytes read as one
/// little-endian number.
public enum Base32 {
    static let alphabet = Array("0123456789abcdfghijklmnpqrsvwxyz".utf8)

    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()

    /// How many characters `size` bytes take.
    public static func length(of size: Int) -> Int { size == 0 ? 0 : (size * 8 - 1) / 5 + 1 }

    public static func encode(_ bytes: [UInt8]) -> String {
        let length = length(of: bytes.count)
        var text: [UInt8] = []
        text.reserveCapacity(length)
        for position in stride(from: length - 1, through: 0, by: -1) {
            let bit = position * 5
            let (index, shift) = (bit / 8, bit % 8)
            var value = UInt16(bytes[index]) >> shift
            if index + 1 < bytes.count { value |= UInt16(bytes[index + 1]) << (8 - shift) }
            text.append(alphabet[Int(value & 31)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// - Returns: `nil` when `text` has a wrong character or does not spell a whole number of bytes.
    public static func decode(_ text: some BidirectionalCollection<UInt8>) -> [UInt8]? {
        let size = text.count * 5 / 8
        guard length(of: size) == text.count else { return nil }
        var bytes = [UInt8](repeating: 0, count: size)
        for (position, character) in text.reversed().enumerated() {
            let value = values[Int(character)]
            guard value != 255 else { return nil }
            let bit = position * 5
            let (index, shift) = (bit / 8, bit % 8)
            let wide = UInt16(value) << shift
            if index < size { bytes[index] |= UInt8(truncatingIfNeeded: wide) } else if wide != 0 { return nil }
            let carry = UInt8(wide >> 8)
            if index + 1 < size { bytes[index + 1] |= carry } else if carry != 0 { return nil }
        }
        return bytes
    }

    /// Whether every byte of `text` is one of the alphabet's.
    public static func isValid(_ text: some Sequence<UInt8>) -> Bool { text.allSatisfy { values[Int($0)] != 255 } }
}
