import NixStore

extension Hash {
    /// The hash of a file's bytes.
    public init(_ algorithm: HashAlgorithm, contentsOf path: String, in source: any NARSource) throws {
        var stream = HashStream(algorithm)
        try source.read(path, size: { _ in }, body: { stream.update($0) })
        self = stream.finish()
    }

    /// SHA-256 and length of the archive of `path`.
    public static func andSize(
        archiveOf path: String, in source: any NARSource = DirectorySource()
    ) throws -> (hash: Hash, size: UInt64) {
        var counter = CountingHash()
        try withUnsafeMutablePointer(to: &counter) { counter in
            try NARWriter(source: source) { counter.pointee.update($0) }.write(path)
        }
        return counter.finish()
    }
}

private struct CountingHash {
    private var stream = HashStream(.sha256)
    private var size: UInt64 = 0

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        stream.update(bytes)
        size += UInt64(bytes.count)
    }

    func finish() -> (hash: Hash, size: UInt64) { (stream.finish(), size) }
}
