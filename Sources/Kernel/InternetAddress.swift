import Glibc

/// An IPv4 or IPv6 address.
public struct InternetAddress: Hashable, Sendable {
    /// In network order; IPv4 takes the first four.
    private let high: UInt64
    private let low: UInt64
    public let isIPv4: Bool
    /// The interface that a link-local IPv6 address belongs to; 0 for none.
    public var scope: UInt32 = 0

    /// - Parameter bytes: 4 or 16 of them, in network order.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        for (index, byte) in bytes.enumerated() {
            if index < 8 {
                words.0 |= UInt64(byte) << UInt64(56 - 8 * index)
            } else {
                words.1 |= UInt64(byte) << UInt64(120 - 8 * index)
            }
        }
        (high, low) = words
        isIPv4 = bytes.count == 4
    }

    public init(ipv4 a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        high = UInt64(a) << 56 | UInt64(b) << 48 | UInt64(c) << 40 | UInt64(d) << 32
        low = 0
        isIPv4 = true
    }

    /// Parses `192.0.2.1`, `2001:db8::1` or `fe80::1%eth0`; the interface must exist here.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, !first.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        if first.utf8.contains(UInt8(ascii: ":")) {
            guard inet_pton(AF_INET6, String(first), &bytes) == 1 else { return nil }
            self.init(bytes: bytes)
            if parts.count == 2 {
                scope = UInt32(parts[1]) ?? if_nametoindex(String(parts[1]))
                if scope == 0 { return nil }
            }
        } else {
            guard parts.count == 1, inet_pton(AF_INET, String(first), &bytes) == 1 else { return nil }
            self.init(bytes: bytes[..<4])
        }
    }

    /// 4 or 16 bytes, in network order.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(16)
        for index in 0..<(isIPv4 ? 4 : 8) { result.append(UInt8(truncatingIfNeeded: high >> UInt64(56 - 8 * index))) }
        if !isIPv4 { for index in 0..<8 { result.append(UInt8(truncatingIfNeeded: low >> UInt64(56 - 8 * index))) } }
        return result
    }

    func store(into target: UnsafeMutableRawPointer) {
        target.storeBytes(of: high.bigEndian, as: UInt64.self)
        if !isIPv4 { target.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self) }
    }

    fileprivate init(high: UInt64, low: UInt64, isIPv4: Bool, scope: UInt32) {
        self.high = high
        self.low = low
        self.isIPv4 = isIPv4
        self.scope = scope
    }

    /// `127.0.0.0/8` or `::1`.
    public var isLoopback: Bool { isIPv4 ? high >> 56 == 127 : high == 0 && low == 1 }
    /// `0.0.0.0` or `::`.
    public var isUnspecified: Bool { high == 0 && low == 0 }
}

extension InternetAddress: CustomStringConvertible, LosslessStringConvertible {
    public init?(_ description: String) { self.init(description[...]) }

    public var description: String {
        var text = [CChar](repeating: 0, count: 64)
        let bytes = bytes
        guard inet_ntop(isIPv4 ? AF_INET : AF_INET6, bytes, &text, 64) != nil else { return "?" }
        let end = text.firstIndex(of: 0) ?? text.endIndex
        let address = String(decoding: text[..<end].map(UInt8.init(bitPattern:)), as: UTF8.self)
        return scope == 0 ? address : "\(address)%\(scope)"
    }
}

/// An address and a port.
public struct InternetEndpoint: Hashable, Sendable, CustomStringConvertible {
    public var address: InternetAddress
    public var port: UInt16

    public init(_ address: InternetAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    public var description: String { address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)" }

    public var family: Socket.Family { address.isIPv4 ? .internet : .internet6 }

    /// The bytes that a socket address of either family takes.
    public static let capacity = 28

    /// Writes a `struct sockaddr_in` or `sockaddr_in6`.
    /// - Returns: its length.
    public func store(into target: UnsafeMutableRawPointer) -> UInt32 {
        target.initializeMemory(as: UInt8.self, repeating: 0, count: Self.capacity)
        target.storeBytes(of: UInt16(family.rawValue), as: UInt16.self)
        target.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
        // sin_addr at 4; sin6_flowinfo at 4, sin6_addr at 8, sin6_scope_id at 24.
        if address.isIPv4 {
            for (index, byte) in address.bytes.enumerated() {
                target.storeBytes(of: byte, toByteOffset: 4 + index, as: UInt8.self)
            }
            return 16
        }
        address.store(into: target + 8)
        target.storeBytes(of: address.scope, toByteOffset: 24, as: UInt32.self)
        return 28
    }

    /// Reads a `struct sockaddr_in` or `sockaddr_in6`; `nil` for any other.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 16 else { return nil }
        let port = UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        switch Int32(bytes.loadUnaligned(as: UInt16.self)) {
        case AF_INET:
            let word = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
            self.init(InternetAddress(high: UInt64(word) << 32, low: 0, isIPv4: true, scope: 0), port: port)
        case AF_INET6 where bytes.count >= 28:
            self.init(
                InternetAddress(
                    high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                    low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)),
                    isIPv4: false, scope: bytes.loadUnaligned(fromByteOffset: 24, as: UInt32.self)), port: port)
        default: return nil
        }
    }
}
