import NixStore
import Testing

@Suite struct NarInfoTests {
    private let directory = StoreDirectory()

    /// From cache.nixos.org's documentation of the format; signature and key are real.
    private let sample = """
        StorePath: /nix/store/5jf5r6h3wscvfcl4yx9lk164r95m11qh-c
        URL: nar/07llgbvfkg2fxrzbp73h0jxf3al4ccim355xa5gr478najlsn5qs.nar.zst
        Compression: zstd
        FileHash: sha256:07llgbvfkg2fxrzbp73h0jxf3al4ccim355xa5gr478najlsn5qs
        FileSize: 162
        NarHash: sha256:1cx7n3wf89d7zzkdz5x363b052awbdad2gc4immhmiq1pxdwfx5c
        NarSize: 208
        References: 8lwdbfh1dibrxqv0j9cc34gm6lb2v8rl-b vmg5na96ajnh1v932j9jdzfc3022vbh9-a
        Sig: t-1:Ec1xuD1tzMiEtBN9YqOQJk1alrH7ugRmM9pfjZawo1ldED8yHQiVnG0EmWXu6z0DYARWVCoNpXny1p4AG8W4Cw==
        CA: text:sha256:0371prhnij10pznfx3avr59rmxy1wr560nmfdx8p0akvs6b66sh1

        """
    private let key = "t-1:IToWszioeQYUUlM+4k/FmbHWjQynd1Cr8kyWtmMJc9Q="

    private func parse(_ text: String) throws -> NarInfo {
        try NarInfo(parsing: Array(text.utf8), in: directory, from: "test")
    }

    @Test func readsAndPrints() throws {
        let info = try parse(sample)
        #expect(info.text(in: directory) == sample)
        #expect(info.info.references.count == 2)
        #expect(info.fileSize == 162)
        #expect(info.info.isContentAddressed(in: directory))
    }

