import NixStore

/// A content address as the database has it.
struct ContentAddressText {
    let isText: Bool
    let address: ContentAddress

    /// `text:sha256:…`, `fixed:sha256:…` or `fixed:r:sha256:…`; anything else is none.
    init?(_ text: String) {
        var rest = Substring(text)
        isText = rest.hasPrefix("text:")
        guard isText || rest.hasPrefix("fixed:"), let colon = rest.firstIndex(of: ":") else { return nil }
        rest = rest[rest.index(after: colon)...]
        var method = IngestionMethod.flat
        if !isText, rest.hasPrefix("r:") {
            method = .recursive
            rest = rest.dropFirst(2)
        }
        guard let hash = try? Hash(parsing: String(rest)) else { return nil }
        address = ContentAddress(method: method, hash: hash)
    }
}

extension LocalStore {
    /// Whether `info`'s content address gives its very path: then nobody needs to vouch for it.
    public func isContentAddressed(_ info: PathInfo) -> Bool {
        guard let text = info.contentAddress.flatMap(ContentAddressText.init) else { return false }
        // An object that names itself is hashed with itself left out, which only its maker can do.
        guard !info.references.contains(info.path) else { return false }
        let path =
            text.isText
            ? try? directory.makeTextPath(
                name: info.path.name, hash: text.address.hash, references: info.references)
            : try? directory.makeFixedOutputPath(
                name: info.path.name, address: text.address, references: Array(info.references))
        return path == info.path
    }

    /// Refuses files that are not what their content address says.
    func checkContent(of info: PathInfo, in file: String) throws {
        guard isContentAddressed(info), let text = info.contentAddress.flatMap(ContentAddressText.init) else { return }
        let expected = text.address.hash
        let found: Hash =
            switch text.address.method {
            case .flat: try Hash(expected.algorithm, contentsOf: file, in: DirectorySource())
            case .recursive: try Hash(expected.algorithm, archiveOf: file, in: DirectorySource())
            }
        guard found == expected else {
            throw StoreError(
                .mismatch,
                "ca hash mismatch importing path '\(directory.print(info.path))';\n  specified: "
                    + "\(expected.text(.nix32, withAlgorithm: true))\n  got:       "
                    + found.text(.nix32, withAlgorithm: true))
        }
    }
}
