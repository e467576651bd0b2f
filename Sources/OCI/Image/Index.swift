import JSON

/// An image index: manifests of one image for several platforms (image-index.md), or Docker's manifest list.
public struct Index: JSONRecord {
    public var schemaVersion = 2
    public var mediaType: String?
    public var artifactType: String?
    public var manifests: [Descriptor] = []
    public var subject: Descriptor?
    public var annotations: [String: String]?
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.always("schemaVersion", &schemaVersion)
        json.optional("mediaType", &mediaType)
        json.optional("artifactType", &artifactType)
        json.always("manifests", &manifests)
        json.optional("subject", &subject)
        json.optional("annotations", &annotations)
    }

    /// The manifests of real images: attestations and artifacts left out.
    public var images: [Descriptor] {
        manifests.filter {
            $0.annotations?[Annotation.dockerReferenceType] == nil
                && !($0.platform?.os == "unknown" && $0.platform?.architecture == "unknown")
        }
    }

    /// The descriptor that suits `platform` best; of equals, the first.
    ///
    /// A manifest without a platform suits any, but only when no other does.
    public func manifest(for platform: Platform) -> Descriptor? {
        var best: (descriptor: Descriptor, rank: Int)?
        for descriptor in images {
            guard let rank = descriptor.platform.map({ platform.rank(of: $0) }) ?? Int.max - 1,
                rank < best?.rank ?? Int.max
            else { continue }
            best = (descriptor, rank)
        }
        return best?.descriptor
    }
}
