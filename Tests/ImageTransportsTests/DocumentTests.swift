import JSON
import OCI
import Registry
import Testing

@testable import ImageTransports

@Suite struct DocumentTests {
    @Test func membersKeepTheirText() throws {
        let members = try GoJSON.members(
            of: Array(
                #"{ "a" : 1.50 , "b":{"x": [ 1, "}\"," ]}, "c": "<é\u003c>&", "d":null, "a\n": "\/", "a": 2e3 }"#.utf8),
            in: "it")
        func text(_ name: String) -> String? { members[name].map { String(decoding: $0, as: UTF8.self) } }
        #expect(text("a") == "2e3")
        #expect(text("b") == #"{"x":[1,"}\","]}"#)
        #expect(text("c") == #""\u003cé\u003c\u003e\u0026""#)
        #expect(text("d") == "null")
        #expect(text("a\n") == #""\/""#)
        #expect(text("e") == nil)
        #expect(throws: TransportError.self) { _ = try GoJSON.members(of: Array("[1]".utf8), in: "it") }
    }

    @Test func lineSeparatorsAreEscaped() throws {
        let members = try GoJSON.members(of: Array("{\"a\":\"\u{2028}x\u{2029}\"}".utf8), in: "it")
        #expect(members["a"].map { String(decoding: $0, as: UTF8.self) } == #""\u2028x\u2029""#)
    }

    @Test func layersAreNamedInBothFamilies() {
        #expect(LayerKind(MediaType.dockerLayerGzip) == LayerKind(compression: .gzip, isForeign: false))
        #expect(LayerKind(MediaType.ociForeignLayerGzip) == LayerKind(compression: .gzip, isForeign: true))
        #expect(LayerKind("application/json") == nil)
        #expect(LayerKind(nil) == nil)
        #expect(ManifestFamily.docker.layerType(LayerKind(compression: .zstd, isForeign: false)) == nil)
    }

    @Test func configurationsLoseWhatOCIDoesNotKnow() throws {
        let value = try ociConfiguration(
            Array(
                #"{"id":"x","os":"linux","config":{"User":"","Labels":{"b":"1","a":"2"},"Cmd":["x"],"Hostname":"h"},"container":"c","created":"2020-01-01T00:00:00.100Z","rootfs":{"diff_ids":[],"type":"layers"},"history":[{"created_by":"x","empty_layer":true,"more":1}]}"#
                    .utf8))
        #expect(
            value.serialized()
                == #"{"created":"2020-01-01T00:00:00.1Z","architecture":"","os":"linux","config":{"Cmd":["x"],"Labels":{"a":"2","b":"1"}},"rootfs":{"type":"layers","diff_ids":[]},"history":[{"created_by":"x","empty_layer":true}]}"#
        )
    }

    @Test func namesInAnIndexMove() throws {
        var index = LayoutIndex(Index())
        let first = try RemoteManifest(Array(#"{"config":{}}"#.utf8), expected: nil, in: "")
        let second = try RemoteManifest(Array(#"{"config":{"x":1}}"#.utf8), expected: nil, in: "")
        index.add(first, name: "a")
        index.add(second, name: "a")
        #expect(index.index.manifests.map { $0.annotations?[Annotation.referenceName] } == [nil, "a"])
        index.add(first, name: "b")
        #expect(index.index.manifests.map { $0.annotations?[Annotation.referenceName] } == ["b", "a"])
        index.add(first, name: "c")
        #expect(index.index.manifests.count == 3)
    }
}
