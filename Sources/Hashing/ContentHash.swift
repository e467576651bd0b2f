import Crypto
import OCI
import Synchronization

/// A SHA-256 or SHA-512 that is fed piece by piece, possibly by another thread than the one that asks for the result.
public final class ContentHash: Sendable {
    private enum State: Sendable {
        case sha256(SHA256)
        case sha512(SHA512)
    }

    private let state: Mutex<State>

    public init(_ algorithm: OCI.Digest.Algorithm = .sha256) {
        state = Mutex(algorithm == .sha256 ? .sha256(SHA256()) : .sha512(SHA512()))
    }

    public func update(_ bytes: UnsafeRawBufferPointer) {
        state.withLock { state in
            switch state {
            case .sha256(var hash):
                // Taken out while it changes, so that it is not copied.
                state = .sha512(SHA512())
                hash.update(bufferPointer: bytes)
                state = .sha256(hash)
            case .sha512(var hash):
                state = .sha256(SHA256())
                hash.update(bufferPointer: bytes)
                state = .sha512(hash)
            }
        }
    }

    /// The digest of everything so far.
    public var digest: OCI.Digest {
        get throws(OCIError) {
            let (algorithm, bytes): (OCI.Digest.Algorithm, [UInt8]) = state.withLock { state in
                switch state {
                case .sha256(let hash): (.sha256, Array(hash.finalize()))
                case .sha512(let hash): (.sha512, Array(hash.finalize()))
                }
            }
            return try OCI.Digest(algorithm: algorithm, bytes: bytes)
        }
    }

    /// The digest of bytes in memory.
    public static func digest(
        of bytes: some Sequence<UInt8>, _ algorithm: OCI.Digest.Algorithm = .sha256
    ) throws(OCIError) -> OCI.Digest {
        let hash = ContentHash(algorithm)
        Array(bytes).withUnsafeBytes { hash.update($0) }
        return try hash.digest
    }
}
