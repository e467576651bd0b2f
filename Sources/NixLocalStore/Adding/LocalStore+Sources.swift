import Kernel
import NixStore

// Objects whose content gives their path.
extension LocalStore {
    /// Adds a file made of `contents`, as `builtins.toFile` and derivations are.
    public func addText(
        name: String, contents: [UInt8], references: Set<StorePath> = [], repair: Bool = false
    ) throws -> StorePath {
        try addText(name: name, contents: contents, references: references, repair: repair, derivation: nil)
    }

    /// - Parameter derivation: what `contents` is, if it is that.
    private func addText(
        name: String, contents: [UInt8], references: Set<StorePath>, repair: Bool, derivation: Derivation?
    ) throws -> StorePath {
        try requireWritable()
        let hash = Hash(.sha256, of: contents)
        let path = try directory.makeTextPath(name: name, hash: hash, references: references)
        try making(path, repair: repair, derivation: derivation) { file in
            try FileDescriptor.currentDirectory.writeNew(file, contents)
            var metadata = CanonicalMetadata()
            try metadata.apply(to: file)
            let (narHash, narSize) = try Hash.andSize(archiveOf: "", in: TextSource(contents))
            var info = PathInfo(path: path, narHash: narHash, narSize: narSize)
            info.references = references
            info.contentAddress = "text:" + hash.text(.nix32, withAlgorithm: true)
            return info
        }
        return path
    }

    /// Writes a derivation's file.
    public func addDerivation(_ derivation: Derivation, repair: Bool = false) throws -> StorePath {
        try addText(
            name: derivation.name + ".drv", contents: derivation.aterm(in: directory),
            references: derivation.references, repair: repair, derivation: derivation)
    }

    /// Adds a file or a tree.
    ///
    /// It is read twice, once for the name and once for the copy, so that what is valid already costs no space; a tree
    /// that changes in between is refused.
    /// - Parameters:
    ///   - path: its absolute path in `source`.
    ///   - accepts: says which paths below it are wanted.
    public func addTree(
        name: String, path: String, method: IngestionMethod = .recursive, algorithm: HashAlgorithm = .sha256,
        references: Set<StorePath> = [], from source: any NARSource = DirectorySource(), repair: Bool = false,
        accepts: @escaping (String) throws -> Bool = { _ in true }
    ) throws -> StorePath {
        try requireWritable()
        let kept = AcceptedPaths(accepts)
        let hash: Hash
        switch method {
        case .recursive: hash = try Hash(algorithm, archiveOf: path, in: source, accepts: kept.decide)
        case .flat: hash = try Hash(algorithm, contentsOf: path, in: source)
        }
        kept.isDecided = true
        let address = ContentAddress(method: method, hash: hash)
        let object = try directory.makeFixedOutputPath(name: name, address: address, references: Array(references))
        try making(object, repair: repair) { file in
            try copy(path, method, source, to: file, accepts: kept.decide)
            var metadata = CanonicalMetadata()
            try metadata.apply(to: file)
            var info = try describe(object, file)
            let found =
                method == .flat
                ? try Hash(algorithm, contentsOf: file, in: DirectorySource())
                : algorithm == .sha256
                    ? info.narHash : try Hash(algorithm, archiveOf: file, in: DirectorySource())
            guard found == hash else {
                throw StoreError(.mismatch, "'\(path)' changed while it was copied to the store; try again")
            }
            info.references = references
            info.contentAddress = "fixed:\(method.prefix)\(hash.text(.nix32, withAlgorithm: true))"
            return info
        }
        return object
    }

    private func copy(
        _ path: String, _ method: IngestionMethod, _ source: any NARSource, to file: String,
        accepts: @escaping (String) throws -> Bool
    ) throws {
        var copier = TreeCopier(source: source, accepts: accepts)
        switch method {
        case .recursive: try copier.copy(path, to: file)
        case .flat: try copier.copyFile(path, to: file, isExecutable: false)
        }
    }

    /// Hash and size of files that are in place.
    func describe(_ path: StorePath, _ file: String) throws -> PathInfo {
        let (hash, size) = try Hash.andSize(archiveOf: file)
        return PathInfo(path: path, narHash: hash, narSize: size)
    }
}

/// One file that is in memory.
private struct TextSource: NARSource {
    private let contents: [UInt8]

    init(_ contents: [UInt8]) { self.contents = contents }

    func kind(of path: ByteString) -> FileKind { .regular }
    func isExecutable(_ path: ByteString) -> Bool { false }
    func target(ofLink path: ByteString) -> [UInt8] { [] }
    func names(in path: ByteString) -> [ByteString] { [] }

    func read(_ path: ByteString, size: (UInt64) -> Void, body: (UnsafeRawBufferPointer) -> Void) {
        size(UInt64(contents.count))
        contents.withUnsafeBytes { if !$0.isEmpty { body($0) } }
    }
}

/// What a filter said, so that it is asked once about each path.
final class AcceptedPaths {
    private let accepts: (String) throws -> Bool
    private var refused: Set<String> = []
    var isDecided = false

    init(_ accepts: @escaping (String) throws -> Bool) { self.accepts = accepts }

    func decide(_ path: String) throws -> Bool {
        if isDecided { return !refused.contains(path) }
        let isWanted = try accepts(path)
        if !isWanted { refused.insert(path) }
        return isWanted
    }
}
