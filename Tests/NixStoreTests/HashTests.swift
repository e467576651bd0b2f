import NixStore
import Testing

@Suite struct HashTests {
    /// The digest of nothing, in every form, as `nix hash` prints it.
    @Test func printsEveryForm() {
        let hash = Hash(.sha256, of: "")
        #expect(hash.text(.base16) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(hash.text(.nix32) == "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73")
        #expect(hash.text(.base64) == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
        #expect(hash.text(.sri) == "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
        #expect(hash.text(.nix32, withAlgorithm: true).hasPrefix("sha256:0mdqa9w1"))
        #expect(Hash(.md5, of: "").text(.base16) == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(Hash(.sha1, of: "").text(.base16) == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
    }

    @Test(arguments: HashAlgorithm.allCases) func readsWhatItPrints(_ algorithm: HashAlgorithm) throws {
        for length in 0..<40 {
            let hash = Hash(algorithm, of: [UInt8](repeating: UInt8(length), count: length))
            for format in Hash.Format.allCases {
                #expect(try Hash(parsing: hash.text(format), algorithm: algorithm) == hash)
                #expect(try Hash(parsing: hash.text(format, withAlgorithm: true)) == hash)
            }
        }
    }

    @Test(arguments: [
        "", "sha256", "sha256:", "sha256-", "sha256:00", "md4:00", "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF",
        "sha256:zzb0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha256:emdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
        "sha256:zmdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ]) func refusesWhatIsNone(_ text: String) {
        #expect(throws: StoreError.self) { try Hash(parsing: text) }
    }

    @Test func refusesAnotherKind() {
        #expect(throws: StoreError.self) { try Hash(parsing: Hash(.sha1, of: "").text(.sri), algorithm: .sha256) }
    }

    @Test func base32GoesRound() {
        for length in 0..<70 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }
            #expect(Base32.decode(Array(Base32.encode(bytes).utf8)) == bytes)
            #expect(Base32.encode(bytes).utf8.count == Base32.length(of: length))
            #expect(Base16.decode(Array(Base16.encode(bytes).utf8)) == bytes)
            #expect(Base64.decode(Array(Base64.encode(bytes).utf8)) == bytes)
        }
    }
}

/// Long runs of bytes are hashed on a thread of their own; the hash is the same.
@Suite struct OverlappedHashTests {
    /// Bytes in which no two stretches are alike.
    private static func bytes(_ count: Int) -> [UInt8] {
        var state: UInt64 = 1
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }

    @Test(arguments: [0, 1, 131_071, 131_072, 131_073, 4 << 20, (4 << 20) + 1, 6_000_001])
    func anyLengthInAnyPieces(_ count: Int) throws {
        let bytes = Self.bytes(count)
        for size in [count + 1, 70_001, 262_144] {
            let hashing = OverlappedHash(.sha256)
            defer { hashing.end() }
            for start in stride(from: 0, to: count, by: size) {
                bytes[start..<min(start + size, count)].withUnsafeBytes { hashing.update($0) }
            }
            #expect(hashing.finish() == Hash(.sha256, of: bytes))
            #expect(hashing.count == UInt64(count))
        }
    }

    @Test(arguments: HashAlgorithm.allCases) func archivesOfLargeTrees(_ algorithm: HashAlgorithm) throws {
        let large = Self.bytes(5_000_003)
        let tree = TreeSource(
            root: .directory([
                "a": .file(large, isExecutable: true), "b": .link("a"), "c": .file([1], isExecutable: false),
            ]))
        var archive: [UInt8] = []
        try NARWriter(source: tree) { archive += $0 }.write("/")
        let (hash, size) = try Hash.andSize(algorithm, archiveOf: "/", in: tree)
        #expect(hash == Hash(algorithm, of: archive))
        #expect(size == UInt64(archive.count))
    }

    /// What reads fails in the middle, with the thread at work.
    @Test func aReaderThatFails() throws {
        struct Gone: Error {}
        struct Failing: NARSource {
            func kind(of path: ByteString) -> FileKind { .regular }
            func isExecutable(_ path: ByteString) -> Bool { false }
            func target(ofLink path: ByteString) -> [UInt8] { [] }
            func names(in path: ByteString) -> [ByteString] { [] }
            func read(_ path: ByteString, size: (UInt64) -> Void, body: (UnsafeRawBufferPointer) -> Void) throws {
                size(1 << 30)
                let bytes = [UInt8](repeating: 7, count: 5 << 20)
                bytes.withUnsafeBytes(body)
                throw Gone()
            }
        }
        #expect(throws: Gone.self) { try Hash(.sha256, archiveOf: "/x", in: Failing()) }
    }
}
