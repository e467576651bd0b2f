import JSON

/// The `oci-layout` file that marks a directory as an OCI image layout (image-layout.md).
public struct ImageLayout: JSONRecord {
    public var imageLayoutVersion = ImageLayout.version
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.required("imageLayoutVersion", &imageLayoutVersion)
    }

    public static let version = "1.0.0"
    public static let fileName = "oci-layout"
    public static let indexName = "index.json"

    /// Where a blob lies in a layout: `blobs/sha256/<hex>`.
    public static func blobPath(_ digest: Digest) -> String { "blobs/\(digest.algorithm.rawValue)/\(digest.hex)" }
}
