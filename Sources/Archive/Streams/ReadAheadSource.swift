import Glibc

/// Reads another source ahead on a thread of its own, so that decompressing and hashing overlap with what consumes the
/// bytes.
///
/// The chunks of the ring are lent without a copy. When the consumer drops this object early, the thread ends after the
/// read that it is in.
public final class ReadAheadSource: ChunkSource {
    private let ring: ReadAheadRing
    private var holdsSlot = false
    private var rest = UnsafeRawBufferPointer(start: nil, count: 0)

    /// - Parameter observer: sees every byte in order, on the thread, before the consumer gets it. Once this source has
    ///   returned its end, the observer has seen everything and is not called again.
    public init(
        _ source: sending any ByteSource, bufferSize: Int = 512 << 10, bufferCount: Int = 4,
        observer: (@Sendable (UnsafeRawBufferPointer) -> Void)? = nil
    ) throws {
        ring = ReadAheadRing(source, observer, size: bufferSize, count: max(bufferCount, 2))
        try ring.startThread()
    }

    deinit { ring.cancel() }

    public func nextChunk() throws -> UnsafeRawBufferPointer {
        if !rest.isEmpty {
            defer { rest = UnsafeRawBufferPointer(start: nil, count: 0) }
            return rest
        }
        if holdsSlot { ring.giveBack() }
        holdsSlot = false
        let chunk = try ring.take()
        holdsSlot = !chunk.isEmpty
        return chunk
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        if rest.isEmpty { rest = try nextChunk() }
        let count = min(rest.count, buffer.count)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
        rest = rest.advanced(count)
        return count
    }
}

/// What the two threads share.
///
/// `@unchecked Sendable`: the counters, the end and the error are touched only under `mutex`; a slot's memory belongs
/// to the thread while it is not counted in `filled` and to the consumer while it is; `source` and `observer` are used
/// by the thread alone.
private final class ReadAheadRing: @unchecked Sendable {
    private let source: any ByteSource
    private let observer: (@Sendable (UnsafeRawBufferPointer) -> Void)?
    private let slots: [UnsafeMutableRawBufferPointer]
    private var counts: [Int]
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var writing = 0
    private var reading = 0
    private var filled = 0
    private var isFinished = false
    private var isCancelled = false
    private var failure: (any Error)?

    init(
        _ source: sending any ByteSource, _ observer: (@Sendable (UnsafeRawBufferPointer) -> Void)?, size: Int,
        count: Int
    ) {
        self.source = source
        self.observer = observer
        slots = (0..<count).map { _ in .allocate(byteCount: size, alignment: 4096) }
        counts = Array(repeating: 0, count: count)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        for slot in slots { slot.deallocate() }
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    func startThread() throws {
        // Signals belong to the program's own threads.
        var (all, old) = (sigset_t(), sigset_t())
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &old)
        defer { pthread_sigmask(SIG_SETMASK, &old, nil) }
        var thread = pthread_t()
        let me = Unmanaged.passRetained(self)
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<ReadAheadRing>.fromOpaque(argument).takeRetainedValue().fill()
                return nil
            }, me.toOpaque())
        if result != 0 {
            me.release()
            throw ArchiveError(.system(.init(rawValue: result)), "cannot start a thread to read ahead: error \(result)")
        }
        pthread_detach(thread)
    }

    private func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// The thread.
    private func fill() {
        while true {
            let slot: UnsafeMutableRawBufferPointer? = locked {
                while filled == slots.count && !isCancelled { pthread_cond_wait(changed, mutex) }
                return isCancelled ? nil : slots[writing]
            }
            guard let slot else { return }
            var count = 0
            var problem: (any Error)?
            do {
                // Full slots are fewer wake-ups.
                while count < slot.count {
                    let more = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: slot[count...]))
                    if more == 0 { break }
                    count += more
                }
            } catch { problem = error }
            if count > 0 { observer?(UnsafeRawBufferPointer(rebasing: slot[..<count])) }
            locked {
                if count > 0 {
                    counts[writing] = count
                    writing = (writing + 1) % slots.count
                    filled += 1
                }
                failure = problem
                isFinished = problem != nil || count < slot.count
                pthread_cond_signal(changed)
            }
            if problem != nil || count < slot.count { return }
        }
    }

    func take() throws -> UnsafeRawBufferPointer {
        try locked {
            while filled == 0 && !isFinished { pthread_cond_wait(changed, mutex) }
            if filled == 0 {
                if let failure { throw failure }
                return UnsafeRawBufferPointer(start: nil, count: 0)
            }
            return UnsafeRawBufferPointer(rebasing: slots[reading][..<counts[reading]])
        }
    }

    func giveBack() {
        locked {
            reading = (reading + 1) % slots.count
            filled -= 1
            pthread_cond_signal(changed)
        }
    }

    func cancel() {
        locked {
            isCancelled = true
            pthread_cond_signal(changed)
        }
    }
}
