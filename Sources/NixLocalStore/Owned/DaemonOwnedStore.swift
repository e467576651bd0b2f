import Kernel
import NixStore

/// A store of this machine that only a daemon may write to: its files are read, everything else is asked of the daemon.
public final class DaemonOwnedStore: MachineStore {
    public let daemon: DaemonStore
    public let layout: StoreLayout

    public init(_ daemon: DaemonStore, layout: StoreLayout) {
        self.daemon = daemon
        self.layout = layout
    }

    // MARK: Questions

    public func info(of path: StorePath) throws -> PathInfo? { try daemon.info(of: path) }
    public func isValid(_ path: StorePath) throws -> Bool { try daemon.isValid(path) }
    public func validPaths(among paths: Set<StorePath>) throws -> Set<StorePath> {
        paths.isEmpty ? [] : try daemon.validPaths(among: paths)
    }
    public func allValidPaths() throws -> Set<StorePath> { try daemon.allValidPaths() }
    public func references(ifValid path: StorePath) throws -> Set<StorePath>? {
        try daemon.info(of: path)?.references
    }
    public func referrers(of path: StorePath) throws -> Set<StorePath> { try daemon.referrers(of: path) }
    public func derivers(of path: StorePath) throws -> Set<StorePath> { try daemon.derivers(of: path) }
    public func outputs(of derivation: StorePath) throws -> [String: StorePath] {
        try daemon.outputs(of: derivation).compactMapValues { $0 }
    }

    public func archive(of path: StorePath, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        try daemon.archive(of: path, to: sink)
    }

    public func roots(note: @escaping (String) -> Void) throws -> GarbageRoots {
        var roots: GarbageRoots = [:]
        for root in try daemon.roots() { roots[root.target, default: []].insert(root.link) }
        return roots
    }

    // MARK: Changes

    public func addTemporaryRoot(_ path: StorePath) throws { try daemon.addTemporaryRoot(path) }

    /// Makes `link`, an absolute path, a root: a symbolic link to `path` that the daemon knows of.
    public func addRoot(_ link: String, to path: StorePath) throws {
        // The link is the user's; that it is a root is the daemon's business.
        try checkRootLink(link)
        try daemon.addTemporaryRoot(path)
        do throws(KernelError) {
            try FileDescriptor.currentDirectory.replaceLink(link, to: directory.print(path))
        } catch { throw StoreError(.system(error.code.rawValue), "making the root '\(link)': \(error)") }
        try daemon.addIndirectRoot(link)
    }

    public func addSignatures(_ signatures: [String], to path: StorePath) throws {
        try daemon.addSignatures(signatures, to: path)
    }

    public func add(_ info: PathInfo, checkSignatures: Bool, archive: (Int) throws -> [UInt8]) throws {
        try daemon.add(info, checkSignatures: checkSignatures, archive: archive)
    }

    public func addText(
        name: String, contents: [UInt8], references: Set<StorePath>, repair: Bool
    ) throws -> StorePath {
        try daemon.addText(contents, name: name, references: references)
    }

    /// It is read twice, as `LocalStore` does: what the daemon has already is not sent.
    public func addTree(
        name: String, path: String, method: IngestionMethod, algorithm: HashAlgorithm, references: Set<StorePath>,
        from source: any NARSource, repair: Bool, accepts: @escaping (String) throws -> Bool
    ) throws -> StorePath {
        let kept = AcceptedPaths(accepts)
        let hash: Hash
        switch method {
        case .recursive: hash = try Hash(algorithm, archiveOf: path, in: source, accepts: kept.decide)
        case .flat: hash = try Hash(algorithm, contentsOf: path, in: source)
        }
        kept.isDecided = true
        let object = try directory.makeFixedOutputPath(
            name: name, address: ContentAddress(method: method, hash: hash), references: Array(references))
        try daemon.addTemporaryRoot(object)
        if try daemon.isValid(object) { return object }
        let tree = SentTree(path: path, method: method, source: source, accepts: kept.decide)
        let sent = try tree.withBytes { bytes in
            try daemon.add(
                name: name, method: method, algorithm: algorithm, references: references, contents: bytes)
        }
        guard sent.path == object else {
            throw StoreError(.mismatch, "'\(path)' changed while it was copied to the store; try again")
        }
        return object
    }
}

/// A tree on its way to a daemon, read on a thread of its own.
///
/// `@unchecked Sendable`: while that thread reads, the one that made this only waits for bytes, and what `accepts` asks
/// no longer changes.
private struct SentTree: @unchecked Sendable {
    let path: String
    let method: IngestionMethod
    let source: any NARSource
    let accepts: (String) throws -> Bool

    func withBytes<Result>(_ body: ((Int) throws -> [UInt8]) throws -> Result) throws -> Result {
        let pipe = BytePipe()
        let thread = try Threads.start {
            do {
                try write(to: pipe)
                pipe.finish()
            } catch { pipe.finish(throwing: error) }
        }
        defer {
            pipe.abandon()
            Threads.join(thread)
        }
        return try body(pipe.read)
    }

    private func write(to pipe: BytePipe) throws {
        switch method {
        case .recursive:
            try NARWriter(source: source, accepts: accepts) { try pipe.write(Array($0)) }.write(path)
        case .flat:
            var failure: (any Error)?
            try source.read(path, size: { _ in }) { bytes in
                guard failure == nil else { return }
                do { try pipe.write(Array(bytes)) } catch { failure = error }
            }
            if let failure { throw failure }
        }
    }
}
