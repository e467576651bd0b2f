import Glibc
import JSON

/// Why a monitor could not be started or asked, or what it answered.
public struct MonitorError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: String, JSONConvertible {
        /// A system call failed.
        case system
        /// Bytes that break the protocol, or a file that is none of ours.
        case invalidData
        /// The container (or exec) is not in the state that the request needs.
        case conflict
        /// No such exec.
        case notFound
        /// The request makes no sense.
        case invalidArgument
        /// The container's program could not be started: see `exitCode`.
        case startFailed
        /// The monitor is gone, or was never there.
        case lost
        case timedOut
        case unsupported
    }

    public var code: Code
    public var message: String
    /// 126 or 127 when the program could not be executed or found; 125 for any other failure to create.
    public var exitCode: Int32?

    public init(_ code: Code, _ message: String, exitCode: Int32? = nil) {
        self.code = code
        self.message = message
        self.exitCode = exitCode
    }

    public var description: String { message }

    /// The error for a system call that just failed.
    package static func system(_ what: String, _ number: Int32 = errno) -> MonitorError {
        MonitorError(.system, "\(what): \(String(cString: strerror(number)))")
    }
}
