import Hashing
import Kernel
import OCI

/// Blobs by digest, under `content/blobs/sha256`, kept byte for byte as they came.
public final class ContentStore: Sendable {
    public struct Blob: Sendable, Equatable {
        public var digest: Digest
        /// In bytes.
        public var size: Int64

        public init(digest: Digest, size: Int64) {
            self.digest = digest
            self.size = size
        }
    }

    private let directory: String
    private var temporary: String { "\(directory)/temp" }

    /// Makes the directories and removes what an interrupted ingest left.
    init(_ directory: String) throws {
        self.directory = directory
        let here = FileDescriptor.currentDirectory
        for algorithm in Digest.Algorithm.allCases {
            try here.makeDirectories("\(directory)/blobs/\(algorithm.rawValue)", mode: 0o700)
        }
        try here.makeDirectories(temporary, mode: 0o700)
        try here.makeDirectories("\(directory)/partial", mode: 0o700)
        try FileDescriptor.open(temporary, [.readOnly, .directory]).removeContents()
        try removePartial(olderThan: 7 * 86_400)
    }

    /// Where a blob lies until it is whole.
    func partialPath(of digest: Digest) -> String { "\(directory)/partial/\(digest.algorithm.rawValue)-\(digest.hex)" }

    /// Removes what was begun to be fetched and not touched for so many seconds.
    func removePartial(olderThan seconds: Int64) throws {
        let folder = try FileDescriptor.open("\(directory)/partial", [.readOnly, .directory])
        let limit = DateTime.now.seconds - seconds
        for entry in try folder.entries() {
            guard let status = try folder.statusIfPresent(of: entry.bytes), status.modified.seconds <= limit else {
                continue
            }
            try folder.unlinkIfPresent(entry.bytes)
        }
    }

    func path(of digest: Digest) -> String { "\(directory)/\(ImageLayout.blobPath(digest))" }

    /// Opens a blob for reading.
    /// - Throws: `StorageError.notFound`.
    public func open(_ digest: Digest) throws(StorageError) -> FileDescriptor {
        do throws(KernelError) {
            return try FileDescriptor.open(path(of: digest))
        } catch {
            if error.code == .notFound {
                throw StorageError(.notFound, "the blob \(digest) is not in the content store")
            }
            throw StorageError(error)
        }
    }

    /// The size of a blob in bytes, or `nil` when it is not here.
    public func size(of digest: Digest) throws(StorageError) -> Int64? {
        do throws(KernelError) {
            return try FileDescriptor.currentDirectory.statusIfPresent(of: path(of: digest))?.size
        } catch { throw StorageError(error) }
    }

    public func list() throws(StorageError) -> [Blob] {
        try storage("list the blobs") {
            var blobs: [Blob] = []
            for algorithm in Digest.Algorithm.allCases {
                let folder = try FileDescriptor.open(
                    "\(directory)/blobs/\(algorithm.rawValue)", [.readOnly, .directory])
                for entry in try folder.entries() {
                    guard let digest = try? Digest("\(algorithm.rawValue):\(entry.name)"),
                        let status = try folder.statusIfPresent(of: entry.bytes)
                    else { continue }
                    blobs.append(Blob(digest: digest, size: status.size))
                }
            }
            return blobs.sorted { $0.digest < $1.digest }
        }
    }

    /// Removes a blob; one that is not here counts as removed.
    public func delete(_ digest: Digest) throws(StorageError) {
        do throws(KernelError) {
            try FileDescriptor.currentDirectory.unlinkIfPresent(path(of: digest))
        } catch { throw StorageError(error) }
    }

    /// Begins to write a blob. Nothing of it can be seen before `Ingest.commit`.
    public func ingest(_ algorithm: Digest.Algorithm = .sha256) throws(StorageError) -> Ingest {
        do throws(KernelError) {
            let name = "\(temporary)/\(randomHexadecimal(bytes: 16))"
            let file = try FileDescriptor.open(name, [.readWrite, .create, .exclusive], mode: 0o600)
            return Ingest(self, name: name, file: file, algorithm: algorithm)
        } catch { throw StorageError(error, while: "begin a blob") }
    }

    /// A blob that is being written; hashed on the way. When it is dropped without `commit`, its bytes go.
    public final class Ingest {
        /// How many bytes were written.
        public private(set) var size: Int64 = 0
        private let store: ContentStore
        private let name: String
        private let file: FileDescriptor
        private let hash: ContentHash
        private var isCommitted = false

        init(_ store: ContentStore, name: String, file: FileDescriptor, algorithm: Digest.Algorithm) {
            self.store = store
            self.name = name
            self.file = file
            hash = ContentHash(algorithm)
        }

        deinit {
            // Nothing can be done about an error here; the next start sweeps.
            if !isCommitted { try? FileDescriptor.currentDirectory.unlinkIfPresent(name) }
        }

        public func write(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
            do throws(KernelError) { try file.writeAll(bytes) } catch {
                throw StorageError(error, while: "write a blob")
            }
            hash.update(bytes)
            size += Int64(bytes.count)
        }

        /// Gives the blob its name.
        /// - Parameters:
        ///   - expected: the digest it must have, if one was promised.
        ///   - expectedSize: the size it must have, if one was promised.
        /// - Throws: `StorageError.digestMismatch`; nothing is left then.
        public func commit(expected: Digest? = nil, expectedSize: Int64? = nil) throws(StorageError) -> Digest {
            try commit(expected: expected, expectedSize: expectedSize) { _ in }
        }

        /// - Parameter willAppear: called with the digest before the blob can be seen, to take a lease on it.
        func commit(
            expected: Digest?, expectedSize: Int64?, willAppear: (Digest) -> Void
        ) throws(StorageError) -> Digest {
            try storage("finish a blob") {
                let digest = try hash.digest
                if let expected, expected != digest {
                    throw StorageError(
                        .digestMismatch, "the blob \(expected) has the digest \(digest): it is damaged or was exchanged"
                    )
                }
                if let expectedSize, expectedSize != size {
                    throw StorageError(
                        .digestMismatch, "the blob \(digest) has \(size) bytes where \(expectedSize) were promised")
                }
                willAppear(digest)
                try FileDescriptor.currentDirectory.rename(name, to: store.path(of: digest))
                isCommitted = true
                return digest
            }
        }
    }
}
