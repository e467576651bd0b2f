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

    public mutating func members(_ json: inout JSONMembers) {
        json.always("schemaVersion", &schemaVersion)
        json.optional("mediaType", &mediaType)
        json.optional("artifactType", &artifactType)
        json.required("config", &config)
        json.always("layers", &layers)
        json.optional("subject", &subject)
        json.optional("annotations", &annotations)
    }
}
