import CKernel
import Glibc
import Synchronization

/// An open file, socket, process or namespace: closed when the last reference goes.
///
/// Everything that this module opens is close-on-exec.
public final class FileDescriptor: Sendable {
    private let number: Atomic<Int32>
    private let isOwned: Bool

    /// Takes ownership of `rawValue`.
    public init(owning rawValue: Int32) {
        number = Atomic(rawValue)
        isOwned = true
    }

    /// Refers to a descriptor that someone else closes.
    public init(borrowing rawValue: Int32) {
        number = Atomic(rawValue)
        isOwned = false
    }

    deinit {
        let raw = number.load(ordering: .relaxed)
        if isOwned && raw >= 0 { _ = ck_close(raw) }
    }

    /// The working directory (`AT_FDCWD`), as the directory that relative paths start from.
    public static let currentDirectory = FileDescriptor(borrowing: AT_FDCWD)
    public static let standardInput = FileDescriptor(borrowing: 0)
    public static let standardOutput = FileDescriptor(borrowing: 1)
    public static let standardError = FileDescriptor(borrowing: 2)

    /// The number; -1 once closed or released. It is only valid as long as this object lives.
    public var rawValue: Int32 { number.load(ordering: .relaxed) }

    /// Gives up ownership: the caller closes what is returned.
    public func release() -> Int32 { number.exchange(-1, ordering: .relaxed) }

    /// Closes now rather than at the last reference's end, and reports errors that a delayed write left (`EIO`,
    /// `EDQUOT`). Closing twice does nothing.
    public func close() throws(KernelError) {
        let raw = release()
        guard raw >= 0, isOwned else { return }
        // Never repeated after EINTR: Linux has closed the descriptor by then, and the number may be someone else's.
        let result = ck_close(raw)
        if result < 0 && result != -Int(EINTR) {
            throw KernelError(ErrorNumber(rawValue: Int32(truncatingIfNeeded: -result)), "close", "descriptor \(raw)")
        }
    }

    /// Another close-on-exec descriptor of the same open file, numbered `minimum` or higher.
    public func duplicate(minimum: Int32 = 3) throws(KernelError) -> FileDescriptor {
        let result = try call("duplicate descriptor", "\(rawValue)") {
            ck_fcntl(rawValue, F_DUPFD_CLOEXEC, Int(minimum))
        }
        return FileDescriptor(owning: Int32(result))
    }

    /// Makes descriptor `target` the same open file as this one, replacing what it was; it survives exec.
    public func duplicate(onto target: Int32) throws(KernelError) {
        if rawValue == target {
            try setCloseOnExec(false)
        } else {
            try call("duplicate descriptor \(rawValue) to", "\(target)") { ck_dup3(rawValue, target, 0) }
        }
    }

    public func setCloseOnExec(_ isSet: Bool) throws(KernelError) {
        try call("set the flags of descriptor", "\(rawValue)") {
            ck_fcntl(rawValue, F_SETFD, isSet ? Int(FD_CLOEXEC) : 0)
        }
    }

    public func setNonBlocking(_ isSet: Bool) throws(KernelError) {
        let old = try statusFlags
        let new = isSet ? old | O_NONBLOCK : old & ~O_NONBLOCK
        try call("set the flags of descriptor", "\(rawValue)") { ck_fcntl(rawValue, F_SETFL, Int(new)) }
    }

    /// The access mode and status flags (`F_GETFL`).
    public var statusFlags: Int32 {
        get throws(KernelError) {
            Int32(try call("read the flags of descriptor", "\(rawValue)") { ck_fcntl(rawValue, F_GETFL, 0) })
        }
    }

    /// Closes every descriptor from `first` on, or marks them close-on-exec.
    public static func closeAll(from first: Int32, onExecOnly: Bool = false) throws(KernelError) {
        // CLOSE_RANGE_CLOEXEC is 4.
        try call("close all descriptors from", "\(first)") {
            ck_close_range(UInt32(first), UInt32.max, onExecOnly ? 4 : 0)
        }
    }
}

extension FileDescriptor: Equatable {
    public static func == (left: FileDescriptor, right: FileDescriptor) -> Bool { left === right }
}

extension FileDescriptor: CustomStringConvertible {
    public var description: String { "descriptor \(rawValue)" }

    /// `/proc/self/fd/N`: a path to this very file, for calls that take only paths.
    public var procPath: String { "/proc/self/fd/\(rawValue)" }
}
