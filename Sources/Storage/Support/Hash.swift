import Crypto
import OCI
import Synchronization

/// A SHA-256 or SHA-512 that is fed piece by piece, possibly by another thread than the one that asks for the result.
final class Hash: Sendable {
    private enum State: Sendable {
        case sha256(SHA256)
        case sha512(SHA512)
    }
    private let state: Mutex<State>

    init(_ algorithm: OCI.Digest.Algorithm = .sha256) {
        state = Mutex(algorithm == .sha256 ? .sha256(SHA256()) : .sha512(SHA512()))
    }

    func update(_ bytes: UnsafeRawBufferPointer) {
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

    var digest: OCI.Digest {
        get throws {
            try state.withLock { state in
                switch state {
                case .sha256(let hash): try OCI.Digest(algorithm: .sha256, bytes: Array(hash.finalize()))
                case .sha512(let hash): try OCI.Digest(algorithm: .sha512, bytes: Array(hash.finalize()))
                }
            }
        }
    }

    /// The digest of bytes in memory.
    static func digest(
        of bytes: some Sequence<UInt8>, _ algorithm: OCI.Digest.Algorithm = .sha256
    ) throws -> OCI.Digest {
        let hash = Hash(algorithm)
        Array(bytes).withUnsafeBytes { hash.update($0) }
        return try hash.digest
    }
}
