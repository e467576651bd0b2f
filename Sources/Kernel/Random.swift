import CKernel
import Glibc

/// Bytes from the kernel's random generator.
public func randomBytes(count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        while filled < count {
            // Fails only with EINTR once the generator is seeded at boot.
            let result = ck_getrandom(buffer.baseAddress.map { $0 + filled }, count - filled, 0)
            if result > 0 { filled += result }
        }
    }
}

/// `2 * bytes` random hexadecimal digits.
public func randomHexadecimal(bytes count: Int) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(2 * count)
    for byte in randomBytes(count: count) {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
