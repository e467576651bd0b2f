/// Stands in for swift-crypto, whose BoringSSL takes minutes to build: sums that depend on every byte, and nothing more.
public protocol Sum {
    static var byteCount: Int { get }
    var state: UInt64 { get set }
}

extension Sum {
    /// FNV-1a.
    public mutating func update(bufferPointer bytes: UnsafeRawBufferPointer) {
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }

    public func finalize() -> [UInt8] {
        (0..<Self.byteCount).map { UInt8(truncatingIfNeeded: state >> (8 * ($0 % 8))) &+ UInt8($0) }
    }
}

public enum Insecure {
    public struct MD5: Sum {
        public static let byteCount = 16
        public var state: UInt64 = 0xcbf2_9ce4_8422_2325
        public init() {}
    }

    public struct SHA1: Sum {
        public static let byteCount = 20
        public var state: UInt64 = 0xcbf2_9ce4_8422_2325
        public init() {}
    }
}

public struct SHA256: Sum {
    public static let byteCount = 32
    public var state: UInt64 = 0xcbf2_9ce4_8422_2325
    public init() {}
}

public struct SHA512: Sum {
    public static let byteCount = 64
    public var state: UInt64 = 0xcbf2_9ce4_8422_2325
    public init() {}
}
