import JSON
import OCI
import Testing

@Suite struct ImageDocumentTests {
    private let hex = String(repeating: "0a", count: 32)

    @Test func configurationSurvivesARoundTrip() throws {
        let text = """
            {"architecture":"arm64","os":"linux","os.version":"1","variant":"v8","created":"2024-01-01T00:00:00Z",\
            "config":{"Env":["A=b"],"Cmd":null,"ExposedPorts":{"80/tcp":{}},"Healthcheck":{"Test":["NONE"],"Interval":5},\
            "OnBuild":["RUN x"],"Shell":["sh"],"ArgsEscaped":true,"Memory":42},"docker_version":"28","container":"abc",\
            "rootfs":{"type":"layers","diff_ids":["sha256:\(hex)"]},"history":[{"created_by":"x","empty_layer":true}],\
            "moby.buildkit.trace":{"x":[1]}}
            """
        let config = try ImageConfig(parsing: text)
        #expect(config.platform.description == "linux/arm64/v8")
        #expect(config.config?.healthcheck?.interval == 5)
        #expect(config.config?.onBuild == ["RUN x"])
        #expect(config.config?.argsEscaped == true)
        #expect(config.history?.first?.emptyLayer == true)
        #expect(config.unknownMembers["moby.buildkit.trace"]?["x"] == [1])
        #expect(config.config?.unknownMembers["Memory"] == 42)
        #expect(try ImageConfig(json: config.json) == config)
    }

    @Test func smallestDocuments() throws {
        #expect(try ImageConfig(parsing: "{}").rootfs.diffIDs == nil)
        #expect(try Index(parsing: #"{"schemaVersion":2,"manifests":null}"#).manifests == [])
        let manifest = try Manifest(
            parsing: #"{"schemaVersion":2,"config":{"mediaType":"x","digest":"sha256:\#(hex)","size":2},"layers":[]}"#)
        #expect(manifest.config.size == 2)
        #expect(ImageLayout().json.serialized() == #"{"imageLayoutVersion":"1.0.0"}"#)
    }

    @Test(arguments: [
        #"{"config":{}}"#, #"{"config":{"digest":"sha256:12","size":1}}"#, #"{"layers":[{}]}"#, "[]", "null",
        #"{"config":{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":"1"}}"#,
    ])
    func manifestsThatAreNone(_ text: String) {
        #expect(throws: JSONError.self) { try Manifest(parsing: text) }
    }

    @Test func layerTypes() {
        #expect(MediaType.isLayer(MediaType.ociLayerZstd) && MediaType.isLayer(MediaType.dockerLayerGzip))
        #expect(!MediaType.isLayer(MediaType.ociConfig) && !MediaType.isLayer(nil))
    }
}
