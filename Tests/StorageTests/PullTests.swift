import Archive
import Dispatch
import JSON
import Kernel
import OCI
import Storage
import Synchronization
import Testing

/// Images that come blob by blob, and are unpacked while they come.
@Suite struct PullTests {
    private static func begin(_ image: TestImage, _ root: TemporaryRoot) throws -> ImagePull {
        let manifest = try image.manifest()
        let bytes = manifest.json.bytes()
        return try root.data.images.beginPull(
            config: image.config, manifest: (MediaType.ociManifest, bytes), layers: manifest.layers,
            references: [
                ImageReference("registry.example.com/app:1"),
                ImageReference("registry.example.com/app").digested(sha256(bytes)),
            ])
    }

    /// Runs `finish` on a thread of its own; gives its result to whoever waits.
    private final class Finish: Sendable {
        private let result = Mutex<Result<LoadedImage, StorageError>?>(nil)
        private let done = DispatchSemaphore(value: 0)

        init(_ pull: ImagePull) {
            DispatchQueue.global().async { [self] in
                let outcome: Result<LoadedImage, StorageError>
                do throws(StorageError) { outcome = .success(try pull.finish()) } catch { outcome = .failure(error) }
                result.withLock { $0 = outcome }
                done.signal()
            }
        }

        func wait() throws -> LoadedImage {
            done.wait()
            return try result.withLock { $0 }.map { try $0.get() } ?? { throw StorageError(.system, "no result") }()
        }
    }

    private static func write(_ bytes: some Collection<UInt8>, to arrival: BlobArrival) throws {
        try Array(bytes).withUnsafeBytes { try arrival.write($0) }
    }

    private static func fetch(_ blob: [UInt8], _ pull: ImagePull) throws {
        let arrival = try #require(try pull.arrival(of: sha256(blob)))
        guard try arrival.begin() else { return }
        try write(blob, to: arrival)
        try arrival.commit()
        try pull.keep(arrival.digest)
    }

    @Test(arguments: [Compression.none, .gzip, .zstd], [SnapshotDriverName.overlay2, .vfs])
    func unpacksWhatArrives(_ compression: Compression, _ driver: SnapshotDriverName) throws {
        let root = try TemporaryRoot(driver: driver)
        let image = try TestImage.small(compression: compression)
        let pull = try Self.begin(image, root)
        #expect(!pull.isKnown)
        #expect(pull.missing.map(\.digest) == (try image.blobs.map { try sha256($0) }))
        let finish = Finish(pull)
        // The upper one first, in three pieces.
        for blob in image.blobs.reversed() {
            let arrival = try #require(try pull.arrival(of: sha256(blob)))
            #expect(try arrival.begin())
            let third = blob.count / 3
            for piece in [blob[..<third], blob[third..<(2 * third)], blob[(2 * third)...]] {
                try Self.write(piece, to: arrival)
            }
            try arrival.commit()
        }
        #expect(try finish.wait().id == image.id)
        let found = try root.data.images.resolve("registry.example.com/app:1")
        #expect(found.id == (try image.id))
        let digest = try sha256(image.manifest().json.bytes())
        #expect(found.digests.map(\.familiarName) == ["registry.example.com/app@\(digest)"])
        #expect(try root.data.images.resolve("registry.example.com/app@\(digest)").id == image.id)
        #expect(try root.data.layers.chain(#require(found.chainID)).count == 2)
        #expect(try root.names(in: "content/partial") == [])
        #expect(try root.count("keptBlobs") == 0)

        // Again: nothing is missing.
        let again = try Self.begin(image, root)
        #expect(again.isKnown && again.missing.isEmpty && again.present.count == 2)
        _ = try again.finish()
        // It can be sent on as it came.
        let parts = try root.data.images.parts(of: "registry.example.com/app:1")
        #expect(parts.manifestBytes == (try image.manifest().json.bytes()))
        #expect(parts.layers.map(\.blob.digest) == pull.missing.map(\.digest))
        let sources = try root.data.images.repositories(with: pull.missing[0].digest, in: "registry.example.com")
        #expect(sources.map(\.path) == ["app"])
        #expect(try root.data.images.repositories(with: pull.missing[0].digest, in: "docker.io") == [])
    }

