import CKernel
import Glibc
import Synchronization

/// An event loop that belongs to one thread (`EventThread`): everything it calls runs there, one after another.
public final class EventLoop {
    public typealias Reaction = (ReadinessEvents) -> Void

    /// Names a watched descriptor; stale ones are harmless.
    public struct Watch: Hashable, Sendable {
        fileprivate let slot: UInt32
        fileprivate let generation: UInt32
        fileprivate var token: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
    }

    public struct Timer: Hashable, Sendable {
        fileprivate let deadline: UInt64
        fileprivate let serial: UInt64
    }

    private struct Slot {
        var generation: UInt32 = 0
        var file: FileDescriptor?
        var events: ReadinessEvents = []
        var reaction: Reaction?
    }

    private let poll: EventPoll
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    /// Sorted by deadline, the last first.
    private var timers: [(timer: Timer, work: () -> Void)] = []
    private var timerSerial: UInt64 = 0
    private var soon: [() -> Void] = []
    private var patience = WakefulWait()
    fileprivate var isStopped = false

    fileprivate init() throws(KernelError) { poll = try EventPoll() }

    /// Monotonic time in nanoseconds.
    public static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Calls `reaction` whenever something of `events` can be done with `file`, until `forget`. The loop keeps the
    /// descriptor open as long.
    public func watch(_ file: FileDescriptor, _ events: ReadinessEvents, _ reaction: @escaping Reaction)
        throws(KernelError) -> Watch
    {
        let index: UInt32
        if let free = freeSlots.popLast() {
            index = free
        } else {
            index = UInt32(slots.count)
            slots.append(Slot())
        }
        let watch = Watch(slot: index, generation: slots[Int(index)].generation)
        do throws(KernelError) {
            if !events.isEmpty { try poll.add(file, events, token: watch.token) }
        } catch {
            freeSlots.append(index)
            throw error
        }
        slots[Int(index)].file = file
        slots[Int(index)].events = events
        slots[Int(index)].reaction = reaction
        return watch
    }

    /// Changes what is waited for. Waiting for nothing keeps errors and hang-ups quiet, too.
    public func wait(_ watch: Watch, for events: ReadinessEvents) {
        let index = Int(watch.slot)
        guard slots[index].generation == watch.generation, let file = slots[index].file else { return }
        let old = slots[index].events
        guard old != events else { return }
        slots[index].events = events
        do {
            if events.isEmpty {
                try poll.remove(file)
            } else if old.isEmpty {
                try poll.add(file, events, token: watch.token)
            } else {
                try poll.modify(file, events, token: watch.token)
            }
        } catch {
            // Adding fails only for want of memory; the descriptor counts as broken.
            let reaction = slots[index].reaction
            later { reaction?([.error]) }
        }
    }

    /// Ends a watch and lets go of its descriptor.
    public func forget(_ watch: Watch) {
        let index = Int(watch.slot)
        guard index < slots.count, slots[index].generation == watch.generation, let file = slots[index].file else {
            return
        }
        if !slots[index].events.isEmpty { try? poll.remove(file) }
        slots[index].generation &+= 1
        slots[index].file = nil
        slots[index].reaction = nil
        slots[index].events = []
        freeSlots.append(watch.slot)
    }

    /// Calls `work` once, when the time has come.
    @discardableResult
    public func after(milliseconds: UInt64, _ work: @escaping () -> Void) -> Timer {
        timerSerial += 1
        let timer = Timer(deadline: Self.now() + milliseconds * 1_000_000, serial: timerSerial)
        var low = 0
        var high = timers.count
        while low < high {
            let middle = (low + high) / 2
            if timers[middle].timer.deadline > timer.deadline { low = middle + 1 } else { high = middle }
        }
        timers.insert((timer, work), at: low)
        return timer
    }

    public func cancel(_ timer: Timer) { timers.removeAll { $0.timer == timer } }

    /// Calls `work` in the next turn of the loop.
    public func later(_ work: @escaping () -> Void) { soon.append(work) }

