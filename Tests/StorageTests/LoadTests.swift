import Archive
import JSON
import Kernel
import OCI
import Storage
import Synchronization
import Testing

@Suite struct LoadTests {
    @Test(arguments: [Compression.none, .gzip, .zstd, .xz, .bzip2])
    func dockerArchiveWithCompressedLayers(_ compression: Compression) throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small(compression: compression)
        let loaded = try root.load(image.dockerArchive())
        #expect(loaded == [LoadedImage(id: try image.id, references: [try ImageReference("small:1")])])
        let found = try root.data.images.resolve("small:1")
        #expect(found.id == (try image.id))
        #expect(found.configBytes == image.config)
        #expect(found.size == Int64("lower".count + "gone".count + 1 + "upper".count))
        let chain = try root.data.layers.chain(try #require(found.chainID))
        #expect(chain.count == 2)
        let here = FileDescriptor.currentDirectory
        #expect(try here.readText("\(chain[0].directory)/etc/top") == "upper")
        #expect(try here.readText("\(chain[1].directory)/etc/name") == "lower")
        // The whiteout became overlay's own.
        #expect(try here.status(of: "\(chain[0].directory)/etc/gone").type == .characterDevice)
        #expect(try root.names(in: "layers/temp") == [])
        #expect(try root.names(in: "content/blobs/sha256").count == 2)
    }

