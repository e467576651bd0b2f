import JSON

/// A reference to a blob: its type, digest and size (descriptor.md).
public struct Descriptor: JSONRecord {
    public var mediaType: String?
    public var digest = Digest.empty
    /// In bytes.
    public var size: Int64 = 0
    public var urls: [String]?
    public var annotations: [String: String]?
    /// The blob itself, in base64.
    public var data: String?
    public var artifactType: String?
    public var platform: Platform?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(mediaType: String?, digest: Digest, size: Int64, annotations: [String: String]? = nil) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.annotations = annotations
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.optional("mediaType", &mediaType)
        json.required("digest", &digest)
        json.required("size", &size)
        json.optional("urls", &urls)
        json.optional("annotations", &annotations)
        json.optional("data", &data)
        json.optional("artifactType", &artifactType)
        json.optional("platform", &platform)
    }
}
