import Archive
import JSON
import Kernel
import OCI
import Storage
import Testing

/// Bad archives are refused with a sentence, and nothing of them is left.
@Suite struct HostileArchiveTests {
    @Test func truncatedArchivesAtEveryPlace() throws {
        let root = try TemporaryRoot()
        let archive = try TestImage.small().dockerArchive()
        for length in stride(from: 0, to: archive.count - 1024, by: 700) {
            let error = try failure { _ = try root.load(Array(archive[..<length])) }
            #expect(error.code == .invalidInput, "\(length): \(error)")
        }
        try root.expectNothing()
        let packed = try compressed(archive, .gzip)
        for length in stride(from: 1, to: packed.count, by: 97) {
            #expect(throws: StorageError.self) { _ = try root.load(Array(packed[..<length])) }
        }
        try root.expectNothing()
    }

    @Test func damagedBytesNeverMakeAnotherImage() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small(compression: .gzip)
        let archive = try ociArchive([image])
        for position in stride(from: 600, to: archive.count - 1024, by: 331) {
            var damaged = archive
            damaged[position] ^= 0x55
            // Where nobody looks (padding, a header's spare bytes) damage does no harm.
            if let loaded = try? root.load(damaged) {
                #expect(loaded.map(\.id) == [try image.id])
                for loaded in loaded {
                    _ = try root.data.images.remove(loaded.id.description, force: true, uses: { _ in [] })
                }
            }
        }
        try root.expectNothing()
    }

    @Test func layerWithAnotherDigest() throws {
        let root = try TemporaryRoot()
        let good = try tar { try $0.file("a", "a") }
        let other = try tar { try $0.file("a", "b") }
        // In the configuration.
        let image = try TestImage("x", layers: [good, good], diffIDs: [sha256(good), sha256(other)])
        let error = try failure { _ = try root.load(image.dockerArchive()) }
        #expect(error.code == .digestMismatch)
        try root.expectNothing()
        // In the name of the blob.
        let archive = try tar { writer in
            try writer.file(ImageLayout.blobPath(sha256(good)), other)
            try writer.file("oci-layout", ImageLayout().json.bytes())
        }
        #expect(try failure { _ = try root.load(archive) }.code == .digestMismatch)
        try root.expectNothing()
    }

    @Test func configurationWithAnotherDigest() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small()
        let other = try TestImage.small(seed: "2")
        let archive = try tar { writer in
            for blob in image.blobs { try writer.file(ImageLayout.blobPath(sha256(blob)), blob) }
            try writer.file(ImageLayout.blobPath(image.id), other.config)
            let manifest = try image.manifest().json.bytes()
            try writer.file(ImageLayout.blobPath(sha256(manifest)), manifest)
            var index = Index()
            index.manifests = [try image.layoutParts().descriptor]
            try writer.file("index.json", index.json.bytes())
            try writer.file("oci-layout", ImageLayout().json.bytes())
        }
        #expect(try failure { _ = try root.load(archive) }.code == .digestMismatch)
        try root.expectNothing()
    }

    @Test(arguments: ["../../../../../../tmp/dhow-escaped", "a/../../../../dhow-escaped", "/../dhow-escaped"])
    func namesThatLeadOut(_ name: String) throws {
        let root = try TemporaryRoot()
        let image = try TestImage("x", layers: [tar { try $0.file(name, "evil") }])
        // Refused or kept inside; never outside.
        _ = try? root.load(image.dockerArchive())
        #expect(!FileDescriptor.currentDirectory.exists("/tmp/dhow-escaped"))
        #expect(!FileDescriptor.currentDirectory.exists("\(root.path)/layers/dhow-escaped"))
        #expect(!FileDescriptor.currentDirectory.exists("\(root.path)/dhow-escaped"))
        if let image = try? root.data.images.resolve("x") {
            _ = try root.data.images.remove(image.id.description, force: true, uses: { _ in [] })
        }
        try root.expectNothing()
    }

    @Test func namesThatLeadOutThroughALink() throws {
        let root = try TemporaryRoot()
        let image = try TestImage(
            "x",
            layers: [
                tar {
                    try $0.link("out", to: "/tmp")
                    try $0.file("out/dhow-escaped", "evil")
                }
            ])
        _ = try? root.load(image.dockerArchive())
        #expect(!FileDescriptor.currentDirectory.exists("/tmp/dhow-escaped"))
    }

    @Test func bombs() throws {
        let root = try TemporaryRoot(limits: LayerLimits(bytes: 8 << 20, inodes: 100))
        // 64 MiB of zeros in a few kilobytes.
        let zeros = try tar { try $0.file("zeros", [UInt8](repeating: 0, count: 64 << 20)) }
        let bomb = try TestImage("bomb", layers: [zeros], compression: .gzip)
        let archive = try bomb.dockerArchive()
        #expect(archive.count < 200_000)
        let error = try failure { _ = try root.load(archive) }
        #expect(error.code == .limitExceeded, "\(error)")
        try root.expectNothing()
        // Compressed from outside.
        let outer = try TestImage("bomb", layers: [zeros]).dockerArchive()
        #expect(try failure { _ = try root.load(compressed(outer, .gzip)) }.code == .limitExceeded)
        try root.expectNothing()
        let many = try TestImage("many", layers: [tar { for n in 0..<200 { try $0.file("f\(n)", "") } }])
        #expect(try failure { _ = try root.load(many.dockerArchive()) }.code == .limitExceeded)
        try root.expectNothing()
    }

    @Test(arguments: [
        "", "not a tar", #"{"manifest":true}"#, String(repeating: "\0", count: 4096),
    ])
    func noArchive(_ text: String) throws {
        let root = try TemporaryRoot()
        #expect(try failure { _ = try root.load(Array(text.utf8)) }.code == .invalidInput)
        try root.expectNothing()
    }

    @Test func rootFileSystemInsteadOfAnImage() throws {
        let root = try TemporaryRoot()
        let error = try failure { _ = try root.load(TestImage.small().layers[0]) }
        #expect(error.message.contains("import"))
        try root.expectNothing()
    }

    @Test(arguments: [
        #"[{"Config":"missing.json","RepoTags":["x"],"Layers":[]}]"#,
        #"[{"Config":"c.json","RepoTags":["x"],"Layers":["missing.tar"]}]"#,
        #"[{"Config":"c.json","RepoTags":["UPPER"],"Layers":[]}]"#,
        #"[{"Config":"c.json","RepoTags":["x"],"Layers":[]}]"#,
        #"[{"RepoTags":["x"],"Layers":[]}]"#,
        #"[{"Config":"../../etc/passwd","RepoTags":["x"],"Layers":[]}]"#,
        #"{"#, #"[]"#, #"[42]"#,
    ])
    func manifestsThatMakeNoSense(_ manifest: String) throws {
        let root = try TemporaryRoot()
        let archive = try tar { writer in
            try writer.file("c.json", TestImage.small().config)
            try writer.file("manifest.json", manifest)
        }
        #expect(try failure { _ = try root.load(archive) }.code == .invalidInput)
        try root.expectNothing()
    }

    @Test func indexThatNamesItself() throws {
        let root = try TemporaryRoot()
        // A document cannot hold its own digest, but a layout can nest as deep as it likes.
        let image = try TestImage.small()
        let archive = try tar { writer in
            let parts = try image.layoutParts()
            for bytes in parts.blobs { try writer.file(ImageLayout.blobPath(sha256(bytes)), bytes) }
            var index = Index()
            index.manifests = [parts.descriptor]
            for _ in 0..<20 {
                let bytes = index.json.bytes()
                try writer.file(ImageLayout.blobPath(sha256(bytes)), bytes)
                index = Index()
                index.manifests = [
                    Descriptor(mediaType: MediaType.ociIndex, digest: try sha256(bytes), size: Int64(bytes.count))
                ]
            }
            try writer.file("index.json", index.json.bytes())
            try writer.file("oci-layout", ImageLayout().json.bytes())
        }
        #expect(try failure { _ = try root.load(archive) }.code == .invalidInput)
        try root.expectNothing()
    }

    @Test func oneBadImageOfTwoLoadsNone() throws {
        let root = try TemporaryRoot()
        let good = try TestImage.small("good:1")
        let archive = try tar { writer in
            for (number, blob) in good.blobs.enumerated() { try writer.file("layer\(number).tar", blob) }
            try writer.file("c.json", good.config)
            try writer.file("bad.json", TestImage("bad", layers: good.layers, diffIDs: [.empty, .empty]).config)
            try writer.file(
                "manifest.json",
                #"[{"Config":"c.json","RepoTags":["good:1"],"Layers":["layer0.tar","layer1.tar"]},"#
                    + #"{"Config":"bad.json","RepoTags":["bad:1"],"Layers":["layer0.tar","layer1.tar"]}]"#)
        }
        #expect(try failure { _ = try root.load(archive) }.code == .digestMismatch)
        try root.expectNothing()
    }

    @Test func fullDisk() throws {
        let root = try TemporaryRoot()
        let small = "\(root.scratch)/small"
        try FileDescriptor.currentDirectory.makeDirectory(small)
        // Seen by nobody but this descriptor's holder, and gone with it.
        let context = try FileSystemContext(type: "tmpfs")
        try context.set("size", "2m")
        try context.create()
        let mount = try context.mount()
        let path = "\(mount.procPath)/root"
        let lock = try DataRoot.prepare(path)
        var options = DataRoot.Options()
        options.durability = .none
        let data = try DataRoot(path: path, database: try DataRoot.openDatabase(at: root.path), options: options)
        let image = try TestImage("big", layers: [tar { try $0.file("big", [UInt8](repeating: 7, count: 4 << 20)) }])
        let error = try failure { _ = try data.images.load(from: root.file("a", image.dockerArchive())) }
        #expect(error.code == .noSpace, "\(error)")
        #expect(try data.content.list() == [])
        #expect(try FileDescriptor.currentDirectory.entries(of: "\(path)/layers/temp").isEmpty)
        withExtendedLifetime((lock, mount)) {}
    }
}
