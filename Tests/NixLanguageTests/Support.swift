import NixLanguage
import NixStore

/// A host with files in memory, and nothing else.
final class MemoryHost: LocalHost {
    var files: [String: String] = [:]
    var variables: [String: String] = [:]
    var lines: [String] = []

    init(files: [String: String] = [:]) {
        self.files = files
        super.init(system: "x86_64-linux")
    }

    override func kind(of path: String) throws -> FileKind? {
        if files[path] != nil { return .regular }
        if path == "/" || files.keys.contains(where: { $0.hasPrefix(path + "/") }) { return .directory }
        return nil
    }

    override func readFile(_ path: String) throws -> [UInt8] {
        if let text = files[path] { return Array(text.utf8) }
        throw HostError(.missing, "path '\(path)' does not exist")
    }

    override func environment(_ name: String) -> String? { variables[name] }
    override var currentTime: Int64 { 1_700_000_000 }
    override func log(_ text: [UInt8]) { lines.append(String(decoding: text, as: UTF8.self)) }
}

/// The value of an expression, all of it evaluated, as `nix-instantiate --eval --strict` prints it; or the error.
func evaluate(
    _ text: String, on host: MemoryHost = MemoryHost(), _ change: (inout Evaluation) -> Void = { _ in }
) -> String {
    var evaluation = Evaluation(.expression(text, basePath: "/base"))
    evaluation.isStrict = true
    change(&evaluation)
    switch evaluation.run(on: host) {
    case .success(let bytes): return String(decoding: bytes, as: UTF8.self)
    case .failure(let failure): return failure.description
    }
}

/// The last message of an error, without its trace and place.
func message(_ text: String, _ change: (inout Evaluation) -> Void = { _ in }) -> String {
    let whole = evaluate(text, on: MemoryHost(), change)
    guard let start = whole.range(of: "error: ", options: .backwards) else { return "no error: " + whole }
    return whole[start.upperBound...].split(separator: "\n").first.map(String.init) ?? ""
}

extension String {
    enum Search { case backwards }

    /// The last place of a text in this one.
    func range(of text: String, options: Search) -> Range<String.Index>? {
        var found: Range<String.Index>?
        var start = startIndex
        while let next = self[start...].firstRange(of: text) {
            found = next
            start = next.upperBound
        }
        return found
    }
}
