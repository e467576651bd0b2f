/// Why credentials could not be read or kept: what was tried, and what to do.
public struct CredentialError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// `config.json` is not what it should be.
        case invalidConfiguration
        /// A credential helper is missing, failed, or said something else than its protocol allows.
        case helperFailed
        /// The system refused.
        case system
    }

    public var code: Code
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
