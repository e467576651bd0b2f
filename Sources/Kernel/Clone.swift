import CKernel
import Glibc

/// What a process made by `clone3` starts with.
public struct CloneOptions: Sendable {
    public var namespaces: Namespaces = []
    /// Signal for the parent at the end; 0 for none (then `waitid` needs `__WALL`).
    public var exitSignal: Int32 = SIGCHLD
    /// A cgroup v2 directory for the child to start in.
    public var cgroup: FileDescriptor?
    /// Makes the caller's parent the child's parent.
    public var parentIsSibling = false
    /// Resets all signal handlers to the default (`CLONE_CLEAR_SIGHAND`).
    public var clearsSignalHandlers = false
    /// Shares memory and stops the caller until the child executes or exits: not for Swift code in the child.
    public var additionalFlags: UInt64 = 0

    public init() {}
}

/// Which side of a `clone3` this is.
public enum CloneResult: Sendable {
    case child
    case parent(processID: Int32, processDescriptor: FileDescriptor)
}

/// Makes a child process that goes on from here with a copy of the memory, as after fork.
///
/// Only for single-threaded programs: no other thread exists in the child, whatever locks they held.
public func clone(_ options: CloneOptions = CloneOptions()) throws(KernelError) -> CloneResult {
    var pidfd: Int32 = -1
    // CLONE_PIDFD 0x1000, CLONE_PARENT 0x8000, CLONE_CLEAR_SIGHAND 1 << 32, CLONE_INTO_CGROUP 1 << 33
    var flags = options.namespaces.rawValue | options.additionalFlags | 0x1000
    if options.parentIsSibling { flags |= 0x8000 }
    if options.clearsSignalHandlers { flags |= 1 << 32 }
    if options.cgroup != nil { flags |= 1 << 33 }
    // With CLONE_PARENT the exit signal is the caller's own, and has to be 0 here.
    let exitSignal = options.parentIsSibling ? 0 : UInt64(options.exitSignal)
    // The C library caches the thread's ID where set_tid_address points; a raw clone has to keep it true.
    var threadID: UInt = 0
    // PR_GET_TID_ADDRESS
    if ck_prctl_pointer(40, &threadID, 0) == 0, threadID != 0 {
        // CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID
        flags |= 0x0100_0000 | 0x0020_0000
    }
    let cgroup = UInt64(UInt32(bitPattern: options.cgroup?.rawValue ?? 0))
    let pid = try withUnsafeMutablePointer(to: &pidfd) { pidfd throws(KernelError) in
        var arguments = ck_clone_args()
        arguments.flags = flags
        arguments.pidfd = UInt64(UInt(bitPattern: pidfd))
        arguments.child_tid = UInt64(threadID)
        arguments.exit_signal = exitSignal
        arguments.cgroup = cgroup
        let what = options.namespaces.isEmpty ? "" : "with new \(options.namespaces.description) namespaces"
        return try call("make a process", what) { ck_clone3(&arguments) }
    }
    if pid == 0 { return .child }
    return .parent(processID: Int32(pid), processDescriptor: FileDescriptor(owning: pidfd))
}

/// Leaves the process at once: no exit handlers, no flushing. How a child of `clone` that does not execute ends.
public func exitImmediately(_ status: Int32) -> Never { _exit(status) }