    @Test(arguments: [Compression.gzip, .zstd, .xz, .bzip2])
    func compressedArchives(_ compression: Compression) throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small()
        #expect(try root.load(compressed(image.dockerArchive(), compression)).map(\.id) == [try image.id])
        #expect(try root.load(compressed(ociArchive([image]), compression)).map(\.id) == [try image.id])
    }

    @Test func archiveFromAPipe() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small()
        _ = try root.file("piped", image.dockerArchive())
        let pipe = try Pipe()
        var configuration = Subprocess.Configuration("/bin/cat", arguments: ["cat", "\(root.scratch)/piped"])
        configuration.descriptors = [1: pipe.writeEnd]
        let cat = try Subprocess.spawn(configuration)
        configuration.descriptors = [:]
        try pipe.writeEnd.close()
        #expect(try root.data.images.load(from: pipe.readEnd).count == 1)
        _ = try cat.wait()
    }

    @Test func layersAreUnpackedOnce() throws {
        let root = try TemporaryRoot()
        try root.loadExpectingOne(TestImage.small("a:1").dockerArchive())
        let before = try root.names(in: "layers/overlay2")
        // The same lower layer below another one, and the same image again by another name.
        var other = try TestImage.small("b:1")
        other = try TestImage(
            "b:1", layers: [other.layers[0], tar { try $0.file("only-here", "x") }])
        let reported = Mutex<[LoadProgress]>([])
        _ = try root.data.images.load(from: root.file("b", other.dockerArchive())) { step in
            reported.withLock { $0.append(step) }
        }
        #expect(reported.withLock { $0.contains(.layerExists(id: (try? sha256(other.layers[0])) ?? .empty)) })
        #expect(try Set(root.names(in: "layers/overlay2")).isSuperset(of: before))
        #expect(try root.count("layers") == 3)
        try root.loadExpectingOne(TestImage.small("c:1").dockerArchive())
        #expect(try root.count("layers") == 3)
        #expect(try root.data.images.resolve("a:1").tags.map(\.familiarName) == ["a:1", "c:1"])
        let list = try root.data.images.list()
        #expect(list.count == 2)
        #expect(list.allSatisfy { $0.sharedSize == Int64("lowergone1".count) })
    }

    @Test func concurrentLoadsShareOneUnpacking() throws {
        let root = try TemporaryRoot()
        let archives = try (0..<6).map { try TestImage.small("same:\($0)").dockerArchive() }
        let files = try archives.enumerated().map { try root.file("archive\($0)", $1) }
        let data = root.data
        let failures = Mutex<[String]>([])
        parallel(files.count) { number in
            do { _ = try data.images.load(from: files[number]) } catch { failures.withLock { $0.append("\(error)") } }
        }
        #expect(failures.withLock(\.self) == [])
        #expect(try root.count("layers") == 2)
        #expect(try root.names(in: "layers/overlay2").count == 3)
        #expect(try root.data.images.resolve("same:3").tags.count == 6)
    }

    @Test func linkedLayersOfOldArchives() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small()
        let archive = try tar { writer in
            try writer.directory("aaa")
            try writer.file("aaa/layer.tar", image.layers[0])
            try writer.link("bbb/layer.tar", to: "../aaa/layer.tar")
            let config = try TestImage("linked", layers: [image.layers[0], image.layers[0]]).config
            try writer.file("config.json", config)
            try writer.file(
                "manifest.json",
                #"[{"Config":"config.json","RepoTags":["linked:1"],"Layers":["aaa/layer.tar","bbb/layer.tar"]}]"#)
        }
        #expect(try root.load(archive).count == 1)
        #expect(try root.count("layers") == 2)
    }

    @Test func archivesOfTheFirstVersion() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small()
        let archive = try tar { writer in
            try writer.file(
                "aaa/json", #"{"id":"aaa","created":"2015-01-01T00:00:00Z","os":"linux","architecture":"amd64"}"#)
            try writer.file("aaa/VERSION", "1.0")
            try writer.file("aaa/layer.tar", image.layers[0])
            try writer.file(
                "bbb/json",
                #"{"id":"bbb","parent":"aaa","created":"2015-01-02T00:00:00Z","os":"linux","architecture":"amd64","#
                    + #""config":{"Cmd":["sh"]},"container_config":{"Cmd":["/bin/sh","-c","make"]}}"#)
            try writer.file("bbb/layer.tar", image.layers[1])
            try writer.file("repositories", #"{"old":{"1":"bbb"}}"#)
        }
        let loaded = try root.load(archive)
        #expect(loaded.map { $0.references.map(\.familiarName) } == [["old:1"]])
        let found = try root.data.images.resolve("old:1")
        #expect(found.config.config?.cmd == ["sh"])
        #expect(found.config.rootfs.diffIDs == (try image.layers.map { try sha256($0) }))
        #expect(try root.data.images.history("old:1").map(\.createdBy) == ["/bin/sh -c make", ""])
    }

    @Test func indexChoosesThePlatform() throws {
        let layer = try tar { try $0.file("x", "x") }
        let intel = try TestImage("multi", layers: [layer], architecture: "amd64")
        let arm = try TestImage("multi", layers: [layer, layer], architecture: "arm64")
        let archive = try ociArchive([arm, intel], asIndex: "multi:1")
        let root = try TemporaryRoot()
        #expect(try root.load(archive, platform: Platform("linux/arm64")).map(\.id) == [try arm.id])
        #expect(try root.data.images.resolve("multi:1").platform.description == "linux/arm64/v8")
        #expect(try root.load(archive, platform: Platform("linux/amd64/v3")).map(\.id) == [try intel.id])
        let missing = try failure { _ = try root.load(archive, platform: Platform("linux/s390x")) }
        #expect(missing.code == .platformMismatch)
        #expect(missing.message.contains("linux/amd64"))
        // The first image has lost its name, and is there by its ID.
        #expect(try root.data.images.resolve(String(arm.id.hex.prefix(10))).tags == [])
        let wrong = try failure { _ = try root.data.images.resolve("multi:1", platform: Platform("linux/riscv64")) }
        #expect(wrong.code == .platformMismatch)
        #expect(throws: StorageError.self) {
            try root.data.images.image(arm.id).requireRunnable(on: Platform("linux/s390x"))
        }
    }

    @Test func imageForAnotherPlatformThanAskedLeavesNothing() throws {
        let root = try TemporaryRoot()
        let image = try TestImage("arm", layers: [tar { try $0.file("x", "x") }], architecture: "arm64")
        let error = try failure { _ = try root.load(image.dockerArchive(), platform: Platform("linux/amd64")) }
        #expect(error.code == .platformMismatch)
        try root.expectNothing()
    }

    @Test func manifestIsKept() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small(compression: .gzip)
        _ = try root.load(ociArchive([image]))
        let digest = try sha256(image.manifest().json.bytes())
        #expect(try root.data.images.resolve("small:1").manifest?.digest == digest)
        #expect(try root.data.images.resolve("small@\(digest)").id == (try image.id))
    }
}

extension TemporaryRoot {
    func loadExpectingOne(_ archive: [UInt8]) throws { #expect(try load(archive).count == 1) }
}
