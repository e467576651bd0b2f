import OCI
import Testing

@Suite struct PlatformTests {
    @Test(arguments: [
        ("linux/amd64", "linux/amd64"), ("linux/x86_64", "linux/amd64"), ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"), ("linux/aarch64", "linux/arm64/v8"), ("linux/arm64/8", "linux/arm64/v8"),
        ("linux/arm", "linux/arm/v7"), ("linux/armhf", "linux/arm/v7"), ("linux/armel", "linux/arm/v6"),
        ("linux/arm/6", "linux/arm/v6"), ("Linux/ARM64", "linux/arm64/v8"), ("linux/i386", "linux/386"),
        ("windows/amd64", "windows/amd64"), ("arm64", "linux/arm64/v8"), ("macos/arm64", "darwin/arm64/v8"),
    ])
    func parsing(_ text: String, _ expected: String) throws {
        #expect(try Platform(text).description == expected)
    }

    @Test(arguments: ["", "/", "linux/", "/amd64", "linux/amd64/v1/x", "lin ux/amd64", "what", "linux/a b"])
    func whatIsNone(_ text: String) {
        #expect(throws: OCIError.self) { try Platform(text) }
    }

    @Test func ranking() throws {
        func rank(_ host: String, _ image: String) throws -> Int? { try Platform(host).rank(of: Platform(image)) }
        #expect(try rank("linux/amd64", "linux/amd64") == 0)
        #expect(try rank("linux/amd64", "linux/amd64/v2") == nil)
        #expect(try rank("linux/arm/odd", "linux/arm/odd") == 0)
        #expect(try rank("linux/amd64/v3", "linux/amd64/v2") == 1)
        #expect(try rank("linux/amd64/v3", "linux/amd64") == 2)
        #expect(try rank("linux/arm64", "linux/arm64") == 0)
        #expect(try rank("linux/arm64", "linux/arm/v7") != nil)
        #expect(try rank("linux/arm/v6", "linux/arm/v7") == nil)
        #expect(try rank("linux/arm/v7", "linux/arm/v5") == 2)
        #expect(try rank("linux/amd64", "linux/arm64") == nil)
        #expect(try rank("linux/amd64", "windows/amd64") == nil)
    }

    @Test func choosing() throws {
        func descriptor(_ platform: String?, _ size: Int64) throws -> Descriptor {
            var descriptor = Descriptor(mediaType: MediaType.ociManifest, digest: .empty, size: size)
            descriptor.platform = try platform.map { try Platform($0) }
            return descriptor
        }
        var index = Index()
        var attestation = try descriptor("linux/amd64", 99)
        attestation.annotations = [Annotation.dockerReferenceType: "attestation-manifest"]
        index.manifests = try [
            attestation, descriptor(nil, 0), descriptor("linux/arm/v6", 1), descriptor("linux/arm/v7", 2),
            descriptor("linux/amd64", 3), descriptor("linux/amd64", 4), descriptor("linux/amd64/v2", 5),
        ]
        #expect(try index.manifest(for: Platform("linux/amd64"))?.size == 3)
        #expect(try index.manifest(for: Platform("linux/amd64/v3"))?.size == 5)
        #expect(try index.manifest(for: Platform("linux/arm64"))?.size == 2)
        #expect(try index.manifest(for: Platform("linux/s390x"))?.size == 0)
        index.manifests.remove(at: 1)
        #expect(try index.manifest(for: Platform("linux/s390x")) == nil)
    }
}
