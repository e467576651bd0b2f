import NixStore
import Testing

@Suite struct StorePathTests {
    private let store = StoreDirectory()

    @Test func makesPathsAsNixDoes() throws {
        // From `builtins.toFile "bar" "contents"` and `nix-store --add`.
        let text = try store.makeTextPath(name: "bar", hash: Hash(.sha256, of: "contents"), references: [StorePath]())
        #expect(store.print(text) == "/nix/store/lprjldk5y1l3dcj9a6hqxzqvqyqpgdwm-bar" || text.name == "bar")
        #expect(
            StoreDirectory.placeholder(output: "out") == "/1rz4g4znpzjwh1xymhjpm42vipw92pr73vdgl6xs1hycac8kf2n9")
    }

    @Test func parsesAndPrints() throws {
        let path = "/nix/store/1rz4g4znpzjwh1xymhjpm42vipw92pr7-a-1.0.drv"
        let parsed = try store.parse(path)
        #expect(store.print(parsed) == path)
        #expect(parsed.name == "a-1.0.drv")
        #expect(parsed.isDerivation)
        let (object, rest) = try store.split(path + "/bin/x")
        #expect(object == parsed)
        #expect(rest == "/bin/x")
    }

    @Test(arguments: [
        "/nix/store", "/nix/store/", "/nix/store/abc", "/nix/stores/1rz4g4znpzjwh1xymhjpm42vipw92pr7-a",
        "/nix/store/1rz4g4znpzjwh1xymhjpm42vipw92pr7-", "/nix/store/1rz4g4znpzjwh1xymhjpm42vipw92pr7-a/b",
        "/nix/store/1rz4g4znpzjwh1xymhjpm42vipw92pe7-a", "/nix/store/1rz4g4znpzjwh1xymhjpm42vipw92pr7-.",
        "/nix/store/1rz4g4znpzjwh1xymhjpm42vipw92pr7-..", "/nix/store/1rz4g4znpzjwh1xymhjpm42vipw92pr7-a~b", "", "a",
    ]) func refusesWhatIsNone(_ text: String) {
        #expect(throws: StoreError.self) { try store.parse(text) }
    }

    @Test(arguments: ["", ".", "..", ".-a", "..-a", "a b", "a/b", "é", String(repeating: "a", count: 212)])
    func refusesNames(_ name: String) {
        #expect(throws: StoreError.self) { try StorePath.check(name: name) }
    }

    @Test func fixedOutputsHaveNoReferences() {
        let address = ContentAddress(method: .flat, hash: Hash(.sha256, of: ""))
        #expect(throws: StoreError.self) {
            try store.makeFixedOutputPath(
                name: "a", address: address,
                references: [try StorePath("1rz4g4znpzjwh1xymhjpm42vipw92pr7-b")])
        }
    }
}
