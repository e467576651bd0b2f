#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Values and names as they are written in the language.
enum Literal {
    /// A quoted string; past `limit` bytes it says how many are left out.
    static func string(_ bytes: UnsafeBufferPointer<UInt8>, limit: Int = .max) -> String {
        String(decoding: quoted(bytes, limit: limit), as: UTF8.self)
    }

    static func quoted(_ bytes: UnsafeBufferPointer<UInt8>, limit: Int = .max) -> [UInt8] {
        var text: [UInt8] = [UInt8(ascii: "\"")]
        text.reserveCapacity(bytes.count + 2)
        for (index, byte) in bytes.enumerated() {
            if index >= limit {
                let left = bytes.count - index
                text.append(contentsOf: "\" «\(left) byte\(left == 1 ? "" : "s") elided»".utf8)
                return text
            }
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): text.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case UInt8(ascii: "\n"): text.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\r"): text.append(contentsOf: "\\r".utf8)
            case UInt8(ascii: "\t"): text.append(contentsOf: "\\t".utf8)
            case UInt8(ascii: "$") where index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "{"):
                text.append(contentsOf: "\\$".utf8)
            default: text.append(byte)
            }
        }
        text.append(UInt8(ascii: "\""))
        return text
    }

    /// A float as C++ streams print it: six significant digits, no trailing zeros.
    static func float(_ value: Double) -> String { format("%g", value) }

    static func format(_ format: String, _ value: Double) -> String {
        var buffer = [CChar](repeating: 0, count: 400)
        let count = withVaList([value]) { vsnprintf(&buffer, buffer.count, format, $0) }
        return String(decoding: buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static let keywords: Set<String> = ["if", "then", "else", "assert", "with", "let", "in", "rec", "inherit"]

    private static func isPlain(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = bytes.first, Lexer.isIdentifierStart(first), bytes.allSatisfy(Lexer.isIdentifier) else {
            return false
        }
        return bytes.count > 7 || !keywords.contains(String(decoding: bytes, as: UTF8.self))
    }

    /// A name, quoted unless it is an identifier.
    static func identifier(_ text: Text) -> String { isPlain(text.bytes) ? text.string : string(text.bytes) }

    /// An attribute's name in a set's printed form.
    static func attributeName(_ text: Text) -> [UInt8] { isPlain(text.bytes) ? text.array : quoted(text.bytes) }
}
