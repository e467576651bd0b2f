import Kernel
import NixStore

/// A store whose files are on this machine, whether this process writes to it itself or a daemon does.
public protocol MachineStore: SignableStore {
    /// Where its files are.
    var layout: StoreLayout { get }

    func isValid(_ path: StorePath) throws -> Bool
    /// Those of `paths` that are valid.
    func validPaths(among paths: Set<StorePath>) throws -> Set<StorePath>
    func allValidPaths() throws -> Set<StorePath>
    /// The objects that a path's bytes name; `nil` when it is not valid.
    func references(ifValid path: StorePath) throws -> Set<StorePath>?
    /// The valid objects whose bytes name `path`.
    func referrers(of path: StorePath) throws -> Set<StorePath>
    /// The valid derivations that have `path` as an output.
    func derivers(of path: StorePath) throws -> Set<StorePath>
    /// The outputs of a valid derivation, by name, valid or not.
    func outputs(of derivation: StorePath) throws -> [String: StorePath]
    /// Every root, with the links, files and processes that name it.
    /// - Parameter note: told about links that lead nowhere.
    func roots(note: @escaping (String) -> Void) throws -> GarbageRoots
    /// Keeps `path`, valid or not yet, from being collected for as long as this process has the store open.
    func addTemporaryRoot(_ path: StorePath) throws
    /// Makes `link` a root: a symbolic link to `path`.
    /// - Parameter link: an absolute path; a link of this kind that is there already is replaced.
    func addRoot(_ link: String, to path: StorePath) throws

    /// Adds a file made of `contents`, as `builtins.toFile` and derivations are.
    func addText(name: String, contents: [UInt8], references: Set<StorePath>, repair: Bool) throws -> StorePath
    /// Adds a file or a tree.
    /// - Parameters:
    ///   - path: its absolute path in `source`.
    ///   - accepts: says which paths below it are wanted.
    func addTree(
        name: String, path: String, method: IngestionMethod, algorithm: HashAlgorithm, references: Set<StorePath>,
        from source: any NARSource, repair: Bool, accepts: @escaping (String) throws -> Bool
    ) throws -> StorePath
}

extension MachineStore {
    public var directory: StoreDirectory { layout.directory }

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
        guard let references = try references(ifValid: path) else { throw notValid(path) }
        return references
    }

    /// The derivation in a `.drv` file of the store.
    public func derivation(at path: StorePath) throws -> Derivation {
        guard path.isDerivation else {
            throw StoreError(.badDerivation, "'\(directory.print(path))' is not a derivation")
        }
        let file = layout.file(path)
        let text: [UInt8]
        do { text = try FileDescriptor.currentDirectory.readFile(file) } catch {
            throw StoreError(.system(error.code.rawValue), "reading the derivation '\(file)': \(error.code)")
        }
        do {
            return try Derivation(aterm: text, name: String(path.name.dropLast(4)), in: directory)
        } catch { throw StoreError(.badDerivation, "derivation '\(directory.print(path))': \(error.reason)") }
    }

    /// The hash that an object's files have now, by the algorithm of the one it should have.
    public func foundHash(of path: StorePath) throws -> Hash {
        try Hash(requireInfo(of: path).narHash.algorithm, archiveOf: layout.file(path), in: DirectorySource())
    }

    /// Whether an object is what its hash says.
    public func hasSoundContents(_ path: StorePath) throws -> Bool {
        try requireInfo(of: path).narHash == foundHash(of: path)
    }

    /// Adds a file or a tree of this machine.
    public func add(
        tree path: String, named name: String, method: IngestionMethod = .recursive,
        algorithm: HashAlgorithm = .sha256, accepts: @escaping (String) throws -> Bool = { _ in true }
    ) throws -> StorePath {
        try addTree(
            name: name, path: path, method: method, algorithm: algorithm, references: [], from: DirectorySource(),
            repair: false, accepts: accepts)
    }

    /// Bytes that this user may still write to the store's file system.
    public func availableBytes() throws -> UInt64 {
        do throws(KernelError) {
            let status = try FileSystemStatus(of: layout.objects)
            return status.availableBlocks * status.blockSize
        } catch {
            throw StoreError(.system(error.code.rawValue), "asking how much space '\(layout.objects)' has: \(error)")
        }
    }
}
