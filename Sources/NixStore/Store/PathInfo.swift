/// What a store knows of one of its objects.
public struct PathInfo: Sendable, Hashable {
    public var path: StorePath
    /// SHA-256 of the object's archive.
    public var narHash: Hash
    /// Length of the object's archive in bytes.
    public var narSize: UInt64
    /// The objects that its bytes name, itself among them where it names itself.
    public var references: Set<StorePath>
    /// The derivation that it was built from.
    public var deriver: StorePath?
    /// When the store took it in, in seconds since 1970.
    public var registrationTime: Int64
    /// Whether it was built here, and needs nobody's signature.
    public var isUltimate: Bool
    /// `name:base64`, each by one key.
    public var signatures: [String]
    /// `text:sha256:…`, `fixed:sha256:…` or `fixed:r:sha256:…`, where the content alone gives the path.
    public var contentAddress: String?

    public init(
        path: StorePath, narHash: Hash, narSize: UInt64, references: Set<StorePath> = [], deriver: StorePath? = nil,
        registrationTime: Int64 = 0, isUltimate: Bool = false, signatures: [String] = [], contentAddress: String? = nil
    ) {
        self.path = path
        self.narHash = narHash
        self.narSize = narSize
        self.references = references
        self.deriver = deriver
        self.registrationTime = registrationTime
        self.isUltimate = isUltimate
        self.signatures = signatures
        self.contentAddress = contentAddress
    }
}
