/// A stream compression that layers and archives come in.
public enum Compression: String, Sendable, Hashable, CaseIterable {
    case none, gzip, zstd, xz, bzip2

    /// How many bytes `init(detecting:)` wants to see.
    public static let detectionLength = 6

    /// Recognises a compressed stream by its first bytes; anything else, also an empty stream, is `.none`.
    public init(detecting prefix: UnsafeRawBufferPointer) {
        func starts(_ magic: UInt8...) -> Bool { prefix.starts(with: magic) }
        if starts(0x1F, 0x8B) {
            self = .gzip
        } else if starts(0x28, 0xB5, 0x2F, 0xFD) {
            self = .zstd
        } else if prefix.count >= 4, prefix[0] & 0xF0 == 0x50, starts(prefix[0], 0x2A, 0x4D, 0x18) {
            // A skippable frame may come first (RFC 8878, section 3.1.2).
            self = .zstd
        } else if starts(0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00) {
            self = .xz
        } else if prefix.count >= 4, starts(0x42, 0x5A, 0x68), (0x31...0x39).contains(prefix[3]) {
            self = .bzip2
        } else {
            self = .none
        }
    }

    /// What Docker and the OCI image specification append to a layer's media type; empty for no compression.
    public var mediaTypeSuffix: String {
        switch self {
        case .none: ""
        case .gzip: "+gzip"
        case .zstd: "+zstd"
        case .xz: "+xz"
        case .bzip2: "+bzip2"
        }
    }
}
