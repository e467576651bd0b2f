import Fuzzing
import NixLanguage
import NixStore

/// A machine without files and variables, where nobody listens.
final class EmptyHost: LocalHost {
    override func kind(of path: String) throws -> FileKind? { path == "/" ? .directory : nil }
    override func readFile(_ path: String) throws -> [UInt8] {
        throw HostError(.missing, "path '\(path)' does not exist")
    }
    override func readDirectory(_ path: String) throws -> [(name: ByteString, kind: FileKind?)] { [] }
    override func readLink(_ path: String) throws -> String { throw HostError(.missing, "no link '\(path)'") }
    override func environment(_ name: String) -> String? { nil }
    override func log(_ text: [UInt8]) {}
}

let readers = [
    "x: builtins.toJSON (builtins.fromJSON x)", "x: builtins.toXML (builtins.fromTOML x)",
    "x: builtins.match x \"abcabc\"", "x: builtins.split x \"abcabc\"", "builtins.splitVersion",
    "builtins.parseDrvName", "x: builtins.convertHash { hash = x; toHashFormat = \"base32\"; hashAlgo = \"sha256\"; }",
    "x: builtins.compareVersions x \"1.0pre\"",
]

// The first byte chooses who reads the rest.
fuzz { bytes in
    guard let first = bytes.first else { return }
    var evaluation = Evaluation(.expression(readers[Int(first) % readers.count], basePath: "/"))
    evaluation.arguments = []
    evaluation.apply = "f: f \(literal(bytes.dropFirst()))"
    evaluation.format = .json
    evaluation.isStrict = true
    _ = try? evaluation.run(on: EmptyHost(system: "x86_64-linux")).get()
}

func literal(_ bytes: ArraySlice<UInt8>) -> String {
    var text = "\""
    for character in String(decoding: bytes, as: UTF8.self).unicodeScalars where character != "\0" {
        if character == "\"" || character == "\\" || character == "$" { text += "\\" }
        text.unicodeScalars.append(character)
    }
    return text + "\""
}
