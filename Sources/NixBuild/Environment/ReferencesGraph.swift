import JSON
import NixLocalStore
import NixStore

/// `exportReferencesGraph`: what objects refer to, told to a builder.
struct ReferencesGraph {
    let store: LocalStore
    /// What the builder may read.
    let inputs: Set<StorePath>
    let derivationName: String

    /// The files of a derivation without structured attributes, by name: `FILE PATH FILE PATH …`.
    func files(_ derivation: Derivation) throws -> [String: [UInt8]] {
        let words = BuilderEnvironment.words(derivation.environment["exportReferencesGraph"])
        guard words.count.isMultiple(of: 2) else {
            throw BuildError(
                .failed, "odd number of tokens in 'exportReferencesGraph': '\(words.joined(separator: " "))'")
        }
        var files: [String: [UInt8]] = [:]
        for index in stride(from: 0, to: words.count, by: 2) {
            let name = words[index]
            guard !name.contains("/"), name != ".", name != ".." else {
                throw BuildError(.failed, "invalid file name '\(name)' in 'exportReferencesGraph'")
            }
            files[name] = Array(text(try closure(of: [words[index + 1]])).utf8)
        }
        return files
    }

    private func text(_ paths: [PathInfo]) -> String {
        var text = ""
        for info in paths {
            // No hash and no deriver, so that the same objects give the same text.
            text += "\(store.directory.print(info.path))\n\n\(info.references.count)\n"
            for reference in info.references.sorted() { text += store.directory.print(reference) + "\n" }
        }
        return text
    }

    /// The attributes of a derivation with structured attributes, by name.
    func members(_ attributes: StructuredAttributes) throws -> [String: JSONValue] {
        guard let graphs = attributes.object["exportReferencesGraph"]?.object else { return [:] }
        var members: [String: JSONValue] = [:]
        for (name, value) in graphs {
            let words = value.array?.compactMap(\.string) ?? value.string.map { [$0] } ?? []
            members[name] = .array(try closure(of: words).map(json))
        }
        return members
    }

    private func json(_ info: PathInfo) throws -> JSONValue {
        var object = JSONObject()
        object["path"] = .string(store.directory.print(info.path))
        object["narHash"] = .string(info.narHash.text(.nix32, withAlgorithm: true))
        object["narSize"] = .integer(Int64(clamping: info.narSize))
        object["references"] = .array(info.references.sorted().map { .string(store.directory.print($0)) })
        if let address = info.contentAddress { object["ca"] = .string(address) }
        let sizes = try store.closure(of: [info.path]).map { try store.requireInfo(of: $0).narSize }
        object["closureSize"] = .integer(Int64(clamping: sizes.reduce(0, +)))
        return .object(object)
    }

    private func closure(of words: [String]) throws -> [PathInfo] {
        let roots = try words.map { try store.directory.split($0).0 }
        for path in roots where !inputs.contains(path) {
            throw BuildError(
                .failed,
                "cannot export references of path '\(store.directory.print(path))' because it is not in the "
                    + "input closure of the derivation")
        }
        var paths = try store.closure(of: roots)
        // A derivation stands for what it makes, too.
        for path in paths where path.isDerivation {
            paths.formUnion(try store.closure(of: store.outputs(of: path).values))
        }
        return try paths.sorted().map(store.requireInfo)
    }
}
