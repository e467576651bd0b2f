/// What a daemon's garbage collector is to do.
public struct DaemonCollection: Sendable {
    public enum Action: UInt64, Sendable {
        case returnLive = 0
        case returnDead = 1
        case deleteDead = 2
        /// Only `paths`.
        case deleteSpecific = 3
    }

    public var action: Action
    public var paths: Set<StorePath> = []
    public var ignoresLiveness = false
    /// Bytes after which it may stop.
    public var maximumFreed = UInt64.max

    public init(_ action: Action) { self.action = action }
}

extension DaemonStore {
    /// Keeps the garbage collector from `path` as long as this process has its connection.
    public func addTemporaryRoot(_ path: StorePath) throws { try perform(.addTempRoot) { $0.write(path) } }

    /// Makes the link at `link`, an absolute path, a root.
    public func addIndirectRoot(_ link: String) throws { try perform(.addIndirectRoot) { $0.write(link) } }

    /// Waits for a garbage collection that began before.
    public func synchronizeWithCollector() throws { try perform(.syncWithGC) }

    /// Links and other holders with what they keep alive.
    public func roots() throws -> [(link: String, target: StorePath)] {
        try request(.findRoots) { reader in
            var roots: [(String, StorePath)] = []
            for _ in 0..<(try reader.count()) {
                let link = try reader.string()
                roots.append((link, try reader.path()))
            }
            return roots
        }
    }

    /// - Returns: the paths found or deleted, and how many bytes were freed.
    public func collectGarbage(_ collection: DaemonCollection) throws -> (paths: [String], freed: UInt64) {
        try request(
            .collectGarbage,
            { writer in
                writer.write(collection.action.rawValue)
                writer.write(collection.paths)
                writer.write(collection.ignoresLiveness)
                writer.write(collection.maximumFreed)
                for _ in 0..<3 { writer.write(UInt64(0)) }
            },
            { reader in
                let paths = try reader.strings()
                let freed = try reader.number()
                _ = try reader.number()
                return (paths, freed)
            })
    }

    /// Makes one file of equal ones.
    public func optimise() throws { try perform(.optimiseStore) }

    /// - Returns: whether errors remain.
    public func verify(checkingContents: Bool, repairing: Bool = false) throws -> Bool {
        try request(
            .verifyStore,
            { writer in
                writer.write(checkingContents)
                writer.write(repairing)
            }, { try $0.flag() })
    }

    public func addSignatures(_ signatures: [String], to path: StorePath) throws {
        try perform(.addSignatures) { writer in
            writer.write(path)
            writer.write(signatures.sorted())
        }
    }
}
