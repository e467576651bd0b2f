import JSON

/// Why the engine refused or failed: a code for the caller to act on, and a sentence for people. Where Docker has a
/// sentence for it, this is Docker's, because scripts look for it.
public struct EngineError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// No such container, image, volume, exec or path.
        case notFound
        /// Input that breaks its format or contradicts itself.
        case invalidParameter
        /// A name in use, or a thing that is not in the state that the request needs.
        case conflict
        /// Nothing to do: it is as it was asked to be.
        case notModified
        /// Not allowed.
        case forbidden
        /// Not with these credentials.
        case unauthorized
        /// Not now.
        case unavailable
        /// Not in this version, or not on this host.
        case notImplemented
        /// The kernel, the disk or a program of ours failed.
        case system
    }

    public var code: Code
    public var message: String
    /// The exit status that `run` gives its own caller: 125, 126 (not executable) or 127 (not found).
    public var exitCode: Int32?

    public init(_ code: Code, _ message: String, exitCode: Int32? = nil) {
        self.code = code
        self.message = message
        self.exitCode = exitCode
    }

    public var description: String { message }
}

extension EngineError {
    static func noSuchContainer(_ name: String) -> Self { Self(.notFound, "No such container: \(name)") }
    static func noSuchExec(_ id: String) -> Self { Self(.notFound, "No such exec instance: \(id)") }
    static func notRunning(_ id: String) -> Self { Self(.conflict, "container \(id) is not running") }
    static func invalid(_ message: String) -> Self { Self(.invalidParameter, message) }
}
