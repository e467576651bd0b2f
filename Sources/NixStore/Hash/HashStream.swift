import Crypto

/// A hash in the making, fed piece by piece.
public struct HashStream {
    private enum State {
        case blake3(BLAKE3)
        case md5(Insecure.MD5)
        case sha1(Insecure.SHA1)
        case sha256(SHA256)
        case sha512(SHA512)
        /// Taken out while it changes, so that it is not copied.
        case taken
    }

    public let algorithm: HashAlgorithm
    private var state: State

    public init(_ algorithm: HashAlgorithm) {
        self.algorithm = algorithm
        switch algorithm {
        case .blake3: state = .blake3(BLAKE3())
        case .md5: state = .md5(Insecure.MD5())
        case .sha1: state = .sha1(Insecure.SHA1())
        case .sha256: state = .sha256(SHA256())
        case .sha512: state = .sha512(SHA512())
        }
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        let current = state
        state = .taken
        switch consume current {
        case .blake3(var hash):
            hash.update(bytes)
            state = .blake3(hash)
        case .md5(var hash):
            hash.update(bufferPointer: bytes)
            state = .md5(hash)
        case .sha1(var hash):
            hash.update(bufferPointer: bytes)
            state = .sha1(hash)
        case .sha256(var hash):
            hash.update(bufferPointer: bytes)
            state = .sha256(hash)
        case .sha512(var hash):
            hash.update(bufferPointer: bytes)
            state = .sha512(hash)
        case .taken: break
        }
    }

    public mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    /// The hash of everything so far.
    public func finish() -> Hash {
        let digest: [UInt8] =
            switch state {
            case .blake3(let hash): hash.finalize()
            case .md5(let hash): Array(hash.finalize())
            case .sha1(let hash): Array(hash.finalize())
            case .sha256(let hash): Array(hash.finalize())
            case .sha512(let hash): Array(hash.finalize())
            case .taken: []
            }
        return Hash(algorithm: algorithm, bytes: digest)
    }
}
