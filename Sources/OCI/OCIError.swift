/// Why a text is no digest, reference, platform or other part of the OCI specifications.
public struct OCIError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        case invalidDigest
        case invalidReference
        case invalidPlatform
        case invalidDateTime
        /// A value in a runtime specification that the specification does not allow.
        case invalidSpecification
    }

    public var code: Code
    /// What was given, what is wrong with it, and what would be right.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
