/// A digest and the function that made it.
public struct Hash: Hashable, Sendable {
    /// How a hash is written.
    public enum Format: String, Sendable, CaseIterable {
        case base16
        case nix32
        case base64
        /// `sha256-…`, base 64 with the function's name (W3C Subresource Integrity).
        case sri
    }

    public let algorithm: HashAlgorithm
    public let bytes: [UInt8]

    init(algorithm: HashAlgorithm, bytes: [UInt8]) {
        self.algorithm = algorithm
        self.bytes = bytes
    }

    /// The hash of `bytes`.
    public init(_ algorithm: HashAlgorithm, of bytes: UnsafeRawBufferPointer) {
        var stream = HashStream(algorithm)
        stream.update(bytes)
        self = stream.finish()
    }

    public init(_ algorithm: HashAlgorithm, of bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { Hash(algorithm, of: $0) }
    }

    public init(_ algorithm: HashAlgorithm, of text: String) {
        self = Hash(algorithm, of: Array(text.utf8))
    }

    /// The hash that stands for "not known yet": all zeros.
    public static func zero(_ algorithm: HashAlgorithm) -> Hash {
        Hash(algorithm: algorithm, bytes: [UInt8](repeating: 0, count: algorithm.size))
    }

    /// The digest in `format`, after `sha256:` (or `sha256-` for SRI) when `withAlgorithm` is true.
    public func text(_ format: Format, withAlgorithm: Bool = false) -> String {
        switch format {
        case .sri: return algorithm.rawValue + "-" + Base64.encode(bytes)
        case .base16: return (withAlgorithm ? algorithm.rawValue + ":" : "") + Base16.encode(bytes)
        case .nix32: return (withAlgorithm ? algorithm.rawValue + ":" : "") + Base32.encode(bytes)
        case .base64: return (withAlgorithm ? algorithm.rawValue + ":" : "") + Base64.encode(bytes)
        }
    }

    /// The text of a digest folded to `size` bytes at most, as `nix-hash --truncate` prints it.
    public func truncatedText(to size: Int, _ format: Format) -> String {
        guard bytes.count > size else { return text(format) }
        return Hash(algorithm: algorithm, bytes: compressed(to: size)).text(format)
    }

    /// The digest folded to `size` bytes by exclusive or, as in store paths.
    public func compressed(to size: Int) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: size)
        for (index, byte) in bytes.enumerated() { result[index % size] ^= byte }
        return result
    }
}

// MARK: Reading

extension Hash {
    /// Reads `sha256:DIGEST`, `sha256-DIGEST` or, when `algorithm` is known from elsewhere, a bare digest.
    ///
    /// A digest after `:` or alone may be in base 16, 32 or 64, told apart by its length.
    /// - Throws: `StoreError.badHash`.
    public init(parsing text: String, algorithm expected: HashAlgorithm? = nil) throws(StoreError) {
        self = try Self.parse(text, algorithm: expected).hash
    }

    /// As `init(parsing:algorithm:)`, and says how it was written.
    /// - Throws: `StoreError.badHash`.
    public static func parse(
        _ text: String, algorithm expected: HashAlgorithm? = nil
    ) throws(StoreError) -> (hash: Hash, format: Format) {
        var digest = Substring(text)
        var algorithm = expected
        var isSRI = false
        if let separator = text.firstIndex(of: ":") ?? text.firstIndex(of: "-") {
            let prefix = String(text[..<separator])
            isSRI = text[separator] == "-"
            guard let named = HashAlgorithm(rawValue: prefix) else {
                throw StoreError(.badHash, HashAlgorithm.unknown(prefix))
            }
            if let expected, expected != named {
                throw StoreError(
                    .badHash, "hash '\(text)' should have type '\(expected.rawValue)' but has '\(named.rawValue)'")
            }
            algorithm = named
            digest = text[text.index(after: separator)...]
        }
        guard let algorithm else {
            throw StoreError(
                .badHash, "hash '\(text)' does not include a type, nor is the type otherwise known from context")
        }
        let characters = Array(digest.utf8)
        guard let format = isSRI ? .sri : Self.format(ofLength: characters.count, algorithm) else {
            throw StoreError(
                .badHash, "hash '\(digest)' has wrong length for hash algorithm '\(algorithm.rawValue)'")
        }
        let bytes: [UInt8]? =
            switch format {
            case .base16: Base16.decode(characters)
            case .nix32: Base32.decode(characters)
            case .base64, .sri: Base64.decode(characters)
            }
        guard let bytes else { throw StoreError(.badHash, "invalid hash '\(text)'") }
        guard bytes.count == algorithm.size else {
            throw StoreError(
                .badHash,
                isSRI
                    ? "invalid SRI hash '\(digest)'"
                    : "hash '\(digest)' has wrong length for hash algorithm '\(algorithm.rawValue)'")
        }
        return (Hash(algorithm: algorithm, bytes: bytes), format)
    }

    /// The format in which a digest takes so many characters.
    private static func format(ofLength length: Int, _ algorithm: HashAlgorithm) -> Format? {
        switch length {
        case algorithm.size * 2: .base16
        case Base32.length(of: algorithm.size): .nix32
        case Base64.length(of: algorithm.size): .base64
        default: nil
        }
    }
}
