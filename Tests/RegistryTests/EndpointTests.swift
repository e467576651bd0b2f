import Kernel
import OCI
import Testing

@testable import Registry

@Suite struct EndpointTests {
    @Test(arguments: [
        ("https://a.example.com/v2/x", "/y?z=1", "https://a.example.com/y?z=1"),
        ("https://a.example.com:8443/v2/x", "y", "https://a.example.com:8443/v2/y"),
        ("https://a.example.com/v2/x?old=1", "?n=2", "https://a.example.com/v2/x?n=2"),
        ("https://a.example.com/v2/x", "//b.example.com/y", "https://b.example.com/y"),
        ("https://a.example.com/v2/x", "http://b.example.com", "http://b.example.com/"),
        ("http://[::1]:5000/v2/", "/v3/", "http://[::1]:5000/v3/"),
    ])
    func locationsAreResolved(_ base: String, _ location: String, _ result: String) throws {
        #expect(try #require(WebAddress(base)).resolving(location)?.description == result)
    }

    @Test(arguments: [
        "", "example.com", "ftp://example.com/", "https://", "https://user@example.com/", "https://a b/", "http://x:0/",
        "http://x:99999/", "https://exämple.com/",
    ])
    func otherAddressesAreRefused(_ text: String) { #expect(WebAddress(text) == nil) }

    @Test func locationsOfOtherSchemesAreRefused() throws {
        let base = try #require(WebAddress("https://example.com/v2/"))
        for location in ["", "file:///etc/passwd", "javascript:x", "https://"] {
            #expect(base.resolving(location) == nil)
        }
    }

    @Test func dockerHubIsAnotherHost() throws {
        let endpoint = try RegistryConfiguration().endpoint(for: "docker.io")
        #expect(endpoint.address(.https, "/v2/").description == "https://registry-1.docker.io/v2/")
        #expect(endpoint.name == "docker.io")
        #expect(endpoint.scheme == .https)
    }

    @Test(arguments: [
        ("localhost:5000", true), ("localhost", true), ("127.0.0.1:5000", true), ("127.9.9.9", true),
        ("[::1]:5000", true),
        ("10.1.2.3:5000", true), ("10.2.2.3:5000", false), ("plain.example.com", true),
        ("plain.example.com:5000", true),
        ("only.example.com:5000", true), ("only.example.com", false), ("other.example.com", false),
        ("128.0.0.1", false),
        ("fd00::1", false), ("[fd00::1]:5000", true),
    ])
    func insecureRegistries(_ name: String, _ isInsecure: Bool) {
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [
            "10.1.0.0/16", "plain.example.com", "http://only.example.com:5000/", "fd00::/8",
        ]
        #expect(configuration.isInsecure(name) == isInsecure)
    }

    @Test func mirrorsAreForDockerHubAlone() throws {
        var configuration = RegistryConfiguration()
        configuration.mirrors = ["https://mirror.example.com/prefix/", "http://127.0.0.1:5000"]
        let hub = try configuration.endpointsForReading(ImageReference("alpine"))
        #expect(hub.map(\.name) == ["mirror.example.com", "127.0.0.1:5000", "docker.io"])
        #expect(hub[0].address(.https, "/v2/").description == "https://mirror.example.com/prefix/v2/")
        #expect(hub[1].scheme == .http)
        #expect(try configuration.endpointsForReading(ImageReference("example.com/x")).map(\.name) == ["example.com"])
        configuration.mirrors = ["mirror.example.com"]
        #expect(throws: RegistryError.self) { try configuration.endpointsForReading(ImageReference("alpine")) }
    }

    @Test(
        arguments: [
            ("https://example.com/", nil), ("https://sub.example.com/", nil), ("https://notexample.com/", "p"),
            ("https://below.dot.org/", nil), ("https://dot.org/", "p"), ("https://10.1.2.3/", nil),
            ("https://10.2.2.3/", "p"),
            ("https://port.net:444/", nil), ("https://port.net/", "p"), ("https://localhost/", nil),
            ("https://127.0.0.1/", nil),
            ("https://[::1]:5000/", nil), ("http://other.com/", "h"),
        ] as [(String, String?)])
    func proxies(_ text: String, _ host: String?) throws {
        let settings = ProxySettings(
            httpProxy: "h:3128", httpsProxy: "http://user:p%40ss@p:3128",
            noProxy: "example.com, .dot.org,10.1.0.0/16,port.net:444")
        let proxy = try settings.proxy(for: #require(WebAddress(text)))
        #expect(proxy?.host == host)
        if host == "p" { #expect(proxy?.login == "user:p@ss") }
    }

    @Test func proxiesFromTheEnvironment() {
        let variables = ["https_proxy": "http://lower:1", "HTTP_PROXY": "http://upper:1", "NO_PROXY": "*"]
        let settings = ProxySettings { variables[$0] }
        #expect(settings == ProxySettings(httpProxy: "http://upper:1", httpsProxy: "http://lower:1", noProxy: "*"))
        let own = ProxySettings(httpProxy: "", httpsProxy: "http://own:1", noProxy: "")
        #expect(own.merged(over: settings).httpsProxy == "http://own:1")
        #expect(own.merged(over: settings).httpProxy == "http://upper:1")
    }

    @Test func certificateFoldersAreChecked() throws {
        let directory = try TemporaryDirectory()
        let here = FileDescriptor.currentDirectory
        let folder = "\(directory.path)/example.com:5000"
        try here.makeDirectory(folder)
        func configuration() throws {
            _ = try HostCertificates.configuration(folders: ["\(directory.path)/none", folder], isInsecure: false)
        }
        try configuration()
        try here.replaceFile("\(folder)/client.cert", with: "x")
        #expect(throws: RegistryError.self) { try configuration() }
        try here.unlink("\(folder)/client.cert")
        try here.replaceFile("\(folder)/client.key", with: "x")
        #expect(throws: RegistryError.self) { try configuration() }
        try here.unlink("\(folder)/client.key")
        try here.replaceFile("\(folder)/ca.crt", with: "no certificate")
        let error = #expect(throws: RegistryError.self) { try configuration() }
        #expect(error?.message.contains("\(folder)/ca.crt") == true)
    }
}
