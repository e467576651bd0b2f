import JSON
import OCI
import Testing

@Suite struct DigestTests {
    private let hex = String(repeating: "0a", count: 32)

    @Test func parsing() throws {
        let digest = try Digest("sha256:\(hex)")
        #expect(digest.algorithm == .sha256 && digest.hex == hex && digest.short == "0a0a0a0a0a0a")
        #expect(digest.description == "sha256:\(hex)")
        #expect(try Digest("sha512:\(hex)\(hex)").algorithm == .sha512)
        #expect(try Digest(bytes: [UInt8](repeating: 10, count: 32)) == digest)
        #expect(try Digest(json: digest.json) == digest)
    }

    @Test(arguments: [
        "", "sha256", "sha256:", "md5:0a", ":0a", "sha256:0a", "sha256:\(String(repeating: "0A", count: 32))",
        "sha256:\(String(repeating: "g", count: 64))", "sha512:\(String(repeating: "0a", count: 32))",
        "sha256:\(String(repeating: "0", count: 63))/", "sha256:../../../etc/passwd",
        "SHA256:\(String(repeating: "0", count: 64))",
    ])
    func whatIsNone(_ text: String) throws {
        #expect(throws: OCIError.self) { try Digest(text) }
        #expect(throws: JSONError.self) { try Digest(json: .string(text)) }
    }
}

@Suite struct DateTimeTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0, 0), ("2024-02-29T23:59:59.5Z", 1_709_251_199, 500_000_000),
        ("2024-05-06T09:08:09.000000001+02:00", 1_714_979_289, 1), ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
        ("1969-12-31T23:59:59.999999999Z", -1, 999_999_999), ("2038-01-19T03:14:08Z", 2_147_483_648, 0),
    ])
    func parsing(_ text: String, _ seconds: Int64, _ nanoseconds: Int64) throws {
        let time = try DateTime(text)
        #expect(time.seconds == seconds && time.nanoseconds == nanoseconds)
        #expect(try DateTime(time.description) == time)
    }

    @Test func writing() {
        #expect(DateTime.zero.description == "0001-01-01T00:00:00Z")
        #expect(DateTime(seconds: 1_709_251_199, nanoseconds: 120_000_000).description == "2024-02-29T23:59:59.12Z")
    }

    @Test(arguments: [
        "", "2024", "2024-01-01", "2024-01-01T00:00:00", "2024-13-01T00:00:00Z", "2024-01-01T25:00:00Z",
        "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00+0200", "2024-01-01T00:00:00Zx", "-024-01-01T00:00:00Z",
    ])
    func whatIsNone(_ text: String) {
        #expect(throws: OCIError.self) { try DateTime(text) }
    }
}
