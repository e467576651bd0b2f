import Fuzzing
import NixStore

// What is accepted is written in a form that is read as the same.
fuzz { bytes in
    let directory = StoreDirectory()
    if let info = try? NarInfo(parsing: bytes, in: directory, from: "input") {
        let text = Array(info.text(in: directory).utf8)
        guard let again = try? NarInfo(parsing: text, in: directory, from: "output") else {
            finding("a description is written as one that cannot be read")
        }
        if Array(again.text(in: directory).utf8) != text { finding("a description changes when it is written") }
    }
    let standard = CacheInfo(storeDirectory: directory)
    if let info = try? CacheInfo(parsing: bytes, standard: standard, cache: "input"), info.wantsMassQuery {
        _ = info.text
    }
}
