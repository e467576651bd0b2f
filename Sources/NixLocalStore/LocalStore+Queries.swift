import Kernel
import NixStore

extension LocalStore {
    public func isValid(_ path: StorePath) throws -> Bool { try database.isValid(path) }

    /// Those of `paths` that are valid.
    public func validPaths(among paths: some Collection<StorePath>) throws -> Set<StorePath> {
        try database.valid(paths)
    }

    public func info(of path: StorePath) throws -> PathInfo? { try database.info(of: path) }

    public func references(ifValid path: StorePath) throws -> Set<StorePath>? {
        try database.references(of: path)
    }

    /// The valid objects whose bytes name `path`.
    public func referrers(of path: StorePath) throws -> Set<StorePath> { try database.referrers(of: path) }

    /// The valid derivations that have `path` as an output.
    public func derivers(of path: StorePath) throws -> Set<StorePath> { try database.derivers(of: path) }

    /// The outputs of a valid derivation, by name, valid or not.
    public func outputs(of derivation: StorePath) throws -> [String: StorePath] {
        try database.outputs(of: derivation)
    }

    public func allValidPaths() throws -> Set<StorePath> { try database.allPaths() }

    /// The valid object whose path has the hash `part` (32 characters of base 32).
    public func path(fromHashPart part: some StringProtocol) throws -> StorePath? {
        guard part.utf8.count == StorePath.hashLength else {
            throw StoreError(.badStorePath, "'\(part)' is not the hash part of a store path: it has 32 characters")
        }
        return try database.path(fromHashPart: part)
    }

    public func archive(of path: StorePath, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard try isValid(path) else { throw notValid(path) }
        try withoutActuallyEscaping(sink) { sink in
            try NARWriter(source: DirectorySource(), output: sink).write(layout.file(path))
        }
    }
}
