/// Why the runtime could not do what it was asked.
public struct RuntimeError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// The configuration breaks the specification, or asks for what this host cannot do.
        case invalidSpecification
        /// The executable does not exist in the container (exit code 127).
        case commandNotFound
        /// The executable exists and cannot be executed (exit code 126).
        case commandNotExecutable
        /// No container has this identifier.
        case noSuchContainer
        /// The identifier is in use.
        case containerExists
        /// The container is not in a state that allows the operation.
        case wrongState
        /// The container's first process has ended.
        case notRunning
        /// A hook failed or ran out of time.
        case hookFailed
        /// The kernel refused a system call; `errno` tells why.
        case system
        /// The command line was not understood.
        case usage
    }

    public var code: Code
    /// A sentence: what was tried, on what, and why it failed.
    public var message: String
    /// The kernel's error number when `code` is `.system`, else 0.
    public var errno: Int32

    public init(_ code: Code, _ message: String, errno: Int32 = 0) {
        self.code = code
        self.message = message
        self.errno = errno
    }

    /// The exit status that a command line reports for this error, when the specification of `docker run` names one:
    /// 127 for a missing executable, 126 for one that cannot be executed.
    public var exitCode: Int32? {
        switch code {
        case .commandNotFound: 127
        case .commandNotExecutable: 126
        default: nil
        }
    }

    public var description: String { message }
}
