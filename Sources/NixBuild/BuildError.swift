/// Why something was not built.
public struct BuildError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable {
        /// The builder failed, or what it made is not as it should be.
        case failed
        /// Something that it needs failed.
        case dependencyFailed
        case timedOut
        /// A fixed output is something else than announced.
        case hashMismatch
        /// Built again, it was different.
        case notDeterministic
        /// Nothing here can build it: another platform, no sandbox, no job, nothing to compare with.
        case cannotBuild
        /// A cache does not give what it announced.
        case fetchFailed
        /// A program that builds call failed, which ends all of them.
        case hookFailed
        /// Something else failed first.
        case cancelled
    }

    public let code: Code
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public var description: String { reason }

    /// What nix-build exits with.
    public var exitStatus: Int32 {
        switch code {
        case .failed, .dependencyFailed, .cancelled: 100
        case .timedOut: 101
        case .hashMismatch: 102
        case .notDeterministic: 104
        case .cannotBuild, .hookFailed, .fetchFailed: 1
        }
    }
}
