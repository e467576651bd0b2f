import Archive
import JSON
import Kernel
import OCI
import Storage
import Testing

@Suite struct SaveTests {
    @Test(arguments: [ImageArchiveFormat.dockerArchive, .ociArchive], [Compression.none, .gzip, .zstd])
    func roundTrip(_ format: ImageArchiveFormat, _ compression: Compression) throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small(compression: compression)
        _ = try root.load(image.dockerArchive())
        let saved = try root.save(["small:1"], format: format)
        #expect(saved == (try root.save(["small:1"], format: format)), "the same image gives the same bytes")
        let other = try TemporaryRoot()
        #expect(try other.load(saved) == [LoadedImage(id: try image.id, references: [try ImageReference("small:1")])])
        // Nothing was compressed again: the blobs are the very same.
        #expect(try other.data.content.list() == (try root.data.content.list()))
    }

    @Test func manifestOfAnImageThatCameWithOne() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small(compression: .gzip)
        _ = try root.load(ociArchive([image]))
        let digest = try sha256(image.manifest().json.bytes())
        let other = try TemporaryRoot()
        _ = try other.load(root.save(["small:1"]))
        #expect(try other.data.images.resolve("small:1").manifest?.digest == digest)
    }

    @Test func severalImagesAndNames() throws {
        let root = try TemporaryRoot()
        let (a, b) = (try TestImage.small("a:1"), try TestImage.small("b:1", seed: "b"))
        _ = try root.load(a.dockerArchive())
        _ = try root.load(b.dockerArchive())
        _ = try root.data.images.tag("a:1", as: ImageReference("localhost:5000/x/a:2"))
        _ = try root.data.images.tag("a:1", as: ImageReference("a:3"))
        let saved = try root.save(["a", "localhost:5000/x/a:2", b.id.description])
        let other = try TemporaryRoot()
        let loaded = try other.load(saved)
        #expect(loaded.count == 2)
        #expect(
            try other.data.images.image(a.id).tags.map(\.familiarName) == ["a:1", "a:3", "localhost:5000/x/a:2"])
        #expect(try other.data.images.image(b.id).tags == [])
        let error = try failure { _ = try root.save(["nothing"]) }
        #expect(error.code == .notFound && error.message.contains("No such image"))
    }

    @Test func parts() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small()
        _ = try root.load(image.dockerArchive())
        let reader = TarReader(MemorySource(try root.save(["small:1"])))
        var names: [String] = []
        var manifest: JSONValue?
        while let entry = try reader.next() {
            names.append(entry.name)
            if entry.name == "manifest.json" { manifest = try JSONValue(parsing: reader.readContent()) }
        }
        #expect(names.suffix(4) == ["index.json", "manifest.json", "oci-layout", "repositories"])
        #expect(manifest?[0]?["RepoTags"] == ["small:1"])
        #expect(manifest?[0]?["Config"]?.string == ImageLayout.blobPath(try image.id))
    }

    @Test(.enabled(if: hasSkopeo)) func skopeoReadsWhatIsSaved() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small(compression: .gzip)
        _ = try root.load(ociArchive([image]))
        _ = try root.save(["small:1"])
        for transport in ["docker-archive", "oci-archive"] {
            let result = try run(
                "skopeo", "--insecure-policy", "copy", "\(transport):\(root.scratch)/saved",
                "dir:\(root.scratch)/\(transport)")
            #expect(result.isGood, "\(transport): \(result.output)")
        }
        try root.data.images.saveLayout(["small:1"], to: "\(root.scratch)/layout")
        let result = try run("skopeo", "inspect", "--config", "oci:\(root.scratch)/layout")
        #expect(result.isGood && result.output.contains("amd64"), "\(result.output)")
    }

    @Test(.enabled(if: hasSkopeo)) func whatSkopeoWritesIsLoaded() throws {
        let root = try TemporaryRoot()
        let image = try TestImage.small(compression: .gzip)
        _ = try root.load(ociArchive([image]))
        try root.data.images.saveLayout(["small:1"], to: "\(root.scratch)/layout")
        for (number, transport) in ["docker-archive", "oci-archive"].enumerated() {
            let file = "\(root.scratch)/\(transport).tar"
            let result = try run(
                "skopeo", "--insecure-policy", "copy", "oci:\(root.scratch)/layout",
                "\(transport):\(file):by-skopeo:\(number)")
            #expect(result.isGood, "\(result.output)")
            let other = try TemporaryRoot()
            let loaded = try other.data.images.load(from: FileDescriptor.open(file))
            #expect(loaded.map { $0.references.map(\.familiarName) } == [["by-skopeo:\(number)"]])
            #expect(loaded.map(\.id) == [try image.id])
        }
    }
}

