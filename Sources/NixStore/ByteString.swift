#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A string of bytes, which is what Nix's strings are: usually UTF-8, never required to be.
///
/// Ordered and compared byte by byte, as everything that is hashed must be.
public struct ByteString: Hashable, Sendable, Comparable, ExpressibleByStringLiteral, CustomStringConvertible {
    public var bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }
    public init(_ text: String) { bytes = Array(text.utf8) }
    public init(stringLiteral value: String) { bytes = Array(value.utf8) }

    public var isEmpty: Bool { bytes.isEmpty }
    public var count: Int { bytes.count }

    /// The text, with what is not UTF-8 replaced.
    public var description: String { String(decoding: bytes, as: UTF8.self) }

    /// The path of an entry of this directory.
    public func appending(_ name: ByteString) -> ByteString {
        ByteString(bytes.last == UInt8(ascii: "/") ? bytes + name.bytes : bytes + [UInt8(ascii: "/")] + name.bytes)
    }

    /// Calls `body` with the bytes as a C string; what follows a NUL byte is not seen.
    public func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        var text = bytes.map { CChar(bitPattern: $0) }
        text.append(0)
        return try text.withUnsafeBufferPointer { try body($0.baseAddress!) }
    }

    public static func < (left: Self, right: Self) -> Bool {
        left.bytes.withUnsafeBufferPointer { left in
            right.bytes.withUnsafeBufferPointer { right in
                let common = min(left.count, right.count)
                let order = common == 0 ? 0 : memcmp(left.baseAddress!, right.baseAddress!, common)
                return order == 0 ? left.count < right.count : order < 0
            }
        }
    }
}
