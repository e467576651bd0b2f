import NixStore
import Testing

private final class NoInputs: DerivationHashes {
    func hashModulo(of path: StorePath) -> Hash { Hash(.sha256, of: path.baseName) }
}

@Suite struct DerivationTests {
    private let store = StoreDirectory()

    private func example() throws -> Derivation {
        var derivation = Derivation(name: "a")
        derivation.system = "x86_64-linux"
        derivation.builder = "/bin/sh"
        derivation.arguments = ["-c", "echo \"hi\" > $out\n\t\\"]
        derivation.environment = ["name": "a", "builder": "/bin/sh", "system": "x86_64-linux"]
        derivation.outputs = ["out": .deferred, "dev": .deferred]
        derivation.inputSources = [try StorePath("1rz4g4znpzjwh1xymhjpm42vipw92pr7-src")]
        derivation.inputDerivations = [try StorePath("2rz4g4znpzjwh1xymhjpm42vipw92pr7-b.drv"): ["out", "dev"]]
        return derivation
    }

    @Test func readsWhatItWrites() throws {
        var derivation = try example()
        try derivation.fillOutputPaths(in: store, inputs: NoInputs())
        let text = try derivation.aterm(in: store)
        #expect(try Derivation(aterm: text, name: "a", in: store) == derivation)
        #expect(String(decoding: text, as: UTF8.self).hasPrefix("Derive([(\"dev\",\"/nix/store/"))
        #expect(String(decoding: text, as: UTF8.self).contains(#""echo \"hi\" > $out\n\t\\""#))
    }

    @Test func refusesOutputNamesThatNoPathCanHave() {
        let digest = String(repeating: "0", count: 64)
        for name in ["  t", "", "a/b"] {
            let text = #"Derive([("\#(name)","","r:sha256","\#(digest)")],[],[],"s","b",[],[])"#
            #expect(throws: StoreError.self) { try Derivation(aterm: Array(text.utf8), name: "a", in: store) }
            let input = "/nix/store/2rz4g4znpzjwh1xymhjpm42vipw92pr7-b.drv"
            let inputs = #"Derive([("out","","","")],[("\#(input)",["\#(name)"])],[],"s","b",[],[])"#
            #expect(throws: StoreError.self) { try Derivation(aterm: Array(inputs.utf8), name: "a", in: store) }
        }
    }

    @Test func endsCutShortAreErrors() throws {
        var derivation = try example()
        try derivation.fillOutputPaths(in: store, inputs: NoInputs())
        let text = try derivation.aterm(in: store)
        for length in 0..<text.count {
            #expect(throws: StoreError.self) {
                try Derivation(aterm: Array(text[..<length]), name: "a", in: store)
            }
        }
        #expect(throws: StoreError.self) { try Derivation(aterm: text + [0x20], name: "a", in: store) }
    }

    @Test func aFixedOutputDependsOnItsContentAlone() throws {
        var one = try example()
        one.outputs = ["out": .fixed(ContentAddress(method: .recursive, hash: Hash(.sha256, of: "x")))]
        var other = one
        other.builder = "/bin/other"
        #expect(try one.hashModulo(in: store, inputs: NoInputs()) == other.hashModulo(in: store, inputs: NoInputs()))
        #expect(try one.path(of: "out", in: store) == other.path(of: "out", in: store))
        #expect(try one.storePath(in: store) != other.storePath(in: store))
    }
}
