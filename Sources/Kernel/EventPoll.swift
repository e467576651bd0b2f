import CKernel
import Glibc

/// What can happen on a descriptor (`EPOLL*` and `POLL*`, which are the same numbers).
public struct ReadinessEvents: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let readable = Self(rawValue: 1)
    public static let priority = Self(rawValue: 2)
    public static let writable = Self(rawValue: 4)
    /// Always reported.
    public static let error = Self(rawValue: 8)
    /// Always reported: the other end is gone.
    public static let hangup = Self(rawValue: 16)
    /// The other end of a socket has shut down writing.
    public static let readHangup = Self(rawValue: 0x2000)
    public static let exclusive = Self(rawValue: 1 << 28)
    public static let oneShot = Self(rawValue: 1 << 30)
    public static let edgeTriggered = Self(rawValue: 1 << 31)
}

/// Waits on many descriptors (`epoll`).
public struct EventPoll: Sendable {
    public let descriptor: FileDescriptor

    public struct Event: Sendable {
        public let token: UInt64
        public let events: ReadinessEvents
    }

    public init() throws(KernelError) {
        descriptor = FileDescriptor(owning: Int32(try call("make an event poll") { ck_epoll_create(0o2000000) }))
    }

    /// - Parameter token: comes back with the events.
    public func add(_ file: FileDescriptor, _ events: ReadinessEvents, token: UInt64) throws(KernelError) {
        try control(1, file, events, token)
    }
    public func modify(_ file: FileDescriptor, _ events: ReadinessEvents, token: UInt64) throws(KernelError) {
        try control(3, file, events, token)
    }
    public func remove(_ file: FileDescriptor) throws(KernelError) { try control(2, file, [], 0) }

    private func control(_ operation: Int32, _ file: FileDescriptor, _ events: ReadinessEvents, _ token: UInt64)
        throws(KernelError)
    {
        try call("watch", file.description) {
            ck_epoll_ctl(descriptor.rawValue, operation, file.rawValue, events.rawValue, token)
        }
    }

    /// Waits for at least one event.
    /// - Parameter timeoutMilliseconds: -1 for ever. Nothing is returned when it passes, or a signal came.
    public func wait(maximum: Int = 64, timeoutMilliseconds: Int32 = -1) throws(KernelError) -> [Event] {
        try withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: maximum) {
            buffer -> Result<[Event], KernelError> in
            let result = ck_epoll_wait(descriptor.rawValue, buffer.baseAddress, Int32(maximum), timeoutMilliseconds)
            if result == -Int(EINTR) { return .success([]) }
            if result < 0 {
                return .failure(
                    KernelError(ErrorNumber(rawValue: Int32(-result)), "wait for events on", descriptor.description))
            }
            return .success(
                buffer[..<result].map { event in
                    var event = event
                    return Event(token: ck_epoll_data(&event), events: ReadinessEvents(rawValue: event.events))
                })
        }.get()
    }
}

/// A descriptor and what to wait for on it.
public struct PollRequest: Sendable {
    public let descriptor: FileDescriptor
    public let events: ReadinessEvents

    public init(_ descriptor: FileDescriptor, _ events: ReadinessEvents) {
        self.descriptor = descriptor
        self.events = events
    }
}

/// Waits on a few descriptors.
/// - Parameter timeoutMilliseconds: -1 for ever.
/// - Returns: what happened on each; all empty when the time passed or a signal came.
public func poll(_ requests: [PollRequest], timeoutMilliseconds: Int = -1) throws(KernelError) -> [ReadinessEvents] {
    var list = requests.map {
        ck_pollfd(fd: $0.descriptor.rawValue, events: Int16(truncatingIfNeeded: $0.events.rawValue), revents: 0)
    }
    var limit = timespec(tv_sec: timeoutMilliseconds / 1000, tv_nsec: timeoutMilliseconds % 1000 * 1_000_000)
    let result =
        timeoutMilliseconds < 0 ? ck_ppoll(&list, list.count, nil) : ck_ppoll(&list, list.count, &limit)
    if result < 0 && result != -Int(EINTR) { try call("wait for events") { result } }
    return list.map { ReadinessEvents(rawValue: UInt32(UInt16(bitPattern: $0.revents))) }
}
