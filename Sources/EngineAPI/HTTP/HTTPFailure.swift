import NIOHTTP1

/// A failure that has an HTTP status and a sentence for the client.
public struct HTTPFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public var status: HTTPResponseStatus
    public var message: String

    public init(_ status: HTTPResponseStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    public var description: String { message }
}
