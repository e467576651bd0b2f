import Kernel
import OCI

/// A compiled seccomp filter.
public struct SeccompProgram: Sendable, Equatable {
    /// `struct sock_filter`s in the machine's order.
    public var instructions: [UInt8]
    public var flags: Seccomp.Flags
    /// Where a supervisor takes the notification descriptor, when the filter notifies.
    public var listenerPath: String?
    public var listenerMetadata: String?
}

extension Seccomp.Flags {
    /// By the names of the specification.
    static let named: [(name: String, flag: Seccomp.Flags)] = [
        ("SECCOMP_FILTER_FLAG_TSYNC", .threadSynchronize), ("SECCOMP_FILTER_FLAG_LOG", .log),
        ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", .allowSpeculation),
        ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", .waitKillableReceive),
    ]
}
