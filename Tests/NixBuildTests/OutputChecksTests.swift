import NixStore
import Testing

@testable import NixBuild

@Suite struct OutputChecksTests {
    private func check(
        _ attributes: [ByteString: ByteString], _ info: PathInfo, _ outputs: [String: PathInfo], _ place: Place
    ) throws {
        var derivation = Derivation(name: "x")
        derivation.environment = attributes
        try OutputChecks(of: "out", derivation, nil).check(info, outputs: outputs, in: place.store)
    }

    @Test func referencesAndRequisitesAreTold() throws {
        let place = try Place()
        let far = try place.text("far")
        let near = try place.text("near", references: [far])
        var info = PathInfo(
            path: try StorePath("0123456789abcdfghijklmnpqrsvwxyz-x"), narHash: .zero(.sha256), narSize: 1)
        info.references = [near, info.path]
        let outputs = ["out": info]
        let (nearText, farText) = (place.store.directory.print(near), place.store.directory.print(far))
        for (name, value, isFine) in [
            ("disallowedReferences", farText, true), ("disallowedReferences", nearText, false),
            ("disallowedReferences", "out", false), ("disallowedRequisites", farText, false),
            ("disallowedRequisites", "out", true), ("allowedReferences", nearText, false),
            ("allowedReferences", nearText + " out", true), ("allowedRequisites", nearText, false),
            ("allowedRequisites", nearText + "\n" + farText, true), ("allowedReferences", "nosuch", false),
        ] {
            let attributes = [ByteString(name): ByteString(value)]
            if isFine {
                #expect(throws: Never.self, "\(name) \(value)") { try check(attributes, info, outputs, place) }
            } else {
                #expect(throws: BuildError.self, "\(name) \(value)") { try check(attributes, info, outputs, place) }
            }
        }
    }
}
