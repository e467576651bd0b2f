/// The hash functions that Nix knows.
public enum HashAlgorithm: String, Sendable, CaseIterable, Hashable {
    case md5
    case sha1
    case sha256
    case sha512

    /// The length of a digest in bytes.
    public var size: Int {
        switch self {
        case .md5: 16
        case .sha1: 20
        case .sha256: 32
        case .sha512: 64
        }
    }
}
