/// What it would take to have some objects.
public struct MissingObjects: Sendable, Equatable {
    /// Derivations to be built.
    public var toBuild: Set<StorePath> = []
    /// Objects that a cache has.
    public var toSubstitute: Set<StorePath> = []
    /// Objects that nobody knows how to get.
    public var unknown: Set<StorePath> = []
    /// Bytes to be downloaded.
    public var downloadSize: UInt64 = 0
    /// Bytes that the archives of what is downloaded have, unpacked.
    public var narSize: UInt64 = 0

    public init() {}
}

extension DaemonStore {
    public func isValid(_ path: StorePath) throws -> Bool {
        try request(.isValidPath, { $0.write(path) }, { try $0.flag() })
    }

    /// Those of `paths` that are valid; with `substituting`, after fetching what caches have of the rest.
    public func validPaths(among paths: Set<StorePath>, substituting: Bool = false) throws -> Set<StorePath> {
        try withConnection { connection in
            try connection.request(
                .queryValidPaths,
                { writer in
                    writer.write(paths)
                    if connection.minor >= 27 { writer.write(substituting) }
                }, { try $0.paths() })
        }
    }

    public func allValidPaths() throws -> Set<StorePath> { try request(.queryAllValidPaths) { try $0.paths() } }

    /// The valid objects that name `path`.
    public func referrers(of path: StorePath) throws -> Set<StorePath> {
        try request(.queryReferrers, { $0.write(path) }, { try $0.paths() })
    }

    /// The valid derivations that `path` may have been built from.
    public func derivers(of path: StorePath) throws -> Set<StorePath> {
        try request(.queryValidDerivers, { $0.write(path) }, { try $0.paths() })
    }

    /// Those of `paths` that the daemon's caches have.
    public func substitutable(among paths: Set<StorePath>) throws -> Set<StorePath> {
        try request(.querySubstitutablePaths, { $0.write(paths) }, { try $0.paths() })
    }

    public func path(withHashPart hash: String) throws -> StorePath? {
        try request(.queryPathFromHashPart, { $0.write(hash) }, { try $0.optionalPath() })
    }

    /// The paths of a derivation's outputs; `nil` for those not known yet.
    public func outputs(of derivation: StorePath) throws -> [String: StorePath?] {
        try request(
            .queryDerivationOutputMap, { $0.write(derivation) },
            { reader in
                var outputs: [String: StorePath?] = [:]
                for _ in 0..<(try reader.count()) {
                    let name = try reader.string()
                    outputs[name] = try reader.optionalPath()
                }
                return outputs
            })
    }

    /// What it would take to have `targets`: see `build(_:mode:)`.
    public func missing(for targets: [String]) throws -> MissingObjects {
        try request(
            .queryMissing, { $0.write(targets) },
            { reader in
                var missing = MissingObjects()
                missing.toBuild = try reader.paths()
                missing.toSubstitute = try reader.paths()
                missing.unknown = try reader.paths()
                missing.downloadSize = try reader.number()
                missing.narSize = try reader.number()
                return missing
            })
    }
}
