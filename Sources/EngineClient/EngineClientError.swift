import EngineModel

/// Why a request to the daemon failed.
public struct EngineClientError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// Nothing listens where the daemon should be, or it may not be reached.
        case connection
        /// The daemon answered with this HTTP status; the message is its own, and may be empty.
        case status(Int)
        /// The daemon's answer is not what the API promises, or the connection broke in the middle.
        case badAnswer
        /// The address of the daemon is no address.
        case badHost
        /// A request lacks the name of what it is about.
        case badName
    }

    public var code: Code
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The HTTP status, when the daemon itself refused.
    public var status: Int? {
        if case .status(let status) = code { status } else { nil }
    }

    /// As Docker's command line prints it.
    public var description: String {
        if case .status(let status) = code {
            let text = message.isEmpty ? "request returned status \(status) without a message" : message
            return "Error response from daemon: \(text)"
        }
        return message
    }
}
