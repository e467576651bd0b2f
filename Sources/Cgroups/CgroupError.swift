import Kernel

/// Why something about a cgroup failed.
public struct CgroupError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable {
        /// No cgroup file system is mounted, or not the hierarchy that is needed.
        case noHierarchy
        /// The controller is not there, or could not be enabled.
        case noController
        /// The path or the systemd unit is not of a form that names a cgroup.
        case invalidPath
        /// A resource's value makes no sense, or not on this version of cgroups.
        case invalidResource
        /// The kernel refused.
        case kernel
        /// The permissions do not suffice: tolerable for a caller without root.
        case notPermitted
        case notFound
        /// Processes would not end, or would not freeze, in time.
        case timedOut
        /// systemd refused, or could not be asked.
        case systemd
    }

    public var code: Code
    public var message: String
    /// What the kernel said, if it was the kernel.
    public var cause: KernelError?

    /// The kernel's error number, if it was the kernel.
    ///
    /// Never inlined: Swift 6.3's optimiser crashes on the projection of an optional inside a typed `catch`.
    var causeCode: ErrorNumber? {
        @inline(never) get { cause?.code }
    }

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
            case .notFound, .noDevice: .notFound
            default: .kernel
            }
        self.init(code, "cannot \(doing): \(cause)", cause: cause)
    }

    public var description: String { message }
}
