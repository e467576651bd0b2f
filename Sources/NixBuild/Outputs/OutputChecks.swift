import JSON
import NixLocalStore
import NixStore

/// What an output may and may not refer to, and how large it may be.
struct OutputChecks {
    var allowedReferences: [String]?
    var allowedRequisites: [String]?
    var disallowedReferences: [String]?
    var disallowedRequisites: [String]?
    var maxSize: Int64?
    var maxClosureSize: Int64?
    /// Whether an output is part of its own closure.
    var ignoresSelf = true

    init(of output: String, _ derivation: Derivation, _ attributes: StructuredAttributes?) throws {
        guard let attributes else {
            func words(_ name: String) -> [String]? {
                derivation.environment[ByteString(name)].map { BuilderEnvironment.words($0) }
            }
            allowedReferences = words("allowedReferences")
            allowedRequisites = words("allowedRequisites")
            disallowedReferences = words("disallowedReferences")
            disallowedRequisites = words("disallowedRequisites")
            return
        }
        guard let checks = attributes.object["outputChecks"]?[output]?.object else { return }
        func words(_ name: String) throws -> [String]? {
            guard let value = checks[name] else { return nil }
            guard let elements = value.array else {
                throw BuildError(.failed, "attribute '\(name)' must be a list of strings")
            }
            return elements.compactMap(\.string)
        }
        allowedReferences = try words("allowedReferences")
        allowedRequisites = try words("allowedRequisites")
        disallowedReferences = try words("disallowedReferences")
        disallowedRequisites = try words("disallowedRequisites")
        maxSize = checks["maxSize"]?.integer
        maxClosureSize = checks["maxClosureSize"]?.integer
        ignoresSelf = checks["ignoreSelfRefs"]?.bool ?? false
    }

    /// Compares an output with these.
    /// - Parameters:
    ///   - outputs: all of the derivation's, by name; those that are not valid yet too.
    func check(_ info: PathInfo, outputs: [String: PathInfo], in store: LocalStore) throws {
        let name = store.directory.print(info.path)
        if let maxSize, info.narSize > UInt64(max(0, maxSize)) {
            throw BuildError(.failed, "path '\(name)' is too large at \(info.narSize) bytes; limit is \(maxSize) bytes")
        }
        let newOutputs = Dictionary(outputs.values.map { ($0.path, $0) }) { first, _ in first }
        if let maxClosureSize {
            let size = try closure(of: info, newOutputs, store).reduce(UInt64(0)) { sum, path in
                sum + (try newOutputs[path] ?? store.requireInfo(of: path)).narSize
            }
            guard size <= UInt64(max(0, maxClosureSize)) else {
                throw BuildError(
                    .failed,
                    "closure of path '\(name)' is too large at \(size) bytes; limit is \(maxClosureSize) bytes")
            }
        }
        for (words, isAllowed, isRecursive) in [
            (allowedReferences, true, false), (allowedRequisites, true, true), (disallowedReferences, false, false),
            (disallowedRequisites, false, true),
        ] {
            guard let words else { continue }
            let named = try Set(words.map { try path($0, outputs, store) })
            var used = isRecursive ? try closure(of: info, newOutputs, store) : info.references
            if isRecursive, ignoresSelf { used.remove(info.path) }
            let bad = used.filter { named.contains($0) != isAllowed }
            guard bad.isEmpty else {
                let list = bad.sorted().map { "\n  " + store.directory.print($0) }.joined()
                throw BuildError(.failed, "output '\(name)' is not allowed to refer to the following paths:\(list)")
            }
        }
    }

    private func path(_ word: String, _ outputs: [String: PathInfo], _ store: LocalStore) throws -> StorePath {
        if let output = outputs[word] { return output.path }
        guard store.directory.contains(word), let path = try? store.directory.split(word).0 else {
            throw BuildError(.failed, "derivation contains an illegal reference specifier '\(word)'")
        }
        return path
    }

    private func closure(
        of info: PathInfo, _ outputs: [StorePath: PathInfo], _ store: LocalStore
    ) throws -> Set<StorePath> {
        var closure: Set<StorePath> = []
        var pending = [info.path]
        while let path = pending.popLast() {
            guard closure.insert(path).inserted else { continue }
            pending += try outputs[path]?.references ?? store.references(of: path)
        }
        return closure
    }
}
