import CKernel
import Glibc

/// How a process ended.
public enum ExitStatus: Hashable, Sendable {
    /// By itself, with a code from 0 to 255.
    case exited(Int32)
    /// By a signal.
    case signaled(Int32, coreDumped: Bool)

    /// The code as shells and Docker count it: 128 + N for a signal N.
    public var code: Int32 {
        switch self {
        case .exited(let code): code
        case .signaled(let signal, _): 128 + signal
        }
    }

    public var isSuccess: Bool { self == .exited(0) }

    /// From wait4's status word.
    public init(waitStatus status: Int32) {
        if status & 0x7f == 0 {
            self = .exited((status >> 8) & 0xff)
        } else {
            self = .signaled(status & 0x7f, coreDumped: status & 0x80 != 0)
        }
    }
}

/// A descriptor of a process (`pidfd`): it goes on naming that process after its number is used again.
public struct ProcessDescriptor: Sendable {
    public let descriptor: FileDescriptor

    public init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

    /// - Throws: `ESRCH` when there is no such process.
    public init(processID: Int32) throws(KernelError) {
        descriptor = FileDescriptor(
            owning: Int32(try call("open process", "\(processID)") { ck_pidfd_open(processID, 0) }))
    }

    public func send(signal: Signal) throws(KernelError) {
        try call("send \(signal) to the process of", descriptor.description) {
            ck_pidfd_send_signal(descriptor.rawValue, signal.rawValue)
        }
    }

    /// A duplicate of a descriptor that the process has open.
    public func duplicate(_ number: Int32) throws(KernelError) -> FileDescriptor {
        FileDescriptor(
            owning: Int32(
                try call("take descriptor \(number) from the process of", descriptor.description) {
                    ck_pidfd_getfd(descriptor.rawValue, number)
                }))
    }

    /// Waits for this child (`waitid`, `P_PIDFD`); any thread may.
    /// - Returns: `nil` when it is still running and `noHang` is set.
    public func wait(noHang: Bool = false) throws(KernelError) -> ExitStatus? {
        var info = ck_wait_info()
        // P_PIDFD 3; WEXITED 4, WNOHANG 1, __WALL 0x40000000
        try call("wait for the process of", descriptor.description) {
            ck_waitid(3, descriptor.rawValue, &info, 4 | 0x4000_0000 | (noHang ? 1 : 0))
        }
        return info.pid == 0 ? nil : ExitStatus(info)
    }

    /// Whether the process has ended (reaped or not), without waiting for it; it need not be a child.
    public var hasExited: Bool {
        get throws(KernelError) {
            try poll([PollRequest(descriptor, .readable)], timeoutMilliseconds: 0).first?.isEmpty == false
        }
    }
}

extension ExitStatus {
    init(_ info: ck_wait_info) {
        // CLD_EXITED 1, CLD_KILLED 2, CLD_DUMPED 3
        self = info.code == 1 ? .exited(info.status) : .signaled(info.status, coreDumped: info.code == 3)
    }
}

/// Processes by number. Prefer a `ProcessDescriptor` for those that may end meanwhile.
public enum Processes {
    public static var currentID: Int32 { getpid() }
    public static var parentID: Int32 { getppid() }

    public static func send(signal: Signal, to processID: Int32) throws(KernelError) {
        try call("send \(signal) to process", "\(processID)") { ck_kill(processID, signal.rawValue) }
    }

    /// Whether a process, or a zombie, has the number.
    public static func exists(_ processID: Int32) -> Bool {
        let result = ck_kill(processID, 0)
        return result == 0 || result == -Int(EPERM)
    }

    /// Waits for a child (-1: any).
    /// - Returns: `nil` when none has ended and `noHang` is set, or there are no children.
    public static func wait(for processID: Int32 = -1, noHang: Bool = false) throws(KernelError)
        -> (processID: Int32, status: ExitStatus)?
    {
        var status: Int32 = 0
        // __WALL: also children that send no SIGCHLD.
        do throws(KernelError) {
            let ended = try call("wait for process", "\(processID)") {
                ck_wait4(processID, &status, 0x4000_0000 | (noHang ? 1 : 0), nil)
            }
            return ended == 0 ? nil : (Int32(ended), ExitStatus(waitStatus: status))
        } catch {
            if error.code == .noChild { return nil }
            throw error
        }
    }

    /// Makes this process the leader of a new session without a terminal.
    public static func startSession() throws(KernelError) { try call("start a session") { ck_setsid() } }

    public static func setProcessGroup(of processID: Int32 = 0, to group: Int32 = 0) throws(KernelError) {
        try call("set the process group of", "\(processID)") { ck_setpgid(processID, group) }
    }

    /// Replaces the program; returns only by throwing.
    public static func execute(_ path: String, arguments: [String], environment: [String]) throws(KernelError)
        -> Never
    {
        let result = withCStrings(arguments) { arguments in
            withCStrings(environment) { environment in
                path.withPath { $0.map { ck_execve($0, arguments, environment) } ?? -Int(EINVAL) }
            }
        }
        throw KernelError(ErrorNumber(rawValue: Int32(truncatingIfNeeded: -result)), "execute", path)
    }

    /// Replaces the program with the open file `program` (`execveat`).
    public static func execute(_ program: FileDescriptor, arguments: [String], environment: [String])
        throws(KernelError) -> Never
    {
        let result = withCStrings(arguments) { arguments in
            withCStrings(environment) { ck_execveat(program.rawValue, "", arguments, $0, atEmptyPath) }
        }
        throw KernelError(ErrorNumber(rawValue: Int32(truncatingIfNeeded: -result)), "execute", program.description)
    }
}

/// Calls `body` with a null-terminated array of C strings.
func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var bytes: [CChar] = []
    var offsets: [Int] = []
    for string in strings {
        offsets.append(bytes.count)
        bytes.append(contentsOf: string.utf8.lazy.map { CChar(bitPattern: $0) })
        bytes.append(0)
    }
    if bytes.isEmpty { bytes.append(0) }
    return bytes.withUnsafeMutableBufferPointer { buffer in
        let start = buffer.baseAddress
        var pointers: [UnsafeMutablePointer<CChar>?] = offsets.map { offset in start.map { $0 + offset } }
        pointers.append(nil)
        return pointers.withUnsafeMutableBufferPointer { pointers in
            withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<CChar>?.self, capacity: 1) { empty in
                // Never taken: the array holds at least the null.
                body(pointers.baseAddress ?? empty.baseAddress.unsafelyUnwrapped)
            }
        }
    }
}
