import NixLocalStore
import NixStore

// `why-depends --precise`: where in an object's files the names of others are.
extension WhyDependsCommand {
    /// Prints each object, and below it the files and links that name the next.
    func printPlaces() throws {
        guard isDependent else { return }
        // An explicit stack, for chains may be long.
        var stack: [Step] = []
        var seen: Set<StorePath> = []
        try enter(package, margin: "", &stack, &seen)
        while var step = stack.popLast() {
            guard let path = step.rest.popFirst() else { continue }
            let isLast = !isAll || step.rest.isEmpty
            for (index, hit) in (step.hits[path] ?? []).prefix(isAll ? .max : 1).enumerated() {
                let branch = index == 0 ? (isLast ? "└───" : "├───") : (isLast ? "    " : "│   ")
                Output.standard.write("\(step.margin)\(branch)\(hit)\n")
            }
            let margin = step.margin + (isLast ? "    " : "│   ")
            if !isAll { step.rest = [] }
            stack.append(step)
            if try !enter(path, margin: margin, &stack, &seen) { return }
        }
    }

    private struct Step {
        /// What the object names and has not been printed.
        var rest: ArraySlice<StorePath>
        let margin: String
        let hits: [StorePath: [String]]
    }

    /// - Returns: whether there is more to print.
    @discardableResult
    private func enter(
        _ path: StorePath, margin: String, _ stack: inout [Step], _ seen: inout Set<StorePath>
    ) throws -> Bool {
        Output.standard.write("\(margin)\(margin.isEmpty ? "" : "→ ")\(session.directory.print(path))\n")
        if path == dependency, !isAll { return false }
        guard seen.insert(path).inserted else { return true }
        let named = next(path)
        stack.append(Step(rest: named[...], margin: margin, hits: try places(of: named, in: path)))
        return true
    }

    /// Text with a dot for each byte that is not for a terminal.
    private static func printable(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: bytes.map { (0x20..<0x7F).contains($0) ? $0 : UInt8(ascii: ".") }, as: UTF8.self)
    }

    /// The files and links of an object that name others, with what stands around the names.
    private func places(of named: [StorePath], in path: StorePath) throws -> [StorePath: [String]] {
        var places: [StorePath: [String]] = [:]
        let source = DirectorySource()
        let wanted = named.map { (path: $0, hash: Array($0.hashPart.utf8)) }
        func visit(_ file: ByteString, _ shown: String) throws {
            let name = shown.isEmpty ? "/" : Self.printable(shown.utf8)
            switch try source.kind(of: file) {
            case .directory:
                for entry in try source.names(in: file).sorted() {
                    try visit(
                        ByteString(file.bytes + [UInt8(ascii: "/")] + entry.bytes),
                        shown.isEmpty ? entry.description : "\(shown)/\(entry)")
                }
            case .symlink:
                let target = try source.target(ofLink: file)
                for (path, hash) in wanted where Self.index(of: hash, in: target) != nil {
                    places[path, default: []].append("\(name) -> \(Self.printable(target))")
                }
            default:
                var bytes: [UInt8] = []
                try source.read(file, size: { bytes.reserveCapacity(Int($0)) }, body: { bytes += Array($0) })
                for (path, hash) in wanted {
                    guard let start = Self.index(of: hash, in: bytes) else { continue }
                    let around = bytes[max(0, start - 32)..<min(bytes.count, start + hash.count + 32)]
                    places[path, default: []].append("\(name): …\(Self.printable(around))…")
                }
            }
        }
        try visit(ByteString(session.store.layout.file(path)), "")
        return places
    }

    /// Where `part` is in `bytes`, the first time.
    private static func index(of part: [UInt8], in bytes: [UInt8]) -> Int? {
        guard let first = part.first, bytes.count >= part.count else { return nil }
        var start = 0
        while let at = bytes[start...(bytes.count - part.count)].firstIndex(of: first) {
            if bytes[at..<at + part.count].elementsEqual(part) { return at }
            start = at + 1
            if start > bytes.count - part.count { return nil }
        }
        return nil
    }
}
