import JSON
import Kernel
import OCI
import Testing

@testable import ImageTransports

/// What is broken, or means harm, is refused in a sentence, and nothing of it arrives.
@Suite struct HostileImageTests {
    let scratch: TemporaryDirectory
    let source: TemporaryDirectory

    init() throws {
        scratch = try TemporaryDirectory()
        source = try TemporaryDirectory()
    }

    /// Copies the directory to every kind of file, all of which must fail.
    private func mustFail(_ reason: String, code: TransportError.Code) async throws {
        for target in [
            "dir:\(scratch.file("d"))", "oci-archive:\(scratch.file("o"))", "docker-archive:\(scratch.file("a"))",
        ] {
            let error = await #expect(throws: TransportError.self) {
                let input = try await ImageLocation("dir:\(source.path)").source(RegistryAccess(), client: nil)
                let output = try await ImageLocation(target).destination(RegistryAccess(), client: nil)
                try await ImageCopy(from: input, to: output).run()
            }
            #expect(error?.code == code && error?.message.contains(reason) == true, "\(error?.message ?? "")")
            #expect(try scratch.names == [])
        }
    }

    @Test func damagedLayer() async throws {
        let manifest = try writeImage([Array("layer".utf8)], in: source)
        try source.write(manifest.layers[0].digest.hex, Array("other".utf8))
        try await mustFail("has the digest", code: .contentMismatch)
    }

    @Test func longerAndShorterLayers() async throws {
        let manifest = try writeImage([Array("layer".utf8)], in: source)
        try source.write(manifest.layers[0].digest.hex, Array("layer and more".utf8))
        try await mustFail("longer than the 5 bytes", code: .contentMismatch)
        try source.write(manifest.layers[0].digest.hex, Array("lay".utf8))
        try await mustFail("3 bytes instead of 5", code: .contentMismatch)
    }

    @Test func missingBlobs() async throws {
        let manifest = try writeImage([Array("layer".utf8)], in: source)
        try FileDescriptor.currentDirectory.unlink(source.file(manifest.config.digest.hex))
        try await mustFail("\(manifest.config.digest) is missing", code: .notFound)
        try FileDescriptor.currentDirectory.unlink(source.file(manifest.layers[0].digest.hex))
        try await mustFail("\(manifest.layers[0].digest) is missing", code: .notFound)
    }

    @Test(arguments: [
        ("", "no JSON object"), ("[]", "no JSON object"), ("{}", "names neither layers nor other manifests"),
        (#"{"schemaVersion":1,"config":{}}"#, "schema 1"), (#"{"config":{"digest":"sha256:zz","size":1}}"#, "is none"),
        (#"{"config":{"digest":"../../etc/passwd","size":1},"layers":[]}"#, "is none"),
    ])
    func otherManifests(_ text: String, _ reason: String) async throws {
        try source.write("manifest.json", Array(text.utf8))
        try source.write("version", Array(DirectoryFormat.version.utf8))
        try await mustFail(reason, code: reason == "schema 1" ? .notSupported : .invalidImage)
    }

    @Test func hugeManifestAndOtherVersion() async throws {
        _ = try writeImage([], in: source)
        try source.write("manifest.json", Array("{\"a\":\"".utf8) + [UInt8](repeating: 0x61, count: manifestLimit))
        try await mustFail("more than \(manifestLimit) bytes", code: .invalidImage)
        try source.write("version", Array("Directory Transport Version: 9\n".utf8))
        try await mustFail("its version is", code: .notSupported)
    }

    @Test func directoryOfSomeoneElse() throws {
        try scratch.write("precious", [1])
        #expect(throws: TransportError.self) { _ = try DirectoryDestination(scratch.path) }
        #expect(try scratch.names == ["precious"])
    }

    // MARK: Archives

    private func archive(_ manifest: String, _ entries: [(String, [UInt8])], links: [(String, String)] = []) throws {
        try scratch.write("a.tar", tar(entries + [("manifest.json", Array(manifest.utf8))], links: links))
    }

    private func open(_ suffix: String = "") async throws -> any ImageSource {
        try await ImageLocation("docker-archive:\(scratch.file("a.tar"))\(suffix)").source(
            RegistryAccess(), client: nil)
    }

    private func config(_ layer: [UInt8]) throws -> [UInt8] {
        Array(#"{"rootfs":{"type":"layers","diff_ids":["\#(try sha256(layer))"]}}"#.utf8)
    }

    @Test(arguments: ["/etc/passwd", "../../../../../../etc/passwd", "missing"])
    func namesOutsideFindNothing(_ name: String) async throws {
        let layer = Array("layer".utf8)
        let manifest = #"[{"Config":"c.json","RepoTags":["a:1"],"Layers":["\#(name)"]}]"#
        try archive(manifest, [("c.json", config(layer))])
        let missing = await #expect(throws: TransportError.self) { _ = try await open() }
        #expect(missing?.message.contains("is missing in the archive") == true)
        // Nor does a link to it.
        try archive(
            #"[{"Config":"c.json","RepoTags":["a:1"],"Layers":["l/layer.tar"]}]"#, [("c.json", config(layer))],
            links: [("l/layer.tar", name)])
        #expect(await #expect(throws: TransportError.self) { _ = try await open() }?.code == .notFound)
        // And links in a circle end.
        try archive(
            #"[{"Config":"c.json","RepoTags":["a:1"],"Layers":["x"]}]"#, [("c.json", config(layer))],
            links: [("x", "y"), ("y", "x")])
        #expect(await #expect(throws: TransportError.self) { _ = try await open() }?.code == .notFound)
    }

    @Test func archivesAreChosenFrom() async throws {
        let layer = Array("layer".utf8)
        let item = #"{"Config":"c.json","RepoTags":["NAME"],"Layers":["l.tar"]}"#
        try archive(
            "[\(item.replacing("NAME", with: "a:1")),\(item.replacing("NAME", with: "b:2"))]",
            [("c.json", config(layer)), ("l.tar", layer)])
        #expect(await #expect(throws: TransportError.self) { _ = try await open() }?.message.contains("got 2") == true)
        #expect(await #expect(throws: TransportError.self) { _ = try await open(":@2") }?.code == .notFound)
        #expect(await #expect(throws: TransportError.self) { _ = try await open(":c:1") }?.code == .notFound)
        _ = try await open(":@1")
        let manifest = try await open(":b:2").manifest(nil)
        #expect(try parsed(manifest, in: "").layers.map(\.digest) == [sha256(layer)])
    }

    @Test(arguments: [
        ("{}", "no JSON list"), (#"[{"Config":"none","Layers":[]}]"#, "configuration is not in the archive"),
        (#"[{"Config":"c.json","Layers":[]}]"#, "Inconsistent layer count: 0 in manifest, 1 in config"),
    ])
    func brokenArchives(_ manifest: String, _ reason: String) async throws {
        try archive(manifest, [("c.json", config([1]))])
        let error = await #expect(throws: TransportError.self) { _ = try await open() }
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    @Test func layerThatIsNotWhatItsConfigurationSays() async throws {
        try archive(
            #"[{"Config":"c.json","Layers":["l.tar"]}]"#,
            [("c.json", config(Array("layer".utf8))), ("l.tar", Array("other".utf8))])
        let input = try await open()
        let error = await #expect(throws: TransportError.self) {
            try await ImageCopy(from: input, to: DirectoryDestination(scratch.file("d"))).run()
        }
        #expect(error?.code == .contentMismatch)
        #expect(try scratch.names == ["a.tar"])
    }

    @Test(arguments: [1, 100, 700, 1500])
    func truncatedArchive(_ kept: Int) async throws {
        let layer = [UInt8](repeating: 7, count: 3000)
        let whole = try tar([
            ("l.tar", layer), ("c.json", config(layer)),
            ("manifest.json", Array(#"[{"Config":"c.json","Layers":["l.tar"]}]"#.utf8)),
        ])
        try scratch.write("a.tar", Array(whole.prefix(kept)))
        await #expect(throws: (any Error).self) { _ = try await open() }
        try scratch.write("a.tar", [])
        await #expect(throws: (any Error).self) { _ = try await open() }
    }

    @Test(arguments: [
        ("oci-layout", "{}", "has the version"), ("oci-layout", "x", "is no JSON"), ("index.json", "x", "is no JSON"),
        ("index.json", #"{"manifests":[]}"#, "there is no image in it"),
        ("index.json", #"{"manifests":3}"#, "is no index"),
        (
            "index.json",
            #"{"manifests":[{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}]}"#,
            "is missing"
        ),
    ])
    func brokenLayouts(_ name: String, _ text: String, _ reason: String) async throws {
        try scratch.write("oci-layout", LayoutIndex.versionBytes)
        try scratch.write("index.json", Array(#"{"schemaVersion":2,"manifests":[]}"#.utf8))
        try scratch.write(name, Array(text.utf8))
        let error = await #expect(throws: TransportError.self) {
            _ = try await LayoutSource(.layout(path: scratch.path, name: nil)).manifest(nil)
        }
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }
}
