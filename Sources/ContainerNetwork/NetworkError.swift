import Kernel

/// Why something about a network failed.
public struct NetworkError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable {
        /// The request makes no sense; nothing was changed.
        case invalidArgument
        /// An address, a subnet, a name or a port is taken.
        case conflict
        /// Nothing is left in a pool.
        case exhausted
        case notFound
        /// The permissions do not suffice.
        case notPermitted
        /// The host lacks what is needed: a library, a kernel module, a setting.
        case unavailable
        /// The kernel refused.
        case kernel
    }

    public var code: Code
    public var message: String
    /// What the kernel said, if it was the kernel.
    public var cause: KernelError?

    public init(_ code: Code, _ message: String, cause: KernelError? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The kernel's refusal while doing something.
    public init(_ doing: String, _ cause: KernelError) {
        let code: Code =
            switch cause.code {
            case .notPermitted, .accessDenied, .readOnly: .notPermitted
            case .notFound, .noDevice, .noSuchProcess: .notFound
            case .notSupported, .notImplemented: .unavailable
            case .exists, .busy: .conflict
            default: .kernel
            }
        self.init(code, "cannot \(doing): \(cause)", cause: cause)
    }

    public var description: String { message }
}

/// Runs what throws the kernel's errors, and says what it was for.
@inline(never)
func attempt<Result>(_ doing: @autoclosure () -> String, _ body: () throws(KernelError) -> Result)
    throws(NetworkError) -> Result
{
    do throws(KernelError) { return try body() } catch { throw NetworkError(doing(), error) }
}
