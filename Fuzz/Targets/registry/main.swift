import Credentials
import Fuzzing

@testable import Registry

// What a registry sends in headers, and what users and administrators write: addresses, challenges, links, ranges.
fuzz { bytes in
    let text = String(decoding: bytes, as: UTF8.self)
    if let address = WebAddress(text) {
        if WebAddress(address.description) != address { finding("\(text) is written as \(address)") }
        if WebAddress(address.origin)?.origin != address.origin { finding("the origin of \(text)") }
    }
    if let next = WebAddress(scheme: .https, host: "example.com", path: "/v2/a/b", query: "c=d").resolving(text),
        WebAddress(next.description) != next
    { finding("\(text) leads to \(next)") }
    if WebAddress("https://example.com/\(WebAddress.escaped(text))") == nil { finding("\(text) is escaped wrongly") }
    for challenge in Challenge.parse([text]) where challenge.scheme.isEmpty { finding("a challenge without a scheme") }
    _ = LinkHeader.next(text)
    if let range = AddressRange(text), !text.contains("/"), !range.contains(text) { finding("the range \(text)") }
    let settings = ProxySettings(httpProxy: text, httpsProxy: text, noProxy: text)
    _ = try? settings.proxy(for: WebAddress(scheme: .https, host: "example.com"))
    if let decoded = Base64.decode(text), Base64.decode(Base64.encode(decoded)) != decoded { finding("base 64 of \(text)") }
    var registries = RegistriesConf()
    if (try? registries.merge(bytes, path: "registries.conf")) != nil {
        for name in ["alpine", "a/b:1", "registry.example.com/x/y"] { _ = try? registries.candidates(for: name) }
    }
    if let config = try? AuthConfig(header: text), (try? AuthConfig(header: config.header)) != config {
        finding("the header \(text)")
    }
}
