import Archive
import GRDB
import Glibc
import Kernel
import OCI
import Storage
import Testing

@Suite struct ContentStoreTests {
    @Test func ingest() throws {
        let root = try TemporaryRoot()
        let content = root.data.content
        let bytes = Array("hello".utf8)
        let ingest = try content.ingest()
        try bytes.withUnsafeBytes { try ingest.write($0) }
        #expect(try content.list() == [])
        let digest = try ingest.commit(expected: sha256(bytes), expectedSize: 5)
        #expect(try content.list() == [ContentStore.Blob(digest: digest, size: 5)])
        #expect(try content.open(digest).readAll() == bytes)
        try content.delete(digest)
        try content.delete(digest)
        #expect(try content.size(of: digest) == nil)
        #expect(try failure { _ = try content.open(digest) }.code == .notFound)
    }

    @Test func mismatch() throws {
        let root = try TemporaryRoot()
        let content = root.data.content
        func attempt(_ digest: OCI.Digest?, _ size: Int64?) throws {
            let ingest = try content.ingest()
            try Array("hello".utf8).withUnsafeBytes { try ingest.write($0) }
            _ = try ingest.commit(expected: digest, expectedSize: size)
        }
        #expect(try failure { try attempt(.empty, nil) }.code == .digestMismatch)
        #expect(try failure { try attempt(nil, 4) }.code == .digestMismatch)
        _ = try content.ingest()
        #expect(try root.names(in: "content/temp") == [])
        #expect(try content.list() == [])
    }
}

@Suite struct DataRootTests {
    @Test func format() throws {
        let root = try TemporaryRoot()
        let busy = try failure { _ = try DataRoot.prepare(root.path) }
        #expect(busy.code == .unusableRoot && busy.message.contains("in use"))
        let other = "\(root.scratch)/other"
        let here = FileDescriptor.currentDirectory
        try here.makeDirectories(other)
        try here.writeFile("\(other)/format", "999\n", creating: true)
        let unknown = try failure { _ = try DataRoot.prepare(other) }
        #expect(unknown.code == .unusableRoot && unknown.message.contains("999"))
        try here.unlinkIfPresent("\(other)/format")
        try here.writeFile("\(other)/holiday.jpg", "", creating: true)
        #expect(try failure { _ = try DataRoot.prepare(other) }.message.contains("holiday.jpg"))
    }

    @Test func lostDatabase() throws {
        let root = try TemporaryRoot()
        _ = try root.load(TestImage.small().dockerArchive())
        let other = try TemporaryRoot()
        try FileDescriptor.currentDirectory.rename("\(other.path)/layers", to: "\(other.scratch)/layers")
        let copied = try run("cp", "-a", "\(root.path)/layers", "\(root.scratch)/rootless")
        #expect(copied.isGood)
        let path = "\(root.scratch)/rootless-root"
        let lock = try DataRoot.prepare(path)
        try FileDescriptor.currentDirectory.rename("\(root.scratch)/rootless", to: "\(path)/layers")
        let database = try DataRoot.openDatabase(at: path)
        #expect(try failure { _ = try DataRoot(path: path, database: database) }.code == .unusableRoot)
        withExtendedLifetime(lock) {}
    }

    @Test func anotherDriver() throws {
        let root = try TemporaryRoot(driver: .vfs)
        _ = try root.load(TestImage.small().dockerArchive())
        var options = DataRoot.Options()
        options.driver = .overlay2
        let database = try DataRoot.openDatabase(at: root.path)
        let error = try failure { _ = try DataRoot(path: root.path, database: database, options: options) }
        #expect(error.code == .unusableRoot && error.message.contains("vfs"))
        options.driver = nil
        #expect(try DataRoot(path: root.path, database: database, options: options).layers.driver == .vfs)
    }

    @Test func leftoversAreSwept() throws {
        let root = try TemporaryRoot()
        _ = try root.load(TestImage.small().dockerArchive())
        let here = FileDescriptor.currentDirectory
        let before = try root.names(in: "layers/overlay2")
        for path in ["layers/overlay2/orphan/x", "layers/temp/half/x", "layers/trash/old/x", "containers/dead/upper"] {
            try here.makeDirectories("\(root.path)/\(path)")
        }
        try here.writeFile("\(root.path)/content/temp/part", "x", creating: true)
        let stray = "\(root.path)/content/\(ImageLayout.blobPath(.empty))"
        try here.writeFile(stray, "", creating: true)
        try root.reopen()
        #expect(try root.names(in: "layers/overlay2") == before)
        #expect(try root.names(in: "content/blobs/sha256").count == 2)
        _ = try root.data.images.remove("small:1", uses: { _ in [] })
        try root.expectNothing()
    }

    @Test func whatACrashOfTheMachineLost() throws {
        let root = try TemporaryRoot()
        _ = try root.load(TestImage.small("kept:1").dockerArchive())
        try root.execute("UPDATE layers SET boot = NULL")
        try root.execute("UPDATE images SET boot = NULL")
        _ = try root.load(TestImage.small("lost:1", seed: "x").dockerArchive())
        _ = try root.data.containers.create("c1", on: root.data.images.resolve("lost:1").chainID)
        try root.reopen()
        #expect(try root.data.images.list().count == 2, "the machine did not crash")
        try root.execute("UPDATE layers SET boot = 'an earlier one' WHERE boot IS NOT NULL")
        try root.execute("UPDATE images SET boot = 'an earlier one' WHERE boot IS NOT NULL")
        try root.reopen()
        #expect(try root.data.images.list().flatMap(\.image.tags).map(\.familiarName) == ["kept:1"])
        #expect(try root.count("layers") == 2)
        #expect(try root.data.containers.list() == [])
        // A directory that is gone takes its image with it.
        let name = try #require(root.names(in: "layers/overlay2").first { $0 != "empty" })
        try FileDescriptor.currentDirectory.removeTree("\(root.path)/layers/overlay2/\(name)")
        try root.reopen()
        try root.expectNothing()
    }

    @Test func writtenOutInTheBackground() throws {
        let scratch = try TemporaryRoot()
        let path = "\(scratch.scratch)/durable"
        for durability in [Durability.immediate, .deferred] {
            let lock = try DataRoot.prepare(path)
            let database = try DataRoot.openDatabase(at: path)
            var options = DataRoot.Options()
            options.durability = durability
            let data = try DataRoot(path: path, database: database, options: options)
            let image = try TestImage.small("\(durability)")
            _ = try data.images.load(from: scratch.file("a", image.dockerArchive()))
            func pending() throws -> Int {
                try database.read {
                    try Int.fetchOne($0, sql: "SELECT count(*) FROM images WHERE boot IS NOT NULL") ?? -1
                }
            }
            for _ in 0..<600 where try pending() > 0 { usleep(100_000) }
            #expect(try pending() == 0)
            _ = try data.images.remove("\(durability)", uses: { _ in [] })
            try database.close()
            try lock.close()
        }
    }
}
