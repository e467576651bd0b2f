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

func run(_ text: [UInt8], _ format: Evaluation.Format) -> [UInt8]? {
    var evaluation = Evaluation(.standardInput(text, basePath: "/"))
    evaluation.format = format
    evaluation.isStrict = true
    evaluation.settings.callDepthLimit = 100
    evaluation.settings.callLimit = 10_000
    return try? evaluation.run(on: EmptyHost(system: "x86_64-linux")).get()
}

fuzz { bytes in
    if let printed = run(bytes, .parsed) {
        // What is not UTF-8 is printed with replacement characters, which may stand where only a name can.
        if String(validating: bytes, as: UTF8.self) != nil, run(printed, .parsed) == nil {
            finding("printed as what does not parse: \(String(decoding: printed, as: UTF8.self))")
        }
    }
    _ = run(bytes, .classic)
}
