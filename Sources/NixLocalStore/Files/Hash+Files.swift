import NixStore

extension Hash {
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
