extension PathInfo {
    /// What is signed: `1;path;narHash;narSize;references`.
    public func fingerprint(in directory: StoreDirectory) -> String {
        let references = references.sorted().map(directory.print).joined(separator: ",")
        return "1;\(directory.print(path));\(narHash.text(.nix32, withAlgorithm: true));\(narSize);\(references)"
    }

    /// Adds the key's signature, in place of an older one of its name.
    public mutating func sign(with key: SigningKey, in directory: StoreDirectory) throws(StoreError) {
        let signature = try key.signature(of: fingerprint(in: directory))
        signatures.removeAll { $0.hasPrefix(key.name + ":") }
        signatures.append(signature)
    }

    /// How many different signatures of trusted keys there are.
    public func countSignatures(by keys: TrustedKeys, in directory: StoreDirectory) -> Int {
        let text = fingerprint(in: directory)
        return Set(signatures).count { keys.verify($0, of: text) }
    }

    /// Whether nobody needs to vouch for it: its path follows from its content, which its hash is compared with.
    public func isContentAddressed(in directory: StoreDirectory) -> Bool {
        guard let contentAddress else { return false }
        return (try? Self.path(named: path.name, at: contentAddress, references, itself: path, in: directory)) == path
    }

    /// Refuses what neither a trusted key nor its own content vouches for.
    public func checkSignatures(
        _ keys: TrustedKeys, in directory: StoreDirectory, from place: String
    ) throws(StoreError) {
        if isContentAddressed(in: directory) || countSignatures(by: keys, in: directory) > 0 { return }
        let found = Set(signatures.map { String($0.prefix { $0 != ":" }) }).sorted().joined(separator: ", ")
        throw StoreError(
            .badSignature,
            "cannot take '\(directory.print(path))' from '\(place)': it lacks a signature by a trusted key "
                + "(\(found.isEmpty ? "it has none" : "it has some by: \(found)"); trusted: "
                + "\(keys.isEmpty ? "none" : keys.names.joined(separator: ", "))); add the key to "
                + "'trusted-public-keys', or say '--no-check-sigs'")
    }

    private static func path(
        named name: String, at address: String, _ references: Set<StorePath>, itself: StorePath,
        in directory: StoreDirectory
    ) throws(StoreError) -> StorePath? {
        if let digest = address.suffix(after: "text:") {
            let hash = try Hash(parsing: digest, algorithm: .sha256)
            return try directory.makeTextPath(name: name, hash: hash, references: references)
        }
        guard var digest = address.suffix(after: "fixed:") else { return nil }
        var method = IngestionMethod.flat
        if let rest = digest.suffix(after: "r:") {
            method = .recursive
            digest = rest
        }
        let hash = try Hash(parsing: digest)
        if references.contains(itself) {
            guard method == .recursive, hash.algorithm == .sha256 else { return nil }
            let others = references.subtracting([itself]).sorted().map { ":" + directory.print($0) }.joined()
            return try directory.makePath(type: "source\(others):self", hash: hash, name: name)
        }
        return try directory.makeFixedOutputPath(
            name: name, address: ContentAddress(method: method, hash: hash), references: Array(references))
    }
}

extension String {
    fileprivate func suffix(after prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
