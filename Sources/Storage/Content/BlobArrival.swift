import Archive
import Kernel
import OCI
import Synchronization

/// A blob on its way in: one thread writes it, and another may read it while it is still coming.
///
/// What is written lies under `content/partial` by its digest, so that an attempt that was cut short, even by a crash, is
/// taken up by the next. Whoever writes it verifies the digest; it gets its name in the store with `commit` alone.
public final class BlobArrival: Sendable {
    public let digest: Digest
    /// In bytes, as promised.
    public let size: Int64

    private enum Phase {
        /// Nobody writes yet.
        case announced
        case writing(FileDescriptor)
        case whole
        case failed(StorageError)
    }

    private struct State {
        var phase = Phase.announced
        /// How many bytes are there.
        var count: Int64 = 0
        /// Goes up when what was written is thrown away.
        var generation = 0
        /// The generation that readers have begun with, or begun anew.
        var readGeneration = 0
        /// Whether an earlier attempt wrote the beginning.
        var isPatched = false

        var isWriting: Bool { if case .writing = phase { true } else { false } }
    }

    private let content: ContentStore
    private let condition = Condition()
    private let state = Mutex(State())

    init(_ digest: Digest, size: Int64, in content: ContentStore) {
        self.digest = digest
        self.size = size
        self.content = content
    }

    private var partialPath: String { content.partialPath(of: digest) }

    private func change<Result>(_ body: (inout sending State) throws -> sending Result) rethrows -> Result {
        try condition.withLock {
            defer { condition.wakeAll() }
            return try state.withLock(body)
        }
    }

    // MARK: Writing

    /// Begins, or takes up what an earlier attempt left.
    /// - Returns: whether there is anything to write: `false` when the blob is in the store.
    public func begin() throws(StorageError) -> Bool {
        if try content.size(of: digest) == size {
            change { $0.phase = .whole }
            return false
        }
        do throws(KernelError) {
            let file = try FileDescriptor.open(partialPath, [.readWrite, .create, .noFollow], mode: 0o600)
            let count = try file.status().size
            change { state in
                state.phase = .writing(file)
                state.count = count
                state.isPatched = count > 0
            }
            return true
        } catch { throw StorageError(error, while: "begin the blob \(digest)") }
    }

    /// Shows `body` what an earlier attempt left, in order; returns how many bytes that is.
    public func replay(_ body: @escaping (UnsafeRawBufferPointer) -> Void) throws(StorageError) -> Int64 {
        try storage("read what there is of the blob \(digest)") {
            let (file, count) = try open()
            guard count > 0 else { return 0 }
            try FileRangeSource(file, offset: 0, count: count).copy(to: ClosureSink { body($0) })
            return count
        }
    }

    /// Takes the next bytes.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
        try storage("write the blob \(digest)") {
            let (file, count) = try open()
            try file.pwriteAll(bytes, at: count)
            change { $0.count = count + Int64(bytes.count) }
        }
    }

    /// Throws away what was written; readers begin again.
    public func restart() throws(StorageError) {
        try storage("begin the blob \(digest) again") {
            let (file, _) = try open()
            try file.truncate(to: 0)
            change { state in
                state.count = 0
                state.generation += 1
            }
        }
    }

    /// Gives the blob its name, and lets readers have the end.
    public func commit() throws(StorageError) {
        try storage("finish the blob \(digest)") {
            let (_, count) = try open()
            guard count == size else {
                throw StorageError(
                    .digestMismatch, "the blob \(digest) has \(count) bytes where \(size) were promised")
            }
            try FileDescriptor.currentDirectory.rename(partialPath, to: content.path(of: digest))
            change { $0.phase = .whole }
        }
    }

    /// Ends the waiting of readers: nothing more will come. What there is stays for the next attempt.
    public func fail(_ error: StorageError) {
        change { state in
            if case .whole = state.phase { return }
            state.phase = .failed(error)
        }
    }

    /// Gives up what was written, after a failure: the next attempt begins anew.
    public func discard() {
        guard !state.withLock({ if case .whole = $0.phase { true } else { false } }) else { return }
        // Nothing can be done about an error here; it goes with the next prune.
        try? FileDescriptor.currentDirectory.unlinkIfPresent(partialPath)
    }

    private func open() throws(StorageError) -> (FileDescriptor, Int64) {
        let (phase, count) = state.withLock { ($0.phase, $0.count) }
        switch phase {
        case .writing(let file): return (file, count)
        case .failed(let error): throw error
        case .announced, .whole: throw StorageError(.system, "the blob \(digest) is not being written")
        }
    }

    // MARK: Reading

    /// The blob from its beginning, as it comes; the end is the end of a verified blob.
    ///
    /// Reading blocks until there is something to read. It fails with `Restarted` when what was read is not valid any
    /// more.
    func source() -> sending any ByteSource { ArrivalSource(self) }

    struct Restarted: Error {}

    /// Waits for the end.
    func waitUntilWhole() throws {
        try condition.withLock {
            while true {
                switch state.withLock({ $0.phase }) {
                case .failed(let error): throw error
                case .whole: return
                case .announced, .writing: condition.wait()
                }
            }
        }
    }

    /// Whether what was read until now has become invalid; a reader that asks begins again.
    ///
    /// What an earlier attempt left may be wrong, which shows only at the end: then this waits for it.
    func takeRestart() -> Bool {
        if state.withLock({ $0.isPatched && $0.readGeneration == $0.generation }) {
            condition.withLock {
                while state.withLock({ $0.isWriting && $0.readGeneration == $0.generation }) { condition.wait() }
            }
        }
        return forgetRestart()
    }

    private func forgetRestart() -> Bool {
        state.withLock { state in
            defer { state.readGeneration = state.generation }
            return state.readGeneration != state.generation
        }
    }

    private enum Step {
        case bytes(FileDescriptor, Int64)
        case file
        case end
    }

    private final class ArrivalSource: ByteSource {
        private let arrival: BlobArrival
        private var generation: Int?
        private var offset: Int64 = 0
        private var file: FileDescriptor?

        init(_ arrival: BlobArrival) { self.arrival = arrival }

        func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            switch try arrival.wait(at: offset, &generation) {
            case .end: return 0
            case .file:
                let file = try self.file ?? arrival.content.open(arrival.digest)
                self.file = file
                return try read(file, arrival.size - offset, into: buffer)
            case .bytes(let file, let count): return try read(file, count, into: buffer)
            }
        }

        private func read(
            _ file: FileDescriptor, _ count: Int64, into buffer: UnsafeMutableRawBufferPointer
        ) throws -> Int {
            let wanted = Int(min(Int64(buffer.count), count))
            let read = try file.pread(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: offset)
            guard read > 0 else { throw Restarted() }
            offset += Int64(read)
            return read
        }
    }

    private func wait(at offset: Int64, _ generation: inout Int?) throws -> Step {
        try condition.withLock {
            while true {
                let (phase, count, current) = state.withLock { ($0.phase, $0.count, $0.generation) }
                if let generation, generation != current { throw Restarted() }
                generation = current
                switch phase {
                case .failed(let error): throw error
                case .whole: return offset >= size ? .end : .file
                case .writing(let file) where count > offset: return .bytes(file, count - offset)
                case .announced, .writing: condition.wait()
                }
            }
        }
    }
}
