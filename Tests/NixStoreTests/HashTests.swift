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
