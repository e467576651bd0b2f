/// A store's directory, which takes part in the hash of every path in it.
public struct StoreDirectory: Sendable, Hashable {
    /// An absolute path without a trailing slash, usually `/nix/store`.
    public let path: String

    public init(_ path: String = "/nix/store") { self.path = path }

    /// The absolute path of an object.
    public func print(_ storePath: StorePath) -> String { path + "/" + storePath.baseName }

    /// Whether `text` is below the store.
    public func contains(_ text: String) -> Bool {
        text.utf8.count > path.utf8.count + 1 && text.hasPrefix(path + "/")
    }

    /// The object that `text`, an absolute path, names exactly.
    /// - Throws: `StoreError.badStorePath`.
    public func parse(_ text: String) throws(StoreError) -> StorePath {
        guard contains(text) else { throw StoreError(.badStorePath, "path '\(text)' is not in the Nix store") }
        let rest = String(text.dropFirst(path.count + 1))
        guard !rest.utf8.contains(UInt8(ascii: "/")) else {
            throw StoreError(.badStorePath, "path '\(text)' is not a valid store path")
        }
        do { return try StorePath(rest) } catch {
            throw StoreError(.badStorePath, "path '\(text)' is not a valid store path: \(error.reason)")
        }
    }

    /// The object that `text` lies in, and the rest of the path in it (empty, or from `/` on).
    public func split(_ text: String) throws(StoreError) -> (StorePath, String) {
        guard contains(text) else { throw StoreError(.badStorePath, "path '\(text)' is not in the Nix store") }
        let rest = text.dropFirst(path.count + 1)
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        return (try StorePath(String(rest[..<end])), String(rest[end...]))
    }
}

// MARK: Making paths

extension StoreDirectory {
    /// The path of an object of kind `type` with `hash`: the digest over `type:sha256:…:/nix/store:name`, folded to
    /// 160 bits.
    public func makePath(type: String, hash: Hash, name: String) throws(StoreError) -> StorePath {
        let fingerprint = "\(type):\(hash.text(.base16, withAlgorithm: true)):\(path):\(name)"
        return try StorePath(digest: Hash(.sha256, of: fingerprint).compressed(to: 20), name: name)
    }

    /// The path of a derivation's output.
    public func makeOutputPath(output: String, hash: Hash, derivationName: String) throws(StoreError) -> StorePath {
        try makePath(
            type: "output:" + output, hash: hash, name: Self.outputName(derivationName: derivationName, output: output))
    }

    /// The name of a derivation's output: `hello` for `out`, else `hello-dev`.
    public static func outputName(derivationName: String, output: String) -> String {
        output == "out" ? derivationName : derivationName + "-" + output
    }

    /// The path of a file made of a string, as `builtins.toFile` and derivations are.
    public func makeTextPath(
        name: String, hash: Hash, references: some Collection<StorePath>
    ) throws(StoreError) -> StorePath {
        try makePath(type: type("text", references), hash: hash, name: name)
    }

    /// The path of an object known by its content.
    public func makeFixedOutputPath(
        name: String, address: ContentAddress, references: [StorePath] = []
    ) throws(StoreError) -> StorePath {
        if address.hash.algorithm == .sha256, address.method == .recursive {
            return try makePath(type: type("source", references), hash: address.hash, name: name)
        }
        guard references.isEmpty else {
            throw StoreError(
                .badStorePath,
                "fixed output derivation '\(name)' is not allowed to refer to other store paths.\nYou may need to use the 'unsafeDiscardReferences' derivation attribute, see the manual for more details."
            )
        }
        let inner = "fixed:out:" + address.method.prefix + address.hash.text(.base16, withAlgorithm: true) + ":"
        return try makePath(type: "output:out", hash: Hash(.sha256, of: inner), name: name)
    }

    private func type(_ type: String, _ references: some Collection<StorePath>) -> String {
        references.sorted().reduce(into: type) { $0 += ":" + print($1) }
    }

    /// What stands in a builder's environment for the path of an output that is not known before it is built.
    public static func placeholder(output: String) -> String {
        "/" + Base32.encode(Hash(.sha256, of: "nix-output:" + output).bytes)
    }
}
