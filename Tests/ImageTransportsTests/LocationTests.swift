import OCI
import Testing

@testable import ImageTransports

@Suite struct LocationTests {
    @Test func placesAreRead() throws {
        #expect(try ImageLocation("docker://debian") == .registry(ImageReference("docker.io/library/debian:latest")))
        #expect(
            try ImageLocation("docker-archive:///tmp/image.tgz:lnl7/nix:2.0")
                == .dockerArchive(path: "///tmp/image.tgz", .reference(ImageReference("lnl7/nix:2.0"))))
        #expect(try ImageLocation("docker-archive:a.tar") == .dockerArchive(path: "a.tar", nil))
        #expect(try ImageLocation("docker-archive:a.tar:@2") == .dockerArchive(path: "a.tar", .index(2)))
        #expect(
            try ImageLocation("docker-archive:a.tar:name")
                == .dockerArchive(path: "a.tar", .reference(ImageReference("name:latest"))))
        #expect(try ImageLocation("oci:/l") == .layout(path: "/l", name: nil))
        #expect(try ImageLocation("oci:/l:a/b:c") == .layout(path: "/l", name: "a/b:c"))
        #expect(try ImageLocation("oci-archive:x.tar:t") == .layoutArchive(path: "x.tar", name: "t"))
        #expect(try ImageLocation("dir:/d:e") == .directory("/d:e"))
        let id = "sha256:" + String(repeating: "0a", count: 32)
        #expect(try ImageLocation("docker-daemon:" + id) == .daemon(.id(Digest(id)), .docker))
        #expect(try ImageLocation("dhow:debian") == .daemon(.reference(ImageReference("debian:latest")), .own))
    }

    @Test(arguments: [
        ("debian", "expected colon-separated transport:reference"), ("what:x", "unknown transport \"what\""),
        ("docker:debian", "does not start with //"), ("docker://UPPER", "must be lowercase"),
        ("docker://", "invalid reference format"), ("docker-archive:", "isn't of the form <path>[:<reference>]"),
        ("docker-archive:a:@x", "invalid source index"), ("docker-archive:a:@-1", "negative source index"),
        ("docker-archive:a:b@sha256:0000000000000000000000000000000000000000000000000000000000000000", "a digest"),
        (
            "docker://a:1@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "both a tag and digest"
        ),
        ("oci:", "isn't of the form"), ("oci:/l:a b", "Invalid image"), ("dir:", "a directory is needed"),
        ("docker-daemon:a@sha256:0000000000000000000000000000000000000000000000000000000000000000", "has a digest"),
    ])
    func otherTextsAreRefused(_ text: String, _ reason: String) {
        let error = #expect(throws: TransportError.self) { _ = try ImageLocation(text) }
        #expect(error?.code == .invalidInput)
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    @Test func transportsAreToldFromNames() {
        for text in ["docker://a", "dir:/x", "oci:/x", "oci-archive:x", "docker-archive:x", "docker-daemon:x"] {
            #expect(ImageLocation.hasTransport(text))
        }
        for text in ["debian", "docker:latest", "dhow:1", "registry:2", "localhost:5000/x", "sha256:ab"] {
            #expect(!ImageLocation.hasTransport(text))
        }
    }
}
