import Archive
import OCI

/// What a copy is to be like.
public struct CopyOptions: Sendable {
    /// Which of a list's images go.
    public enum Instances: Sendable, Equatable {
        /// The one for the platform.
        case system
        case all
        /// None: the list alone, whose images must be there already.
        case indexOnly
    }

    public var instances = Instances.system
    /// The platform to choose from a list; `nil` is this machine's.
    public var platform: Platform?
    /// The family of documents to make; `nil` keeps what is there where the destination can.
    public var family: ManifestFamily?
    /// Instead of what the destination prefers.
    public var layers: LayerPreference?
    public var compression: Compression?
    /// `nil` for a level that is as fast, and makes layers as small, as containers/image's.
    public var compressionLevel: Int?
    /// Whether an image that would get another digest is refused instead.
    public var preservesDigests = false
    /// How many blobs travel side by side.
    public var parallelBlobs = 6
    /// How often a blob is begun anew whose source broke off for good.
    public var retries = 3

    public init() {}
}
