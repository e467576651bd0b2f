extension Hash {
    /// The hash of a file's bytes.
    public init(_ algorithm: HashAlgorithm, contentsOf path: String, in source: any NARSource) throws {
        try self.init(algorithm, contentsOf: ByteString(path), in: source)
    }

    public init(_ algorithm: HashAlgorithm, contentsOf path: ByteString, in source: any NARSource) throws {
        let hashing = OverlappedHash(algorithm)
        defer { hashing.end() }
        try source.read(path, size: { _ in }, body: hashing.update)
        self = hashing.finish()
    }

    /// The hash of the archive of `path`.
    public init(
        _ algorithm: HashAlgorithm, archiveOf path: String, in source: any NARSource,
        accepts: @escaping (String) throws -> Bool = { _ in true }
    ) throws {
        try self.init(algorithm, archiveOf: ByteString(path), in: source, accepts: accepts)
    }

    public init(
        _ algorithm: HashAlgorithm, archiveOf path: ByteString, in source: any NARSource,
        accepts: @escaping (String) throws -> Bool = { _ in true }
    ) throws {
        self = try Self.andSize(algorithm, archiveOf: path, in: source, accepts: accepts).hash
    }

    /// Hash and length of the archive of `path`.
    public static func andSize(
        _ algorithm: HashAlgorithm = .sha256, archiveOf path: ByteString, in source: any NARSource = DirectorySource(),
        accepts: @escaping (String) throws -> Bool = { _ in true }
    ) throws -> (hash: Hash, size: UInt64) {
        let hashing = OverlappedHash(algorithm)
        defer { hashing.end() }
        try NARWriter(source: source, accepts: accepts, output: hashing.update).write(path)
        return (hashing.finish(), hashing.count)
    }

    public static func andSize(
        archiveOf path: String, in source: any NARSource = DirectorySource()
    ) throws -> (hash: Hash, size: UInt64) {
        try andSize(archiveOf: ByteString(path), in: source)
    }
}
