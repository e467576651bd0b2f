import Glibc

/// Bytes on their way from one thread, or one task, to another thread. Whoever writes waits while much is unread.
///
/// `@unchecked Sendable`: everything that changes is touched only under `mutex`.
public final class BytePipe: @unchecked Sendable {
    /// The reader has gone.
    public struct Abandoned: Error {}

    private let capacity: Int
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var pieces: [ArraySlice<UInt8>] = []
    private var next = 0
    private var unread = 0
    private var isFinished = false
    private var failure: (any Error)?
    private var isAbandoned = false
    private var waiting: CheckedContinuation<Void, Never>?

    /// - Parameter capacity: how many bytes may be unread before writers wait.
    public init(capacity: Int = 1 << 20) {
        self.capacity = capacity
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    private func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    private func append(_ bytes: [UInt8]) {
        if bytes.isEmpty { return }
        pieces.append(bytes[...])
        unread += bytes.count
        pthread_cond_broadcast(changed)
    }

    /// Writes from a thread that may wait.
    public func write(_ bytes: [UInt8]) throws {
        try locked {
            while unread >= capacity, !isAbandoned { pthread_cond_wait(changed, mutex) }
            if isAbandoned { throw Abandoned() }
            append(bytes)
        }
    }

    /// Writes from a task, of which there may be one.
    public func send(_ bytes: [UInt8]) async throws {
        await withCheckedContinuation { continuation in
            let waits = locked {
                guard unread >= capacity, !isAbandoned else { return false }
                waiting = continuation
                return true
            }
            if !waits { continuation.resume() }
        }
        try locked {
            if isAbandoned { throw Abandoned() }
            append(bytes)
        }
    }

    /// Nothing more comes; `error` is thrown to the reader when it has read what came before.
    public func finish(throwing error: (any Error)? = nil) {
        locked {
            isFinished = true
            failure = error
            pthread_cond_broadcast(changed)
        }
    }

    /// At least one and at most `limit` bytes; none at the end.
    public func read(_ limit: Int) throws -> [UInt8] {
        let (bytes, writer) = try locked { () throws -> ([UInt8], CheckedContinuation<Void, Never>?) in
            while unread == 0, !isFinished { pthread_cond_wait(changed, mutex) }
            guard unread > 0 else {
                if let failure { throw failure }
                return ([], nil)
            }
            let piece = pieces[next].prefix(limit)
            pieces[next] = pieces[next].dropFirst(piece.count)
            if pieces[next].isEmpty {
                next += 1
                if next == pieces.count || next >= 64 {
                    pieces.removeFirst(next)
                    next = 0
                }
            }
            unread -= piece.count
            guard unread < capacity else { return (Array(piece), nil) }
            pthread_cond_broadcast(changed)
            defer { waiting = nil }
            return (Array(piece), waiting)
        }
        writer?.resume()
        return bytes
    }

    /// The reader goes: writers are told.
    public func abandon() {
        let writer = locked {
            isAbandoned = true
            pthread_cond_broadcast(changed)
            defer { waiting = nil }
            return waiting
        }
        writer?.resume()
    }
}

extension Store {
    /// The archive of an object as something to read from: it is made on a thread of its own meanwhile.
    public func withArchive<Result>(
        of path: StorePath, _ body: ((Int) throws -> [UInt8]) throws -> Result
    ) throws -> Result {
        let pipe = BytePipe()
        let thread = try Threads.start { [self] in
            do {
                try archive(of: path) { try pipe.write(Array($0)) }
                pipe.finish()
            } catch { pipe.finish(throwing: error) }
        }
        defer {
            pipe.abandon()
            Threads.join(thread)
        }
        return try body(pipe.read)
    }
}
