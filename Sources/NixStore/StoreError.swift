/// What is wrong with a hash, a path, an archive or a derivation.
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
