import Kernel
import NixStore

extension LocalStore {
    public func isValid(_ path: StorePath) throws -> Bool { try database.isValid(path) }

    /// Those of `paths` that are valid.
    public func validPaths(among paths: some Collection<StorePath>) throws -> Set<StorePath> {
        try database.valid(paths)
    }

    public func info(of path: StorePath) throws -> PathInfo? { try database.info(of: path) }

    /// What is known of a path that must be valid.
    /// - Throws: `StoreError.notValid`.
    public func requireInfo(of path: StorePath) throws -> PathInfo {
        guard let info = try info(of: path) else { throw notValid(path) }
        return info
    }

    func notValid(_ path: StorePath) -> StoreError {
        StoreError(.notValid, "path '\(directory.print(path))' is not valid")
    }

    /// The objects that a valid path's bytes name.
    public func references(of path: StorePath) throws -> Set<StorePath> {
        guard let references = try database.references(of: path) else { throw notValid(path) }
        return references
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

    /// The derivation in a `.drv` file of the store.
    public func derivation(at path: StorePath) throws -> Derivation {
        let file = layout.file(path)
        let text: [UInt8]
        do { text = try FileDescriptor.currentDirectory.readFile(file) } catch {
            throw StoreError(.system(error.code.rawValue), "reading the derivation '\(file)': \(error.code)")
        }
        guard path.isDerivation else {
            throw StoreError(.badDerivation, "'\(directory.print(path))' is not a derivation")
        }
        do {
            return try Derivation(aterm: text, name: String(path.name.dropLast(4)), in: directory)
        } catch { throw StoreError(.badDerivation, "derivation '\(directory.print(path))': \(error.reason)") }
    }

    public func archive(of path: StorePath, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard try isValid(path) else { throw notValid(path) }
        try withoutActuallyEscaping(sink) { sink in
            try NARWriter(source: DirectorySource(), output: sink).write(layout.file(path))
        }
    }
}
