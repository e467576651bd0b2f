/// What stands in for swift-crypto's hash functions, and BoringSSL with them: digests of the right length that depend on
/// every byte. What is fuzzed compares digests, and never relies on one being hard to forge.
public struct StandInDigest<Size: DigestSize> {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    public init() {}

    public mutating func update(bufferPointer bytes: UnsafeRawBufferPointer) {
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }

    public func finalize() -> [UInt8] {
        (0..<Size.count).map { UInt8(truncatingIfNeeded: (state &* UInt64($0 + 1)) >> 32) }
    }
}

public protocol DigestSize { static var count: Int { get } }

public enum Size16: DigestSize { public static let count = 16 }
public enum Size20: DigestSize { public static let count = 20 }
public enum Size32: DigestSize { public static let count = 32 }
public enum Size64: DigestSize { public static let count = 64 }

public typealias SHA256 = StandInDigest<Size32>
public typealias SHA512 = StandInDigest<Size64>

public enum Insecure {
    public typealias MD5 = StandInDigest<Size16>
    public typealias SHA1 = StandInDigest<Size20>
}
