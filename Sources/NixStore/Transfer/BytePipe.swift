/// Bytes on their way from one thread, or one task, to another thread. Whoever writes waits while much is unread.
///
/// `@unchecked Sendable`: everything that changes is touched only under `condition`'s lock.
public final class BytePipe: @unchecked Sendable {
    /// The reader has gone.
    public struct Abandoned: Error {}

    private let capacity: Int
    private let condition = Condition()
    private var pieces: [ArraySlice<UInt8>] = []
    private var next = 0
    private var unread = 0
    private var isFinished = false
    private var failure: (any Error)?
    private var isAbandoned = false
    private var waiting: CheckedContinuation<Void, Never>?

    /// - Parameter capacity: how many bytes may be unread before writers wait.
    public init(capacity: Int = 1 << 20) { self.capacity = capacity }

    private func append(_ bytes: [UInt8]) {
        if bytes.isEmpty { return }
        pieces.append(bytes[...])
        unread += bytes.count
        condition.broadcast()
    }

    /// Writes from a thread that may wait.
    public func write(_ bytes: [UInt8]) throws {
        try condition.locked {
            while unread >= capacity, !isAbandoned { condition.wait() }
            if isAbandoned { throw Abandoned() }
            append(bytes)
        }
    }

    /// Writes from a task, of which there may be one.
    public func send(_ bytes: [UInt8]) async throws {
        await withCheckedContinuation { continuation in
            let waits = condition.locked {
                guard unread >= capacity, !isAbandoned else { return false }
                waiting = continuation
                return true
            }
            if !waits { continuation.resume() }
        }
        try condition.locked {
            if isAbandoned { throw Abandoned() }
            append(bytes)
        }
    }

    /// Nothing more comes; `error` is thrown to the reader when it has read what came before.
    public func finish(throwing error: (any Error)? = nil) {
        condition.locked {
            isFinished = true
            failure = error
            condition.broadcast()
        }
    }

    /// At least one and at most `limit` bytes; none at the end.
    public func read(_ limit: Int) throws -> [UInt8] {
        let (bytes, writer) = try condition.locked { () throws -> ([UInt8], CheckedContinuation<Void, Never>?) in
            while unread == 0, !isFinished { condition.wait() }
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
            condition.broadcast()
            defer { waiting = nil }
            return (Array(piece), waiting)
        }
        writer?.resume()
        return bytes
    }

    /// The reader goes: writers are told.
    public func abandon() {
        let writer = condition.locked {
            isAbandoned = true
            condition.broadcast()
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
