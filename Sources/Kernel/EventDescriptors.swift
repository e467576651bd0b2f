import CKernel
import Glibc

/// A counter as a descriptor (`eventfd`): readable while it is above zero.
public struct EventDescriptor: Sendable {
    public let descriptor: FileDescriptor

    /// Neither end blocks.
    public init() throws(KernelError) {
        descriptor = FileDescriptor(
            owning: Int32(try call("make an event descriptor") { ck_eventfd(0, 0o2000000 | O_NONBLOCK) }))
    }

    public func signal() throws(KernelError) {
        var one: UInt64 = 1
        try call("signal", descriptor.description) { ck_write(descriptor.rawValue, &one, 8) }
    }

    /// The counter, which is zero afterwards.
    @discardableResult
    public func take() throws(KernelError) -> UInt64 {
        do throws(KernelError) {
            let bytes = try descriptor.read(count: 8)
            return bytes.count == 8 ? bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } : 0
        } catch {
            if error.code == .wouldBlock { return 0 }
            throw error
        }
    }
}

/// A timer as a descriptor (`timerfd`).
public struct TimerDescriptor: Sendable {
    public let descriptor: FileDescriptor

    /// Counts monotonic time; reading does not block.
    public init() throws(KernelError) {
        descriptor = FileDescriptor(
            owning: Int32(
                try call("make a timer") { ck_timerfd_create(CLOCK_MONOTONIC, 0o2000000 | O_NONBLOCK) }))
    }

    /// Fires after `nanoseconds`, then every `interval` unless that is 0. Zero nanoseconds stop it.
    public func set(after nanoseconds: UInt64, every interval: UInt64 = 0) throws(KernelError) {
        func time(_ nanoseconds: UInt64) -> timespec {
            timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        }
        var value = itimerspec(it_interval: time(interval), it_value: time(nanoseconds))
        try call("set a timer") { ck_timerfd_settime(descriptor.rawValue, 0, &value) }
    }

    /// How often it has fired since this was last asked.
    @discardableResult
    public func expirations() throws(KernelError) -> UInt64 {
        try EventDescriptor(descriptor).take()
    }
}

extension EventDescriptor {
    fileprivate init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }
}