    @Test func givenUpPullLeavesNothingButVerifiedBlobs() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small(compression: .gzip)
        do {
            let pull = try Self.begin(image, root)
            let finish = Finish(pull)
            try Self.fetch(image.blobs[0], pull)
            let arrival = try #require(try pull.arrival(of: sha256(image.blobs[1])))
            #expect(try arrival.begin())
            try Self.write(image.blobs[1].prefix(20), to: arrival)
            pull.fail(StorageError(.system, "given up"))
            #expect(throws: StorageError.self) { try finish.wait() }
        }
        #expect(try root.count("images") == 0 && root.count("layers") == 0)
        #expect(try root.names(in: "layers/temp") == [])
        // Also for a daemon that starts anew.
        try root.reopen()
        let next = try Self.begin(image, root)
        #expect(next.present.map(\.digest) == [try sha256(image.blobs[0])])
        #expect(next.missing.map(\.digest) == [try sha256(image.blobs[1])])
        let arrival = try #require(try next.arrival(of: sha256(image.blobs[1])))
        #expect(try arrival.begin())
        let kept = Mutex<[UInt8]>([])
        #expect(try arrival.replay { bytes in kept.withLock { $0 += bytes } } == 20)
        #expect(kept.withLock { $0 } == Array(image.blobs[1].prefix(20)))
        let finish = Finish(next)
        try Self.write(image.blobs[1].dropFirst(20), to: arrival)
        try arrival.commit()
        #expect(try finish.wait().id == image.id)
    }

    @Test func pruneRemovesWhatGivenUpPullsLeft() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small(compression: .gzip)
        do {
            let pull = try Self.begin(image, root)
            try Self.fetch(image.blobs[0], pull)
            pull.fail(StorageError(.system, "given up"))
        }
        #expect(try root.names(in: "content/blobs/sha256").count == 1)
        let (_, freed) = try root.data.images.prune(all: false, uses: { _ in [] })
        #expect(freed == Int64(image.blobs[0].count))
        #expect(try root.names(in: "content/blobs/sha256") == [])
    }

    @Test func blobsOfAnEarlierBootAreNotTrusted() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small(compression: .gzip)
        do {
            let pull = try Self.begin(image, root)
            try Self.fetch(image.blobs[0], pull)
            pull.fail(StorageError(.system, "given up"))
        }
        try root.execute("UPDATE keptBlobs SET boot = 'another'")
        try root.reopen()
        #expect(try root.names(in: "content/blobs/sha256") == [])
    }

    @Test func restartUndoesWhatWasUnpacked() throws {
        let root = try TemporaryRoot()
        let image = try TestImage(
            "x:1", layers: [tar { try $0.file("a", [UInt8](repeating: 1, count: 300_000)) }], compression: .none)
        let other = try tar { try $0.file("b", [UInt8](repeating: 2, count: 300_000)) }
        let pull = try Self.begin(image, root)
        let arrival = try #require(try pull.arrival(of: sha256(image.blobs[0])))
        #expect(try arrival.begin())
        let finish = Finish(pull)
        try Self.write(other.prefix(200_000), to: arrival)
        try arrival.restart()
        try Self.write(image.blobs[0], to: arrival)
        try arrival.commit()
        #expect(try finish.wait().id == image.id)
        let chain = try root.data.layers.chain(#require(root.data.images.resolve("registry.example.com/app:1").chainID))
        #expect(try FileDescriptor.currentDirectory.entries(of: chain[0].directory).map(\.name) == ["a"])
        #expect(try root.names(in: "layers/temp") == [])
    }

    /// The beginning that an earlier process left is wrong, which shows at the end only.
    @Test func wrongBeginningIsUnpackedAgain() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small(compression: .gzip)
        let blob = image.blobs[0]
        do {
            let pull = try Self.begin(image, root)
            let arrival = try #require(try pull.arrival(of: sha256(blob)))
            #expect(try arrival.begin())
            try Self.write([UInt8](repeating: 9, count: 50), to: arrival)
            pull.fail(StorageError(.system, "given up"))
        }
        let pull = try Self.begin(image, root)
        let arrival = try #require(try pull.arrival(of: sha256(blob)))
        #expect(try arrival.begin())
        let finish = Finish(pull)
        try Self.write(blob.dropFirst(50), to: arrival)
        try arrival.restart()
        try Self.write(blob, to: arrival)
        try arrival.commit()
        try Self.fetch(image.blobs[1], pull)
        #expect(try finish.wait().id == image.id)
    }

    @Test func layerThatIsNotWhatTheConfigurationSays() throws {
        let root = try TemporaryRoot()
        let image = try TestImage(
            "x:1", layers: [tar { try $0.file("a", "1") }], compression: .gzip, diffIDs: [.empty])
        let pull = try Self.begin(image, root)
        let finish = Finish(pull)
        try Self.fetch(image.blobs[0], pull)
        let error = try failure { _ = try finish.wait() }
        #expect(error.code == .digestMismatch)
        #expect(try root.count("images") == 0)
        #expect(try root.names(in: "layers/temp") == [])
    }

    @Test func shortBlobIsNotCommitted() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small()
        let pull = try Self.begin(image, root)
        let arrival = try #require(try pull.arrival(of: sha256(image.blobs[0])))
        #expect(try arrival.begin())
        try Self.write(image.blobs[0].dropLast(), to: arrival)
        #expect(throws: StorageError.self) { try arrival.commit() }
        #expect(try root.names(in: "content/blobs/sha256") == [])
        pull.fail(StorageError(.system, "given up"))
    }

    @Test func pullsOfTheSameLayersShareThem() throws {
        let root = try TemporaryRoot()
        let base = try tar { try $0.file("base", "1") }
        let first = try TestImage("a:1", layers: [base, tar { try $0.file("a", "1") }], compression: .gzip)
        let second = try TestImage("b:1", layers: [base, tar { try $0.file("b", "1") }], compression: .gzip)
        let (one, two) = (try Self.begin(first, root), try Self.begin(second, root))
        let (finishOne, finishTwo) = (Finish(one), Finish(two))
        for blob in first.blobs { try Self.fetch(blob, one) }
        for blob in second.blobs { try Self.fetch(blob, two) }
        #expect(try finishOne.wait().id == first.id)
        #expect(try finishTwo.wait().id == second.id)
        #expect(try root.count("layers") == 3)
        #expect(try root.names(in: "content/blobs/sha256").count == 3)
    }
}
