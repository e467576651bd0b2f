/// What is wrong with a hash, a path, an archive, a derivation or a store.
public struct StoreError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable {
        /// A hash that cannot be read, or is of another kind than it should be.
        case badHash
        /// A name or a path that cannot be in a store.
        case badStorePath
        /// An archive that is damaged or hostile.
        case badArchive
        /// A derivation's text that cannot be read.
        case badDerivation
        /// An object that is not valid in the store, or a name for one that the store does not have.
        case notValid
        /// Bytes that are not what their hash or size says.
        case mismatch
        /// No trusted key has signed it.
        case notSigned
        /// Something that other objects or roots need.
        case stillInUse
        /// A database that is damaged, missing or of another version.
        case badDatabase
        /// A store that cannot be opened or written to by this user.
        case unusableStore
        /// Nobody trusted has signed it, or a signature or a key is wrong.
        case badSignature
        /// A binary cache holds nonsense, or something else than it announces.
        case badCache
        /// A place that cannot be reached, or whose answer broke off.
        case unreachable
        /// A daemon's answer that breaks the protocol.
        case badProtocol
        /// What a daemon reported.
        case daemon
        /// An object that is not there.
        case notFound
        /// Something that is not done here, or that a peer is too old for.
        case unsupported
        /// The operating system said no.
        case system(Int32)
    }

    public let code: Code
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public var description: String { reason }
}
