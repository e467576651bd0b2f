import CKernel
import Glibc
import Kernel
import Monitor

/// The monitor's one thread: an epoll and a few timers.
package final class EventLoop {
    package typealias Handler = (_ events: UInt32) -> Void

    static let readable = EPOLLIN.rawValue
    static let writable = EPOLLOUT.rawValue
    static let hungUp = EPOLLHUP.rawValue | EPOLLERR.rawValue
    static let urgent = EPOLLPRI.rawValue

    private struct Watch {
        var generation: UInt32
        var events: UInt32
        var handler: Handler
    }

    private struct Timer {
        var id: Int
        var deadline: Int64
        var handler: () -> Void
    }

    private let epoll: Int32
    private var watches: [Int32: Watch] = [:]
    private var timers: [Timer] = []
    private var generation: UInt32 = 0
    private var nextTimer = 1
    private var isRunning = true
    private var readBuffer: UnsafeMutableRawBufferPointer?
    private var isTidy = true
    /// Called when nothing has happened for a moment: memory that only speeds up a busy monitor goes.
    var idle: () -> Void = {}

    package init() throws(MonitorError) {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw .system("cannot make an epoll") }
    }

    /// Calls `handler` whenever `descriptor` is ready for one of `events`, or hung up. Replaces an earlier watch.
    func watch(_ descriptor: Int32, _ events: UInt32, _ handler: @escaping Handler) throws(MonitorError) {
        generation &+= 1
        let isNew = watches[descriptor] == nil
        watches[descriptor] = Watch(generation: generation, events: events, handler: handler)
        // The generation tells an event for a closed descriptor from one for its successor of the same number.
        var event = epoll_event(
            events: events, data: epoll_data_t(u64: UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor))))
        if epoll_ctl(epoll, isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event) != 0 {
            let failure = errno
            watches[descriptor] = nil
            throw .system("cannot watch descriptor \(descriptor)", failure)
        }
    }

    /// Changes what is waited for, if the descriptor is watched.
    func setEvents(_ descriptor: Int32, _ events: UInt32) {
        guard let watch = watches[descriptor], watch.events != events else { return }
        watches[descriptor]?.events = events
        var event = epoll_event(
            events: events,
            data: epoll_data_t(u64: UInt64(watch.generation) << 32 | UInt64(UInt32(bitPattern: descriptor))))
        epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event)
    }

    func isWatched(_ descriptor: Int32) -> Bool { watches[descriptor] != nil }

    /// To be called before a watched descriptor is closed.
    func forget(_ descriptor: Int32) {
        guard watches.removeValue(forKey: descriptor) != nil else { return }
        epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil)
    }

    @discardableResult
    package func after(milliseconds: Int, _ handler: @escaping () -> Void) -> Int {
        let timer = Timer(
            id: nextTimer, deadline: Clock.monotonic() + Int64(milliseconds) * 1_000_000, handler: handler)
        nextTimer += 1
        timers.append(timer)
        return timer.id
    }

    func cancel(_ timer: Int) { timers.removeAll { $0.id == timer } }

    /// A buffer for reading into, valid until the next call of anything here; given back when the loop is idle.
    func scratch() -> UnsafeMutableRawBufferPointer {
        isTidy = false
        if let readBuffer { return readBuffer }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 4096)
        readBuffer = buffer
        return buffer
    }

    /// Marks that something was used which `idle` would give back.
    func touch() { isTidy = false }

    package func stop() { isRunning = false }

    package func run() {
        while isRunning {
            withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: 32) { events in
                let count = epoll_wait(epoll, events.baseAddress, 32, timeout())
                if count == 0 { tidyUp() }
                for position in 0..<max(0, Int(count)) where isRunning { serve(events[position]) }
            }
            if isRunning { fireTimers() }
        }
    }

    private func serve(_ event: epoll_event) {
        let descriptor = Int32(bitPattern: UInt32(truncatingIfNeeded: event.data.u64))
        guard let watch = watches[descriptor], UInt64(watch.generation) == event.data.u64 >> 32 else { return }
        watch.handler(event.events)
    }

    private func tidyUp() {
        guard !isTidy, timers.allSatisfy({ $0.deadline > Clock.monotonic() }) else { return }
        isTidy = true
        readBuffer?.deallocate()
        readBuffer = nil
        idle()
        ProcessMemory.releaseIdle()
        ProcessMemory.releaseMainStack()
    }

    private func timeout() -> Int32 {
        let now = Clock.monotonic()
        var wait: Int64 = isTidy ? .max : 300_000_000
        for timer in timers { wait = min(wait, max(0, timer.deadline - now)) }
        return wait == .max ? -1 : Int32(clamping: (wait + 999_999) / 1_000_000)
    }

    private func fireTimers() {
        guard !timers.isEmpty else { return }
        let now = Clock.monotonic()
        let due = timers.filter { $0.deadline <= now }
        guard !due.isEmpty else { return }
        timers.removeAll { $0.deadline <= now }
        for timer in due where isRunning { timer.handler() }
    }
}

/// Nanoseconds, from the kernel.
enum Clock {
    static func monotonic() -> Int64 { read(CLOCK_MONOTONIC) }

    /// Since 1970 in UTC.
    static func now() -> Int64 { read(CLOCK_REALTIME) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
