import Kernel
import NixBinaryCache
import NixLanguage
import NixLocalStore
import NixStore

extension Fetcher {
    /// A file that a store is to have before somebody asks for it.
    public struct Prefetch: Sendable {
        public var url: String
        /// The object's name; `nil` for the last part of the address.
        public var name: String?
        /// How it is hashed, when no hash is expected.
        public var algorithm = HashAlgorithm.sha256
        /// What the hash must be.
        public var expected: Hash?
        /// Whether the file may be run, which makes the hash that of its archive.
        public var isExecutable = false
        /// Whether it is an archive whose tree is wanted.
        public var unpacks = false

        public init(_ url: String) { self.url = url }
    }

    /// Fetches a file, unless the store has what is expected already.
    /// - Returns: the object, and the hash that a derivation with it as a fixed output has.
    /// - Throws: `StoreError`, or a `HostError` about what came.
    public func prefetch(_ wanted: Prefetch) throws -> (path: StorePath, hash: Hash) {
        let method = wanted.isExecutable || wanted.unpacks ? IngestionMethod.recursive : .flat
        let name = try wanted.name ?? Self.name(in: wanted.url)
        func path(of hash: Hash) throws -> StorePath {
            try store.directory.makeFixedOutputPath(name: name, address: ContentAddress(method: method, hash: hash))
        }
        if let expected = wanted.expected {
            let path = try path(of: expected)
            if try store.isValid(path) { return (path, expected) }
        }
        return try withTemporaryDirectory { directory in
            var file = directory + "/download"
            let target = try FileDescriptor.open(
                file, [.writeOnly, .create, .exclusive], mode: wanted.isExecutable ? 0o700 : 0o600)
            _ = try FileDownload(settings.transfer).download(wanted.url, to: target, knownTag: nil)
            try target.close()
            if wanted.unpacks { file = try Tarball.unpackWhole(file, into: directory, called: wanted.url).path }
            let algorithm = wanted.expected?.algorithm ?? wanted.algorithm
            let hash =
                method == .flat
                ? try Hash(algorithm, contentsOf: file, in: DirectorySource())
                : try Hash(algorithm, archiveOf: file, in: DirectorySource())
            if let expected = wanted.expected { try check(hash, expected, wanted.url) }
            let path = try store.add(tree: file, named: name, method: method, algorithm: algorithm)
            return (path, hash)
        }
    }

    private static func name(in url: String) throws -> String {
        let address = url.prefix { $0 != "?" && $0 != "#" }
        guard let name = address.split(separator: "/", omittingEmptySubsequences: false).last, !name.isEmpty else {
            throw HostError(.failed, "cannot figure out file name for '\(url)'; say it with '--name'")
        }
        return String(name)
    }
}
