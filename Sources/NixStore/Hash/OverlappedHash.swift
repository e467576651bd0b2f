#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The hash of a long run of bytes that is computed while more of it is being read.
///
/// Short runs are hashed where they are given. From `threshold` on, a thread of its own hashes what has been gathered,
/// so that reading a tree costs no time beside hashing it.
///
/// `end` must be called, whatever happens.
///
/// `@unchecked Sendable`: `filled`, `free` and `isComplete` are touched only under `condition`'s lock; `stream` only by
/// the caller before the thread starts and after it was joined, and by the thread in between; the rest by the caller.
package final class OverlappedHash: @unchecked Sendable {
    /// Two that wait, one that is hashed and one that is filled.
    private static let pieces = 4
    /// Small enough that what was read is still near the processor when it is hashed.
    private static let pieceSize = 1 << 17
    /// Where a thread is worth its start: a few milliseconds of hashing.
    private static let threshold: UInt64 = 4 << 20

    private var stream: HashStream
    private var buffer: Piece
    private var thread: pthread_t?
    /// How many bytes there have been.
    package private(set) var count: UInt64 = 0

    private let condition = Condition()
    private var filled: [Piece] = []
    private var free: [Piece] = []
    private var isComplete = false

    /// Memory with bytes at its front. Whoever holds it is the only one.
    private struct Piece {
        let memory: UnsafeMutableRawBufferPointer
        var count = 0

        init() { memory = .allocate(byteCount: OverlappedHash.pieceSize, alignment: 64) }

        var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }
    }

    package init(_ algorithm: HashAlgorithm) {
        stream = HashStream(algorithm)
        buffer = Piece()
    }

    deinit {
        for piece in [buffer] + filled + free { piece.memory.deallocate() }
    }

    package func update(_ bytes: UnsafeRawBufferPointer) {
        count += UInt64(bytes.count)
        var rest = bytes[...]
        while !rest.isEmpty {
            let taken = rest.prefix(Self.pieceSize - buffer.count)
            UnsafeMutableRawBufferPointer(rebasing: buffer.memory[buffer.count...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: taken))
            buffer.count += taken.count
            rest = rest.dropFirst(taken.count)
            if buffer.count == Self.pieceSize { passOn() }
        }
    }

    /// Hashes what has been gathered, or leaves it to the thread.
    private func passOn() {
        if thread == nil, count >= Self.threshold {
            // Where no thread is to be had, the hash is only later.
            thread = try? Threads.start { [self] in hashPieces() }
        }
        guard thread != nil else {
            stream.update(buffer.bytes)
            buffer.count = 0
            return
        }
        condition.locked {
            filled.append(buffer)
            condition.broadcast()
            while free.isEmpty, filled.count >= Self.pieces - 1 { condition.wait() }
            buffer = free.popLast() ?? Piece()
        }
        buffer.count = 0
    }

    /// What the thread does.
    private func hashPieces() {
        while true {
            let piece = condition.locked { () -> Piece? in
                while filled.isEmpty, !isComplete { condition.wait() }
                return filled.isEmpty ? nil : filled.removeFirst()
            }
            guard let piece else { return }
            stream.update(piece.bytes)
            condition.locked {
                free.append(piece)
                condition.broadcast()
            }
        }
    }

    /// Waits for the thread.
    package func end() {
        guard let thread else { return }
        condition.locked {
            isComplete = true
            condition.broadcast()
        }
        Threads.join(thread)
        self.thread = nil
    }

    /// The hash of everything.
    package func finish() -> Hash {
        end()
        stream.update(buffer.bytes)
        buffer.count = 0
        return stream.finish()
    }
}
