import NixStore

/// The text of `nix-store --dump-db`: for each object lines with its path, the hash of its archive in base 16, the
/// archive's size, its deriver or nothing, the number of its references, and these.
public enum ValidityText {
    public static func write(_ infos: some Sequence<PathInfo>, in directory: StoreDirectory) -> String {
        var text = ""
        for info in infos {
            text += directory.print(info.path) + "\n"
            text += info.narHash.text(.base16) + "\n\(info.narSize)\n"
            text += (info.deriver.map(directory.print) ?? "") + "\n"
            text += "\(info.references.count)\n"
            for reference in info.references.sorted() { text += directory.print(reference) + "\n" }
        }
        return text
    }

    /// - Parameters:
    ///   - hasHashes: whether hash and size are in the text; else `describe` gives them.
    public static func read(
        _ text: String, hasHashes: Bool, in directory: StoreDirectory,
        describe: (StorePath) throws -> (hash: Hash, size: UInt64)
    ) throws -> [PathInfo] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
        if lines.last == "" { lines.removeLast() }
        func next(_ what: String) throws -> String {
            guard let line = lines.popFirst() else {
                throw StoreError(.badDatabase, "the registration text ends where \(what) should be")
            }
            return String(line)
        }
        func number(_ what: String) throws -> UInt64 {
            let line = try next(what)
            guard let number = UInt64(line) else {
                throw StoreError(.badDatabase, "number of references is not a number: '\(line)' (\(what))")
            }
            return number
        }
        var infos: [PathInfo] = []
        while !lines.isEmpty {
            let path = try directory.parse(try next("a path"))
            var given: (hash: Hash, size: UInt64)?
            if hasHashes {
                let hash = try Hash(parsing: try next("a hash"), algorithm: .sha256)
                given = (hash, try number("a size"))
            }
            let deriver = try next("a deriver")
            var references: Set<StorePath> = []
            for _ in 0..<(try number("the number of references")) {
                references.insert(try directory.parse(try next("a reference")))
            }
            let (hash, size) = try given ?? describe(path)
            var info = PathInfo(path: path, narHash: hash, narSize: size, references: references)
            info.deriver = deriver.isEmpty ? nil : try directory.parse(deriver)
            infos.append(info)
        }
        return infos
    }
}
