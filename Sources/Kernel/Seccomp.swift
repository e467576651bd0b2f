import CKernel
import Glibc

/// Filters of system calls.
public enum Seccomp {
    public struct Flags: OptionSet, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// All threads of the process.
        public static let threadSynchronize = Self(rawValue: 1)
        public static let log = Self(rawValue: 2)
        /// Do not mitigate speculative store bypass.
        public static let allowSpeculation = Self(rawValue: 4)
        /// Return a descriptor on which a supervisor gets `SECCOMP_RET_USER_NOTIF`.
        public static let newListener = Self(rawValue: 8)
        public static let threadSynchronizeNoSuchProcess = Self(rawValue: 16)
        public static let waitKillableReceive = Self(rawValue: 32)
    }

    /// Loads a classic BPF program for the calling thread, which needs no_new_privs or `CAP_SYS_ADMIN`.
    ///
    /// - Parameter program: `struct sock_filter`s, eight bytes each in the machine's order, as libseccomp exports.
    /// - Returns: the notification descriptor with `.newListener`.
    @discardableResult
    public static func load(_ program: [UInt8], flags: Flags = []) throws(KernelError) -> FileDescriptor? {
        if program.isEmpty || program.count % 8 != 0 || program.count / 8 > 4096 {
            throw KernelError(
                .invalidArgument, "load a seccomp filter of \(program.count) bytes",
                advice: "it must have 1 to 4096 instructions of 8 bytes")
        }
        let result = try program.withBytes { bytes throws(KernelError) in
            var header = ck_sock_fprog(
                len: UInt16(bytes.count / 8), filter: bytes.baseAddress?.assumingMemoryBound(to: ck_sock_filter.self))
            // SECCOMP_SET_MODE_FILTER
            return try call("load a seccomp filter") { ck_seccomp(1, flags.rawValue, &header) }
        }
        return flags.contains(.newListener) ? FileDescriptor(owning: Int32(result)) : nil
    }

    /// Whether the kernel knows an action (`SECCOMP_RET_*`).
    public static func isAvailable(action: UInt32) -> Bool {
        var action = action
        return ck_seccomp(2, 0, &action) == 0
    }
}