@Suite struct ImportTests {
    @Test(arguments: [Compression.none, .gzip, .xz])
    func rootFileSystem(_ compression: Compression) throws {
        let root = try TemporaryRoot()
        let archive = try compressedIfNeeded(TestImage.small().layers[0], compression)
        var options = ImageStore.ImportOptions()
        options.reference = try ImageReference("imported")
        options.message = "by hand"
        options.changes = [#"CMD ["sh", "-c", "true"]"#, "ENV A=b", "EXPOSE 80"]
        let id = try root.data.images.importRootFileSystem(from: root.file("in", archive), options: options)
        let image = try root.data.images.resolve("imported:latest")
        #expect(image.id == id)
        #expect(image.config.config?.cmd == ["sh", "-c", "true"])
        #expect(image.config.history?.first?.comment == "by hand")
        #expect(image.config.rootfs.diffIDs == [try sha256(TestImage.small().layers[0])])
        let other = try TemporaryRoot()
        #expect(try other.load(root.save(["imported"])).map(\.id) == [id])
    }

    private func compressedIfNeeded(_ bytes: [UInt8], _ compression: Compression) throws -> [UInt8] {
        compression == .none ? bytes : try compressed(bytes, compression)
    }

    @Test func whatIsNoArchive() throws {
        let root = try TemporaryRoot()
        for text in ["", "this is no archive"] {
            #expect(throws: StorageError.self) {
                try root.data.images.importRootFileSystem(from: root.file("in", Array(text.utf8)))
            }
        }
        var options = ImageStore.ImportOptions()
        options.changes = ["RUN make"]
        #expect(throws: StorageError.self) {
            try root.data.images.importRootFileSystem(from: root.file("in", []), options: options)
        }
        try root.expectNothing()
    }
}

@Suite struct ChangeTests {
    private func apply(_ changes: String...) throws -> ImageRunConfig {
        var config = ImageRunConfig()
        for change in changes { try config.apply(change: change) }
        return config
    }

    @Test func instructions() throws {
        let config = try apply(
            "CMD echo hello", #"ENTRYPOINT ["/init"]"#, #"ENV A=1 B="two words" C=x\ y"#, "env OLD style here",
            "LABEL a=b", #"LABEL "c d"=e"#, "EXPOSE 80 53/udp 8000-8002", #"VOLUME ["/a", "/b"]"#, "VOLUME /c",
            "USER nobody:nogroup", "WORKDIR /srv", "WORKDIR app/../www", "STOPSIGNAL SIGUSR1", "ONBUILD RUN make",
            "HEALTHCHECK --interval=5s --retries=3 --timeout=1m30s CMD curl -f localhost")
        #expect(config.cmd == ["/bin/sh", "-c", "echo hello"])
        #expect(config.entrypoint == ["/init"])
        #expect(config.env == ["A=1", "B=two words", "C=x y", "OLD=style here"])
        #expect(config.labels == ["a": "b", "c d": "e"])
        #expect(
            config.exposedPorts?.keys.sorted() == ["53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp"])
        #expect(config.volumes?.keys.sorted() == ["/a", "/b", "/c"])
        #expect(config.user == "nobody:nogroup")
        #expect(config.workingDir == "/srv/www")
        #expect(config.stopSignal == "SIGUSR1")
        #expect(config.onBuild == ["RUN make"])
        #expect(config.healthcheck?.test == ["CMD-SHELL", "curl -f localhost"])
        #expect(config.healthcheck?.interval == 5_000_000_000)
        #expect(config.healthcheck?.timeout == 90_000_000_000)
        #expect(config.healthcheck?.retries == 3)
        #expect(try apply("HEALTHCHECK NONE").healthcheck?.test == ["NONE"])
        #expect(try apply("ENV A=1", "ENV A=2").env == ["A=2"])
    }

    @Test func manyPortsTakeNoTime() throws {
        let begin = ContinuousClock.now
        #expect(try apply("EXPOSE 1-65535").exposedPorts?.count == 65_535)
        #expect(ContinuousClock.now - begin < .seconds(20))
        let error = try failure { _ = try apply("EXPOSE " + String(repeating: "1-65535 ", count: 100)) }
        #expect(error.code == .invalidInput)
    }

    @Test(arguments: [
        "RUN true", "", "ENV", "ENV A", "EXPOSE abc", "EXPOSE 9-8", "EXPOSE 80/icmp", "EXPOSE 70000", "LABEL a='b",
        "HEALTHCHECK", "HEALTHCHECK --interval=x CMD a", "HEALTHCHECK --what=1s CMD a", "ONBUILD FROM x", "COPY a b",
    ])
    func whatIsRefused(_ change: String) throws {
        let error = try failure { _ = try apply(change) }
        #expect(error.code == .invalidInput)
    }
}
