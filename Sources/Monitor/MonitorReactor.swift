import CKernel
import Glibc
import Synchronization

/// One thread with an epoll that serves every connection to a monitor in this process, however many there are.
public final class MonitorReactor: Sendable {
    private struct State {
        var channels: [UInt64: Channel] = [:]
        /// Monitors that were started here and whose connection has ended, by pidfd: to be reaped.
        var zombies: [UInt64: (pid: pid_t, descriptor: Int32)] = [:]
        var nextToken: UInt64 = 1
        /// When the thread wakes by itself; `nil`: only for an event.
        var alarm: ContinuousClock.Instant?
        var isShutDown = false
    }

    private let epoll: Int32
    private let wakeUp: Int32
    private let state = Mutex(State())

    public init() throws(MonitorError) {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw .system("cannot make an epoll") }
        wakeUp = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        guard wakeUp >= 0 else {
            let failure = errno
            close(epoll)
            throw .system("cannot make an eventfd", failure)
        }
        try watch(wakeUp, token: 0, EPOLLIN.rawValue)
        // The thread holds the reactor until `shutDown()`: the descriptors outlive every use of them.
        let context = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<MonitorReactor>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard failure == 0 else {
            context.release()
            close(wakeUp)
            close(epoll)
            throw .system("cannot start the reactor's thread", failure)
        }
        pthread_detach(thread)
    }

    /// Ends the thread and closes every connection, whose events are over; the monitors run on.
    public func shutDown() {
        state.withLock { $0.isShutDown = true }
        nudge()
    }

    private func nudge() {
        var one: UInt64 = 1
        _ = write(wakeUp, &one, 8)
    }

    private func watch(_ descriptor: Int32, token: UInt64, _ events: UInt32) throws(MonitorError) {
        var event = epoll_event(events: events, data: epoll_data_t(u64: token))
        if epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0 { throw .system("cannot watch a descriptor") }
    }

    // MARK: For channels

    func add(_ channel: Channel, descriptor: Int32) throws(MonitorError) -> UInt64 {
        let token = try state.withLock { state throws(MonitorError) -> UInt64 in
            guard !state.isShutDown else { throw MonitorError(.lost, "the reactor was shut down") }
            let token = state.nextToken
            state.nextToken += 1
            state.channels[token] = channel
            return token
        }
        do throws(MonitorError) {
            try watch(descriptor, token: token, EPOLLIN.rawValue)
        } catch {
            _ = state.withLock { $0.channels.removeValue(forKey: token) }
            throw error
        }
        return token
    }

    func setWantsWrite(_ wants: Bool, descriptor: Int32, token: UInt64) {
        var event = epoll_event(
            events: EPOLLIN.rawValue | (wants ? EPOLLOUT.rawValue : 0), data: epoll_data_t(u64: token))
        epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event)
    }

    func remove(token: UInt64, descriptor: Int32) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil)
        _ = state.withLock { $0.channels.removeValue(forKey: token) }
    }

    /// Wakes the thread no later than `deadline`.
    func setAlarm(_ deadline: ContinuousClock.Instant) {
        let isEarlier = state.withLock { state -> Bool in
            if let alarm = state.alarm, alarm <= deadline { return false }
            state.alarm = deadline
            return true
        }
        if isEarlier { nudge() }
    }

    /// Waits for the end of a process that this one started, so that it leaves no zombie.
    func reap(_ pid: pid_t) {
        let descriptor = ckernel_pidfd_open(pid, 0)
        guard descriptor >= 0 else { return }
        let token = state.withLock { state -> UInt64 in
            let token = state.nextToken
            state.nextToken += 1
            state.zombies[token] = (pid, descriptor)
            return token
        }
        do throws(MonitorError) {
            try watch(descriptor, token: token, EPOLLIN.rawValue)
        } catch {
            _ = state.withLock { $0.zombies.removeValue(forKey: token) }
            close(descriptor)
        }
    }

    // MARK: The thread

    private func run() {
        let capacity = 64
        let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: capacity)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer {
            events.deallocate()
            buffer.deallocate()
        }
        while true {
            let count = epoll_wait(epoll, events, Int32(capacity), millisecondsToAlarm())
            for position in 0..<max(0, Int(count)) { serve(events[position], buffer) }
            if state.withLock({ $0.isShutDown }) { break }
            expireRequests()
        }
        let left = state.withLock { state -> [Channel] in
            defer { state.channels = [:] }
            return Array(state.channels.values)
        }
        for channel in left { channel.close() }
        for zombie in state.withLock({ $0.zombies.values }) { close(zombie.descriptor) }
        close(wakeUp)
        close(epoll)
    }

    private func serve(_ event: epoll_event, _ buffer: UnsafeMutableRawBufferPointer) {
        let token = event.data.u64
        guard token != 0 else {
            var count: UInt64 = 0
            _ = read(wakeUp, &count, 8)
            return
        }
        let (channel, zombie) = state.withLock { ($0.channels[token], $0.zombies.removeValue(forKey: token)) }
        if let zombie {
            waitpid(zombie.pid, nil, WNOHANG)
            close(zombie.descriptor)
        }
        channel?.serve(events: event.events, buffer)
    }

    private func millisecondsToAlarm() -> Int32 {
        guard let alarm = state.withLock({ $0.alarm }) else { return -1 }
        let left = ContinuousClock.now.duration(to: alarm)
        if left <= .zero { return 0 }
        let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1
        return Int32(clamping: milliseconds)
    }

    private func expireRequests() {
        let now = ContinuousClock.now
        let due = state.withLock { state -> [Channel] in
            guard let alarm = state.alarm, alarm <= now else { return [] }
            state.alarm = nil
            return Array(state.channels.values)
        }
        let next = due.compactMap { $0.expire(now: now) }.min()
        if let next { setAlarm(next) }
    }
}
