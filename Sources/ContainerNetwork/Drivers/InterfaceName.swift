/// The names of network interfaces.
public enum InterfaceName {
    /// 15: the kernel's IFNAMSIZ, less the NUL.
    public static let maximumLength = 15

    /// - Throws: `.invalidArgument` for what the kernel or the rules' language would not take.
    public static func check(_ name: String) throws(NetworkError) {
        let bytes = name.utf8
        if bytes.isEmpty || bytes.count > maximumLength {
            throw NetworkError(
                .invalidArgument, "invalid interface name \"\(name)\": it must have 1 to \(maximumLength) bytes")
        }
        let isPlain = bytes.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
            default: false
            }
        }
        if !isPlain || name == "." || name == ".." {
            throw NetworkError(
                .invalidArgument, "invalid interface name \"\(name)\": use letters, digits, \"-\", \"_\" and \".\"")
        }
    }
}
