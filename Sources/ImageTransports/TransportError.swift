/// Why an image could not be found, read or copied: what was tried, on what, why it failed and what to do.
public struct TransportError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// The text names no image, or asks for what no transport can do.
        case invalidInput
        /// The image, or a part of it, is not there.
        case notFound
        /// What is there is no image, or a broken one.
        case invalidImage
        /// The bytes are not those that a digest or a size promises.
        case contentMismatch
        /// The destination cannot hold this image as it is asked to.
        case notSupported
        /// The source cannot go on from where the reader is; reading from the beginning may do.
        case interrupted
        /// A file could not be read or written.
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