    @Test func fingerprintAndSignature() throws {
        var info = try parse(sample).info
        #expect(
            info.fingerprint(in: directory)
                == "1;/nix/store/5jf5r6h3wscvfcl4yx9lk164r95m11qh-c;"
                + "sha256:1cx7n3wf89d7zzkdz5x363b052awbdad2gc4immhmiq1pxdwfx5c;208;"
                + "/nix/store/8lwdbfh1dibrxqv0j9cc34gm6lb2v8rl-b,/nix/store/vmg5na96ajnh1v932j9jdzfc3022vbh9-a")
        let keys = try TrustedKeys(parsing: " \(key)\n")
        #expect(info.countSignatures(by: keys, in: directory) == 1)
        info.narSize += 1
        #expect(info.countSignatures(by: keys, in: directory) == 0)
        info.contentAddress = nil
        #expect(throws: StoreError.self) { try info.checkSignatures(keys, in: directory, from: "test") }
    }

    @Test func aChangedContentAddressIsNone() throws {
        var info = try parse(sample).info
        info.references.removeFirst()
        #expect(!info.isContentAddressed(in: directory))
        info = try parse(sample).info
        info.contentAddress = "fixed:r:sha256:0371prhnij10pznfx3avr59rmxy1wr560nmfdx8p0akvs6b66sh1"
        #expect(!info.isContentAddressed(in: directory))
        info.contentAddress = "nonsense"
        #expect(!info.isContentAddressed(in: directory))
    }

    @Test(arguments: [
        ("StorePath: /nix/store/5jf5", "StorePath: /nix/store/../5jf5"), ("NarSize: 208", "NarSize: -1"),
        ("NarSize: 208", "NarSize: 0"), ("NarSize: 208", "NarSize: 99999999999999999999999"), ("NarSize: 208\n", ""),
        ("NarHash: sha256:1cx", "NarHash: sha256:1ex"), ("NarHash: sha256", "NarHash: md5"),
        ("References: 8lw", "References: ../lw"), ("URL: nar", "URLnar"), ("FileSize: 162", "FileSize: 1 62"),
        ("Compression: zstd", "Compression: zstd\nNarSize: 3"), ("\nURL", "\n<html>\nURL"),
        ("References: 8lw", "References: /nix/store/8lw"), ("StorePath: ", "StorePath:"),
    ])
    func refuses(from: String, to: String) {
        let text = sample.replacing(from, with: to)
        #expect(text != sample)
        let error = #expect(throws: StoreError.self) { try parse(text) }
        #expect(error?.reason.contains("corrupt") == true)
    }

    @Test func randomOnesSurvive() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            func path(_ name: String) throws -> StorePath {
                try directory.makePath(
                    type: "output:out", hash: Hash(.sha256, of: "\(random.next())"), name: name)
            }
            var info = PathInfo(
                path: try path("object-\(random.next() % 1000)"), narHash: Hash(.sha256, of: "\(random.next())"),
                narSize: random.next() >> UInt64(random.next() % 60) | 1)
            for _ in 0..<random.next() % 5 { info.references.insert(try path("r")) }
            if Bool.random() { info.deriver = try path("d.drv") }
            if Bool.random() { info.contentAddress = "text:sha256:\(Hash(.sha256, of: "x").text(.nix32))" }
            for index in 0..<random.next() % 3 { info.signatures.append("k\(index):AAAA") }
            var narInfo = NarInfo(info, url: "nar/x.nar", compression: ["xz", "none", "br"].randomElement() ?? "xz")
            if Bool.random() { narInfo.fileHash = Hash(.sha256, of: "\(random.next())") }
            if Bool.random() { narInfo.fileSize = random.next() }
            if Bool.random() { narInfo.system = "x86_64-linux" }
            #expect(try parse(narInfo.text(in: directory)) == narInfo)
        }
    }

    /// Whatever comes is read or refused, and what is read can be printed and read again.
    @Test func damagedOnesAreReadOrRefused() throws {
        var refused = 0
        for _ in 0..<3000 {
            var bytes = Array(sample.utf8)
            for _ in 0..<Int.random(in: 1...4) {
                let at = Int.random(in: 0..<bytes.count)
                switch Int.random(in: 0...3) {
                case 0: bytes[at] = UInt8.random(in: 0...255)
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(UInt8.random(in: 0...255), at: at)
                default: bytes.removeSubrange(at..<min(at + 40, bytes.count))
                }
                if bytes.isEmpty { bytes = [0x0A] }
            }
            do {
                let info = try NarInfo(parsing: bytes, in: directory, from: "test")
                let again = try NarInfo(parsing: Array(info.text(in: directory).utf8), in: directory, from: "test")
                #expect(again.info.fingerprint(in: directory) == info.info.fingerprint(in: directory))
            } catch { refused += 1 }
        }
        #expect(refused > 1000)
    }

    @Test func keys() throws {
        let secret = try SigningKey(generating: "host-1")
        let again = try SigningKey(parsing: secret.secretText + "\n")
        #expect(again.publicKey.text == secret.publicKey.text)
        let signature = try again.signature(of: "text")
        let keys = TrustedKeys([secret.publicKey])
        #expect(keys.verify(signature, of: "text"))
        #expect(!keys.verify(signature, of: "texts"))
        #expect(!keys.verify(signature.replacing("host-1", with: "host-2"), of: "text"))
        for text in ["", "x", ":AAAA", "name:", "name:!!!!", "name:AAAA", "na me:AAAA"] {
            #expect(throws: StoreError.self) { try SigningKey(parsing: text) }
            #expect(throws: StoreError.self) { try VerificationKey(parsing: text) }
            #expect(!keys.verify(text, of: "text"))
        }
        #expect(throws: StoreError.self) { try SigningKey(generating: "a:b") }
        // Halves of two keys.
        let other = try SigningKey(generating: "host-1")
        let halves =
            (Base64.decode(secret.secretText.dropFirst(7).utf8) ?? []).prefix(32)
            + (Base64.decode(other.secretText.dropFirst(7).utf8) ?? []).suffix(32)
        #expect(throws: StoreError.self) { try SigningKey(parsing: "host-1:" + Base64.encode(Array(halves))) }
    }
}
