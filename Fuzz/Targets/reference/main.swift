import Fuzzing
import OCI

// What is accepted is written in a form that means the same.
fuzz { bytes in
    let text = String(decoding: bytes, as: UTF8.self)
    if let reference = try? ImageReference(text) {
        for form in [reference.canonicalName, reference.familiarName] where (try? ImageReference(form)) != reference {
            finding("\(text) is written as \(form), which is another reference")
        }
        _ = reference.withDefaultTag.familiarName
        _ = try? reference.tagged(text)
    }
    if let digest = try? Digest(text), (try? Digest(digest.description)) != digest { finding("the digest \(text)") }
    if let platform = try? Platform(text) {
        if (try? Platform(platform.description)) != platform { finding("the platform \(text)") }
        _ = Platform.host.rank(of: platform)
        if platform.rank(of: platform) == nil { finding("the platform \(text) does not run its own code") }
    }
    if let time = try? DateTime(text), (try? DateTime(time.description)) != time { finding("the time \(text)") }
}
