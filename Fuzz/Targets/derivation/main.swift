import Fuzzing
import NixStore

let store = StoreDirectory()

fuzz { bytes in
    guard let derivation = try? Derivation(aterm: bytes, name: "fuzz", in: store) else { return }
    guard let written = try? derivation.aterm(in: store) else { finding("what was read cannot be written") }
    guard let again = try? Derivation(aterm: written, name: "fuzz", in: store) else {
        finding("what is written does not read back")
    }
    if (try? again.aterm(in: store)) != written { finding("what is written reads back otherwise") }
    _ = try? derivation.storePath(in: store)
}
