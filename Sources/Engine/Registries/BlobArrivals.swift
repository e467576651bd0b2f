import NIOCore
import OCI
import Registry
import Storage
import Synchronization

/// A pull's blobs on their way from a registry into the store.
///
/// A blob that several pulls want is fetched by one of them; the others wait, and find it there. If that one gives up,
/// the next takes over where it stopped.
final class BlobArrivals: BlobDestination {
    private let pull: ImagePull
    private let work: BlockingWork
    private let locks: AsyncKeyedLock
    private let held = Mutex<Set<String>>([])

    init(_ pull: ImagePull, work: BlockingWork, locks: AsyncKeyedLock) {
        self.pull = pull
        self.work = work
        self.locks = locks
    }

    /// Removes what came of blobs that did not become whole.
    func discard() {
        for key in held.withLock({ $0 }) {
            guard let digest = try? Digest(key) else { continue }
            pull.arrival(of: digest)?.discard()
        }
    }

    /// Lets other pulls have what was not finished.
    func close() {
        let left = held.withLock { held in
            defer { held = [] }
            return held
        }
        for key in left { locks.release(key) }
    }

    private func release(_ digest: Digest) {
        let key = digest.description
        if held.withLock({ $0.remove(key) }) != nil { locks.release(key) }
    }

    func begin(_ blob: Descriptor) async throws -> (any BlobWriter)? {
        guard let arrival = pull.arrival(of: blob.digest) else { return nil }
        let key = blob.digest.description
        try await locks.acquire(key)
        held.withLock { _ = $0.insert(key) }
        guard try await work.run({ try arrival.begin() }) else {
            release(blob.digest)
            return nil
        }
        return Writer(arrivals: self, arrival: arrival)
    }

    private struct Writer: BlobWriter {
        let arrivals: BlobArrivals
        let arrival: BlobArrival

        func replay(_ body: @escaping @Sendable (UnsafeRawBufferPointer) -> Void) async throws -> Int64 {
            try await arrivals.work.runLong { try arrival.replay(body) }
        }

        func write(_ bytes: ByteBuffer) async throws {
            try await arrivals.work.run { try bytes.withUnsafeReadableBytes { try arrival.write($0) } }
        }

        func restart() async throws { try await arrivals.work.run { try arrival.restart() } }

        func commit() async throws {
            try await arrivals.work.run {
                try arrival.commit()
                try arrivals.pull.keep(arrival.digest)
            }
            arrivals.release(arrival.digest)
        }
    }
}
