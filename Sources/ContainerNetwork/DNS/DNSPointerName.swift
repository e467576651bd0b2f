import Kernel

/// The names that ask which name an address has (RFC 1035, section 3.5; RFC 3596, section 2.5).
enum DNSPointerName {
    /// The address behind `1.2.0.192.in-addr.arpa` or its like under `ip6.arpa`; `nil` for any other name.
    static func address(_ name: String) -> InternetAddress? {
        if name.hasSuffix(".in-addr.arpa") {
            let labels = name.dropLast(13).splitBytes(".", omittingEmpty: false)
            guard labels.count == 4 else { return nil }
            var bytes: [UInt8] = []
            for label in labels.reversed() {
                guard let byte = UInt8(label), String(byte) == label else { return nil }
                bytes.append(byte)
            }
            return InternetAddress(bytes: bytes)
        }
        if name.hasSuffix(".ip6.arpa") {
            let labels = name.dropLast(9).splitBytes(".", omittingEmpty: false)
            guard labels.count == 32 else { return nil }
            var bytes: [UInt8] = []
            var high: UInt8?
            for label in labels.reversed() {
                guard label.utf8.count == 1, let digit = UInt8(label, radix: 16) else { return nil }
                if let first = high {
                    bytes.append(first << 4 | digit)
                    high = nil
                } else {
                    high = digit
                }
            }
            return InternetAddress(bytes: bytes)
        }
        return nil
    }
}
