import NixStore

/// Finds which store paths' hashes occur in a stream of bytes. Only as much is held as a hash is long.
struct ReferenceScanner {
    /// What is looked for, and not found yet, by hash part.
    private var wanted: [[UInt8]: StorePath] = [:]
    private(set) var found: Set<StorePath> = []
    /// The end of what came before: a hash may begin there.
    private var tail: [UInt8] = []

    private static let length = StorePath.hashLength
    /// Whether a byte is a digit of the hashes.
    private static let isDigit: [Bool] = (0...255).map { Base32.isValid(CollectionOfOne(UInt8($0))) }

    init(_ candidates: some Sequence<StorePath>) {
        for path in candidates { wanted[Array(path.hashPart.utf8)] = path }
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard !wanted.isEmpty, !bytes.isEmpty else { return }
        if !tail.isEmpty {
            // Everything that begins before this piece and ends in it.
            let joined = tail + bytes.prefix(Self.length - 1)
            joined.withUnsafeBytes { search($0) }
        }
        search(bytes)
        if bytes.count >= Self.length - 1 {
            tail = Array(bytes.suffix(Self.length - 1))
        } else {
            tail = Array((tail + bytes).suffix(Self.length - 1))
        }
    }

    private mutating func search(_ bytes: UnsafeRawBufferPointer) {
        var at = 0
        while at + Self.length <= bytes.count {
            // From the end: a byte that is no digit rules out all places up to it.
            var offset = Self.length - 1
            while offset >= 0, Self.isDigit[Int(bytes[at + offset])] { offset -= 1 }
            if offset >= 0 {
                at += offset + 1
                continue
            }
            if let path = wanted.removeValue(forKey: Array(bytes[at..<at + Self.length])) { found.insert(path) }
            at += 1
        }
    }
}

/// What an archive is and names, worked out in one pass.
struct ScannedArchive {
    let hash: Hash
    let size: UInt64
    let references: Set<StorePath>

    /// - Parameter file: on disk.
    init(of file: String, candidates: some Sequence<StorePath>) throws {
        let pass = Pass(candidates)
        try NARWriter(source: DirectorySource(), output: pass.update).write(file)
        (hash, size, references) = pass.finish()
    }

    /// Gathers an archive's small records into long pieces.
    private final class Pass {
        private var stream = HashStream(.sha256)
        private var size: UInt64 = 0
        private var scanner: ReferenceScanner
        private var pending: [UInt8] = []

        init(_ candidates: some Sequence<StorePath>) { scanner = ReferenceScanner(candidates) }

        func update(_ bytes: UnsafeRawBufferPointer) {
            size += UInt64(bytes.count)
            if bytes.count > 4096 {
                flush()
                feed(bytes)
            } else {
                pending.append(contentsOf: bytes)
                if pending.count > 1 << 15 { flush() }
            }
        }

        private func feed(_ bytes: UnsafeRawBufferPointer) {
            stream.update(bytes)
            scanner.update(bytes)
        }

        private func flush() {
            pending.withUnsafeBytes { feed($0) }
            pending.removeAll(keepingCapacity: true)
        }

        func finish() -> (Hash, UInt64, Set<StorePath>) {
            flush()
            return (stream.finish(), size, scanner.found)
        }
    }
}
