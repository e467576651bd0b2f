import GRDB
import NixStore

// What single rows say.
extension StoreDatabase {
    func isValid(_ path: StorePath) throws -> Bool {
        try readOnce { try Self.identity(of: directory.print(path), in: $0) != nil }
    }

    /// Those of `paths` that are valid.
    func valid(_ paths: some Collection<StorePath>) throws -> Set<StorePath> {
        try read { database in
            var valid: Set<StorePath> = []
            for path in paths where try Self.identity(of: directory.print(path), in: database) != nil {
                valid.insert(path)
            }
            return valid
        }
    }

    func info(of path: StorePath) throws -> PathInfo? {
        try read { try info(of: path, in: $0)?.info }
    }

    func info(of path: StorePath, in database: Database) throws -> (id: Int64, info: PathInfo)? {
        let row = try Row.fetchOne(
            database.cachedStatement(
                sql: """
                    SELECT id, hash, registrationTime, deriver, narSize, ultimate, sigs, ca FROM ValidPaths
                    WHERE path = ?
                    """),
            arguments: [directory.print(path)])
        guard let row else { return nil }
        let id: Int64 = row[0]
        let hash = row[1] as String? ?? ""
        let narHash: Hash
        do { narHash = try Hash(parsing: hash) } catch {
            throw StoreError(
                .badDatabase,
                "the store's database '\(file)' gives '\(directory.print(path))' the hash '\(hash)': \(error.reason)")
        }
        var info = PathInfo(
            path: path, narHash: narHash, narSize: UInt64(clamping: row[4] as Int64? ?? 0),
            references: try references(of: id, in: database))
        info.registrationTime = row[2] as Int64? ?? 0
        info.deriver = try (row[3] as String?).map { try directory.parse($0) }
        info.isUltimate = (row[5] as Int64? ?? 0) == 1
        info.signatures = (row[6] as String? ?? "").split(separator: " ").map(String.init)
        info.contentAddress = (row[7] as String?).flatMap { $0.isEmpty ? nil : $0 }
        return (id, info)
    }

    static func identity(of path: String, in database: Database) throws -> Int64? {
        try Int64.fetchOne(
            database.cachedStatement(sql: "SELECT id FROM ValidPaths WHERE path = ?"), arguments: [path])
    }

    private func references(of id: Int64, in database: Database) throws -> Set<StorePath> {
        try paths(
            "SELECT path FROM Refs JOIN ValidPaths ON reference = id WHERE referrer = ?", [id], in: database)
    }

    private func paths(
        _ query: String, _ arguments: StatementArguments, in database: Database
    ) throws -> Set<StorePath> {
        let rows = try String.fetchCursor(database.cachedStatement(sql: query), arguments: arguments)
        var paths: Set<StorePath> = []
        while let text = try rows.next() { paths.insert(try directory.parse(text)) }
        return paths
    }

    // MARK: Relations

    func references(of path: StorePath) throws -> Set<StorePath>? {
        try read { database in
            guard let id = try Self.identity(of: directory.print(path), in: database) else { return nil }
            return try references(of: id, in: database)
        }
    }

    /// The valid paths that name `path`.
    func referrers(of path: StorePath) throws -> Set<StorePath> {
        try read { database in
            try paths(
                """
                SELECT path FROM Refs JOIN ValidPaths ON referrer = id
                WHERE reference = (SELECT id FROM ValidPaths WHERE path = ?)
                """,
                [directory.print(path)], in: database)
        }
    }

    /// The valid derivations that have `path` as an output.
    func derivers(of path: StorePath) throws -> Set<StorePath> {
        try read { database in
            try paths(
                """
                SELECT v.path FROM DerivationOutputs d JOIN ValidPaths v ON d.drv = v.id WHERE d.path = ?
                """,
                [directory.print(path)], in: database)
        }
    }

    /// The outputs of a valid derivation, by name.
    func outputs(of derivation: StorePath) throws -> [String: StorePath] {
        try read { database in
            let rows = try Row.fetchCursor(
                database.cachedStatement(
                    sql: """
                        SELECT d.id, d.path FROM DerivationOutputs d JOIN ValidPaths v ON d.drv = v.id WHERE v.path = ?
                        """),
                arguments: [directory.print(derivation)])
            var outputs: [String: StorePath] = [:]
            while let row = try rows.next() { outputs[row[0]] = try directory.parse(row[1]) }
            return outputs
        }
    }

    func allPaths() throws -> Set<StorePath> {
        try read { try paths("SELECT path FROM ValidPaths", [], in: $0) }
    }

    /// The valid path whose hash is `part`, 32 characters.
    func path(fromHashPart part: some StringProtocol) throws -> StorePath? {
        let prefix = directory.path + "/" + part
        let text = try read { database in
            try String.fetchOne(
                database.cachedStatement(sql: "SELECT path FROM ValidPaths WHERE path >= ? ORDER BY path LIMIT 1"),
                arguments: [prefix])
        }
        guard let text, text.hasPrefix(prefix) else { return nil }
        return try directory.parse(text)
    }
}
