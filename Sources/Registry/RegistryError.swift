/// What went wrong between us and a registry: what was tried, on which image or registry, why, and what to do.
public struct RegistryError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// No such manifest, blob, repository or upload there.
        case notFound
        /// The registry wants other credentials, or any.
        case unauthorized
        /// The credentials do not allow it.
        case denied
        /// The registry asks to come back later.
        case rateLimited
        /// The registry failed.
        case serverFailed
        /// It cannot be reached, the connection was lost too often, or it stalls.
        case unreachable
        /// Its certificate cannot be trusted, or it speaks no TLS.
        case insecure
        /// The answer breaks the protocol, or is longer than it may be.
        case invalidResponse
        /// The bytes are not those that the digest or the size promises.
        case contentMismatch
        /// There is no image for the platform.
        case platformMismatch
        /// What was asked for is wrong in itself.
        case invalidInput
        /// The registry, or this version, cannot do that.
        case notSupported
        /// The other end of the transfer (the disk) failed.
        case storageFailed
    }

    public var code: Code
    public var message: String
    /// The status of the answer, where there was one.
    public var status: Int?
    /// What the registry itself said.
    public var serverErrors: [ServerError]

    public init(_ code: Code, _ message: String, status: Int? = nil, serverErrors: [ServerError] = []) {
        self.code = code
        self.message = message
        self.status = status
        self.serverErrors = serverErrors
    }

    public var description: String { message }

    /// One element of the `errors` of an answer (distribution specification, "Error Codes").
    public struct ServerError: Sendable, Equatable, CustomStringConvertible {
        /// As `MANIFEST_UNKNOWN`.
        public var code: String
        public var message: String

        public init(code: String, message: String) {
            self.code = code
            self.message = message
        }

        /// As Docker prints it: `manifest unknown: manifest unknown`.
        public var description: String {
            let words = code.lowercased().split(separator: "_").joined(separator: " ")
            return message.isEmpty ? words : "\(words): \(message)"
        }
    }

    /// Whether the registry named this error code.
    func says(_ code: String) -> Bool { serverErrors.contains { $0.code == code } }

    /// What the registry said, or, when it said nothing, the status.
    var reason: String {
        serverErrors.first?.description ?? status.map { "the registry answered with status \($0)" } ?? message
    }
}
