/// The name of an object in a store: 32 characters of base 32, a dash, and a name.
public struct StorePath: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Length of the hash part: 160 bits in base 32.
    public static let hashLength = 32
    /// The longest name, so that a lock file's or a temporary name still fits a directory entry.
    public static let nameLimit = 211

    /// `hash-name`.
    public let baseName: String

    /// - Throws: `StoreError.badStorePath` when the hash or the name is not one.
    public init(_ baseName: String) throws(StoreError) {
        let bytes = Array(baseName.utf8)
        guard bytes.count > Self.hashLength + 1, bytes[Self.hashLength] == UInt8(ascii: "-") else {
            throw StoreError(.badStorePath, "'\(baseName)' is too short to be a valid store path")
        }
        guard Base32.isValid(bytes[..<Self.hashLength]) else {
            throw StoreError(.badStorePath, "store path '\(baseName)' contains illegal base-32 characters")
        }
        try Self.check(name: String(decoding: bytes[(Self.hashLength + 1)...], as: UTF8.self))
        self.baseName = baseName
    }

    /// The path of something called `name` whose digest is `digest` (20 bytes).
    init(digest: [UInt8], name: String) throws(StoreError) {
        try Self.check(name: name)
        baseName = Base32.encode(digest) + "-" + name
    }

    public var hashPart: Substring { baseName.prefix(Self.hashLength) }
    public var name: String { String(baseName.dropFirst(Self.hashLength + 1)) }
    public var isDerivation: Bool { baseName.hasSuffix(".drv") }
    public var description: String { baseName }

    public static func < (left: Self, right: Self) -> Bool { left.baseName < right.baseName }

    /// Refuses what cannot be the name of a store object.
    public static func check(name: String) throws(StoreError) {
        let bytes = Array(name.utf8)
        if bytes.isEmpty { throw StoreError(.badStorePath, "name must not be empty") }
        if bytes.count > nameLimit {
            throw StoreError(.badStorePath, "name '\(name)' must be no longer than \(nameLimit) characters")
        }
        if bytes[0] == UInt8(ascii: ".") {
            if bytes == [UInt8(ascii: ".")] || bytes == Array("..".utf8) {
                throw StoreError(.badStorePath, "name '\(name)' is not valid")
            }
            if bytes.starts(with: Array(".-".utf8)) {
                throw StoreError(
                    .badStorePath, "name '\(name)' is not valid: first dash-separated component must not be '.'")
            }
            if bytes.starts(with: Array("..-".utf8)) {
                throw StoreError(
                    .badStorePath, "name '\(name)' is not valid: first dash-separated component must not be '..'")
            }
        }
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "?"), UInt8(ascii: "="):
                continue
            default:
                let character = String(decoding: [byte], as: UTF8.self)
                throw StoreError(.badStorePath, "name '\(name)' contains illegal character '\(character)'")
            }
        }
    }
}