    fileprivate func run() {
        let capacity = 256
        let buffer = UnsafeMutablePointer<epoll_event>.allocate(capacity: capacity)
        defer { buffer.deallocate() }
        let descriptor = poll.descriptor.rawValue
        while !isStopped {
            var timeout: Int32 = -1
            if !soon.isEmpty {
                timeout = 0
            } else if let next = timers.last {
                let now = Self.now()
                timeout =
                    next.timer.deadline <= now
                    ? 0 : Int32(min((next.timer.deadline - now) / 1_000_000 + 1, 60_000))
            }
            let count = patience.wait(timeout) { ck_epoll_wait(descriptor, buffer, Int32(capacity), $0) }
            for index in 0..<max(count, 0) {
                let token = ck_epoll_data(buffer + index)
                let slot = Int(UInt32(truncatingIfNeeded: token))
                // An event of a watch that an earlier one of this turn has ended is stale.
                guard slot < slots.count, slots[slot].generation == UInt32(token >> 32),
                    let reaction = slots[slot].reaction
                else { continue }
                reaction(ReadinessEvents(rawValue: buffer[index].events))
            }
            if !soon.isEmpty {
                let work = soon
                soon = []
                for piece in work { piece() }
            }
            if !timers.isEmpty {
                let now = Self.now()
                while let next = timers.last, next.timer.deadline <= now {
                    timers.removeLast()
                    next.work()
                }
            }
        }
        slots = []
        timers = []
        soon = []
    }
}

/// A thread with an event loop; work is posted to it from anywhere and never blocks the caller.
public final class EventThread: Sendable {
    private struct Queue {
        var work: [@Sendable (EventLoop) -> Void] = []
        var isClosed = false
    }

    private let queue = Mutex(Queue())
    private let bell: EventDescriptor

    /// Starts the thread, which ends with `shutDown()`.
    public init() throws(KernelError) {
        bell = try EventDescriptor()
        let loop = LoopBox(try EventLoop())
        let start = Unmanaged.passRetained(Start(thread: self, loop: loop))
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
                start.thread.serve(start.loop.loop)
                return nil
            }, start.toOpaque())
        guard failure == 0 else {
            start.release()
            throw KernelError(ErrorNumber(rawValue: failure), "start a thread")
        }
        pthread_detach(thread)
    }

    /// Ends the loop: what was posted before still runs; everything that is watched is closed.
    public func shutDown() {
        post { $0.isStopped = true }
        queue.withLock { $0.isClosed = true }
    }

    /// Runs `work` on the thread, soon; never once the thread is shut down.
    /// - Returns: whether it will run.
    @discardableResult
    public func post(_ work: @escaping @Sendable (EventLoop) -> Void) -> Bool {
        let wasEmpty: Bool? = queue.withLock { queue in
            if queue.isClosed { return nil }
            queue.work.append(work)
            return queue.work.count == 1
        }
        guard let wasEmpty else { return false }
        if wasEmpty { try? bell.signal() }
        return true
    }

    /// Runs `work` on the thread and waits for what it returns without blocking any thread.
    /// - Throws: what `work` throws; `ECANCELED` once the thread is shut down.
    public func run<Result: Sendable>(_ work: @escaping @Sendable (EventLoop) throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let isPosted = post { loop in continuation.resume(with: Swift.Result { try work(loop) }) }
            if !isPosted {
                continuation.resume(
                    throwing: KernelError(ErrorNumber(rawValue: ECANCELED), "use an event thread that has ended"))
            }
        }
    }

    private func serve(_ loop: EventLoop) {
        let bell = bell
        let watch = try? loop.watch(bell.descriptor, .readable) { [weak self] _ in
            _ = try? bell.take()
            self?.runPosted(loop)
        }
        // What was posted before the bell was watched has rung it: nothing is lost.
        if watch != nil { loop.run() }
        runPosted(loop)
    }

    private func runPosted(_ loop: EventLoop) {
        let work = queue.withLock { queue in
            let work = queue.work
            queue.work = []
            return work
        }
        for piece in work { piece(loop) }
    }
}

private final class Start: Sendable {
    let thread: EventThread
    let loop: LoopBox
    init(thread: EventThread, loop: LoopBox) {
        self.thread = thread
        self.loop = loop
    }
}

/// Carries a loop into its thread.
///
/// Unchecked: the loop is made by the starter, which never touches it again, and used by the one thread that
/// `pthread_create` starts, which orders the two.
private final class LoopBox: @unchecked Sendable {
    let loop: EventLoop
    init(_ loop: EventLoop) { self.loop = loop }
}

/// State that lives on an event thread, held by those who post work there.
///
/// Unchecked: the value is only reached through `value(on:)`, which takes the loop, and the loop exists on its own
/// thread only: it is not `Sendable` and is handed to nothing but the work that runs there.
public final class LoopBound<Value>: @unchecked Sendable {
    private var stored: Value?

    public init() {}

    /// The value; made by `make` the first time.
    public func value(on loop: EventLoop, _ make: () throws -> Value) rethrows -> Value {
        if let stored { return stored }
        let made = try make()
        stored = made
        return made
    }
}
