import Fuzzing
import JSON
import OCI

/// Reads a document as one type, and checks that what is written of it reads the same.
func check<Document: JSONRecord & Equatable>(_ type: Document.Type, _ value: JSONValue) -> Document? {
    guard let document = try? Document(json: value) else { return nil }
    guard let again = try? Document(json: document.json), again == document else {
        finding("a document of type \(type) changes when it is written")
    }
    return document
}

fuzz { bytes in
    guard let value = try? JSONValue(parsing: bytes) else { return }
    if let index = check(Index.self, value) { _ = index.manifest(for: .host) }
    _ = check(Manifest.self, value)
    _ = check(Descriptor.self, value)
    if let config = check(ImageConfig.self, value) {
        _ = Platform.host.runs(config.platform)
        _ = config.created.flatMap { try? DateTime($0) }
    }
    // docker-archive's manifest.json and `repositories`.
    for entry in value.array ?? [] {
        for name in entry["RepoTags"]?.array ?? [] { _ = try? ImageReference(name.string ?? "").withDefaultTag }
    }
    _ = try? [String: [String: String]](json: value)
}
