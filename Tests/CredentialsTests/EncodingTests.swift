import Credentials
import Testing

@Suite struct EncodingTests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ])
    func base64OfTheStandard(_ plain: String, _ text: String) {
        #expect(Base64.encode(Array(plain.utf8)) == text)
        #expect(Base64.decode(text) == Array(plain.utf8))
        #expect(Base64.decode(text.filter { $0 != "=" }) == Array(plain.utf8))
    }

    @Test func everyByteSurvives() {
        let bytes = (0...255).map { UInt8($0) }
        for isURLSafe in [false, true] {
            #expect(Base64.decode(Base64.encode(bytes, isURLSafe: isURLSafe)) == bytes)
        }
        #expect(!Base64.encode(bytes, isURLSafe: true).contains { "+/".contains($0) })
    }

    @Test(arguments: ["A", "AA=A", "A===", "A*AA", "====", "AAAAA"])
    func othersAreRefused(_ text: String) { #expect(Base64.decode(text) == nil) }

    @Test func headerOfTheEngineInterface() throws {
        let config = AuthConfig(.password(username: "me", password: "ä/?"), serverAddress: "example.com")
        let read = try AuthConfig(header: config.header)
        #expect(read == config)
        #expect(read.credential == .password(username: "me", password: "ä/?"))
        #expect(try AuthConfig(header: "").credential == nil)
        #expect(try AuthConfig(header: "bnVsbA==").credential == nil)
        #expect(throws: (any Error).self) { try AuthConfig(header: "*") }
        #expect(throws: (any Error).self) { try AuthConfig(header: "W10=") }
    }
}
