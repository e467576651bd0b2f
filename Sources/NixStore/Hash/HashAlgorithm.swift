/// The hash functions that Nix knows.
public enum HashAlgorithm: String, Sendable, CaseIterable, Hashable {
    case blake3
    case md5
    case sha1
    case sha256
    case sha512

    /// The length of a digest in bytes.
    public var size: Int {
        switch self {
        case .md5: 16
        case .sha1: 20
        case .blake3, .sha256: 32
        case .sha512: 64
        }
    }

    /// What to say of a name that is none of these.
    public static func unknown(_ name: String) -> String {
        "unknown hash algorithm '\(name)', expect 'blake3', 'md5', 'sha1', 'sha256', or 'sha512'"
    }
}
