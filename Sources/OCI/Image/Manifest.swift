import JSON

/// An image manifest (manifest.md), or Docker's schema 2.
public struct Manifest: JSONRecord {
    public var schemaVersion = 2
    public var mediaType: String?
    public var artifactType: String?
    public var config = Descriptor()
    /// The layers, lowest first.
    public var layers: [Descriptor] = []
    public var subject: Descriptor?
    public var annotations: [String: String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .always("schemaVersion", \.schemaVersion),
        .optional("mediaType", \.mediaType),
        .optional("artifactType", \.artifactType),
        .required("config", \.config),
        .always("layers", \.layers),
        .optional("subject", \.subject),
        .optional("annotations", \.annotations))
}
