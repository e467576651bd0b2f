// "Hash modulo": two derivations that differ only in how a fixed output is fetched have the same hash, so that a changed
// mirror rebuilds nothing.

/// Gives the hash of a derivation that is an input of another.
public protocol DerivationHashes: AnyObject {
    func hashModulo(of path: StorePath) throws -> Hash
}

extension Derivation {
    /// The hash by which other derivations know this one.
    public func hashModulo(in store: StoreDirectory, inputs: some DerivationHashes) throws -> Hash {
        if let address = fixedOutput {
            guard let path = try path(of: "out", in: store) else { preconditionFailure("a fixed output has a path") }
            let text =
                "fixed:out:\(address.methodAlgorithm):\(address.hash.text(.base16)):\(store.print(path))"
            return Hash(.sha256, of: text)
        }
        return Hash(.sha256, of: try maskedText(masksOutputs: false, in: store, inputs: inputs))
    }

    /// Fills in the paths of outputs that follow from the derivation, in `outputs` and in the builder's environment.
    public mutating func fillOutputPaths(in store: StoreDirectory, inputs: some DerivationHashes) throws {
        let hash = Hash(.sha256, of: try maskedText(masksOutputs: true, in: store, inputs: inputs))
        for name in outputs.keys {
            let path = try store.makeOutputPath(output: name, hash: hash, derivationName: self.name)
            outputs[name] = .inputAddressed(path)
            environment[ByteString(name)] = ByteString(store.print(path))
        }
    }

    private func maskedText(
        masksOutputs: Bool, in store: StoreDirectory, inputs: some DerivationHashes
    ) throws -> [UInt8] {
        var hashes: [String: Set<String>] = [:]
        for (path, names) in inputDerivations {
            hashes[try inputs.hashModulo(of: path).text(.base16), default: []].formUnion(names)
        }
        return try aterm(in: store, masksOutputs: masksOutputs, inputHashes: hashes.map { ($0.key, $0.value) })
    }

    /// The path of the derivation's own file.
    public func storePath(in store: StoreDirectory) throws -> StorePath {
        try store.makeTextPath(
            name: name + ".drv", hash: Hash(.sha256, of: try aterm(in: store)), references: references)
    }
}
