import OCI
import Testing

@Suite struct ImageReferenceTests {
    private static let digest = "sha256:" + String(repeating: "0a", count: 32)

    @Test(arguments: [
        ("debian", "docker.io/library/debian", "debian"),
        ("debian:12", "docker.io/library/debian:12", "debian:12"),
        ("docker.io/debian", "docker.io/library/debian", "debian"),
        ("index.docker.io/debian:12", "docker.io/library/debian:12", "debian:12"),
        ("library/debian", "docker.io/library/debian", "debian"),
        ("docker.io/library/foo/bar", "docker.io/library/foo/bar", "library/foo/bar"),
        ("user/app", "docker.io/user/app", "user/app"),
        ("quay.io/user/app:v1.2-rc_3", "quay.io/user/app:v1.2-rc_3", "quay.io/user/app:v1.2-rc_3"),
        ("localhost/app", "localhost/app", "localhost/app"),
        ("localhost:5000/a/b/c:1", "localhost:5000/a/b/c:1", "localhost:5000/a/b/c:1"),
        ("[2001:db8::1]:5000/app", "[2001:db8::1]:5000/app", "[2001:db8::1]:5000/app"),
        ("HOST/app", "HOST/app", "HOST/app"),
        ("a__b/c---d/e.f", "docker.io/a__b/c---d/e.f", "a__b/c---d/e.f"),
        ("debian@\(digest)", "docker.io/library/debian@\(digest)", "debian@\(digest)"),
        ("debian:12@\(digest)", "docker.io/library/debian:12@\(digest)", "debian:12@\(digest)"),
    ])
    func normalisation(_ text: String, _ canonical: String, _ familiar: String) throws {
        let reference = try ImageReference(text)
        #expect(reference.canonicalName == canonical)
        #expect(reference.familiarName == familiar)
        // Both forms read back as the same reference.
        #expect(try ImageReference(canonical) == reference)
        #expect(try ImageReference(familiar) == reference)
    }

    @Test func parts() throws {
        let reference = try ImageReference("localhost:5000/a/b")
        #expect(reference.domain == "localhost:5000" && reference.path == "a/b" && reference.tag == nil)
        #expect(reference.withDefaultTag.tag == "latest")
        #expect(try reference.tagged("x").canonicalName == "localhost:5000/a/b:x")
        #expect(try reference.digested(Digest(Self.digest)).withDefaultTag.tag == nil)
        #expect(throws: OCIError.self) { try reference.tagged("not a tag") }
        #expect(try ImageReference("debian:12").repository.canonicalName == "docker.io/library/debian")
    }

    @Test(arguments: [
        "", ":", "@", "debian:", ":12", "Debian", "user/App", "a//b", "/a", "a/", "a..b", "a___b", "a.-b", "-a", "a-",
        "_a", "a b", "a\nb", "a\u{0}b", "debian:-1", "debian:\(String(repeating: "1", count: 129))", "debian@sha256:12",
        "debian@md5:0a", "host:port/a", "-host.com/a", "host..com/a", String(repeating: "0a", count: 32),
        String(repeating: "a", count: 256), "https://quay.io/a", "../../etc/passwd", "ä", "a/b:c:d", "[::1/a", "[]/a",
    ])
    func whatIsNone(_ text: String) {
        #expect(throws: OCIError.self, "\(text)") { try ImageReference(text) }
    }
}
