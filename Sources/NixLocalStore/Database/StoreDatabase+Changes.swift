import GRDB
import NixStore

// What changes rows.
extension StoreDatabase {
    /// Makes objects valid, all of them or none. An object that is valid already gets what `infos` says of it.
    /// - Parameter outputs: of the derivations among them, by path.
    func register(_ infos: [PathInfo], outputs: [StorePath: [String: StorePath]]) throws {
        try write { database in
            var identities: [StorePath: Int64] = [:]
            for info in infos {
                let id = try Self.identity(of: directory.print(info.path), in: database)
                if let id {
                    try update(info, id, in: database)
                    identities[info.path] = id
                } else {
                    identities[info.path] = try insert(info, outputs[info.path] ?? [:], in: database)
                }
            }
            let insertion = try database.cachedStatement(
                sql: "INSERT OR REPLACE INTO Refs (referrer, reference) VALUES (?, ?)")
            for info in infos {
                guard let referrer = identities[info.path] else { continue }
                for reference in info.references {
                    let known = try identities[reference] ?? Self.identity(of: directory.print(reference), in: database)
                    guard let known else {
                        throw StoreError(
                            .notValid,
                            "registering '\(directory.print(info.path))': it refers to "
                                + "'\(directory.print(reference))', which is not valid in the store")
                    }
                    try insertion.execute(arguments: [referrer, known])
                }
            }
        }
    }

    private func insert(
        _ info: PathInfo, _ outputs: [String: StorePath], in database: Database
    ) throws -> Int64 {
        try database.cachedStatement(
            sql: """
                INSERT INTO ValidPaths (path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            directory.print(info.path), info.narHash.text(.base16, withAlgorithm: true), info.registrationTime,
            info.deriver.map(directory.print), info.narSize == 0 ? nil : Int64(clamping: info.narSize),
            info.isUltimate ? 1 : nil,
            info.signatures.isEmpty ? nil : info.signatures.joined(separator: " "), info.contentAddress,
        ])
        let id = database.lastInsertedRowID
        let insertion = try database.cachedStatement(
            sql: "INSERT OR REPLACE INTO DerivationOutputs (drv, id, path) VALUES (?, ?, ?)")
        for (name, path) in outputs { try insertion.execute(arguments: [id, name, directory.print(path)]) }
        return id
    }

    private func update(_ info: PathInfo, _ id: Int64, in database: Database) throws {
        try database.cachedStatement(
            sql: "UPDATE ValidPaths SET narSize = ?, hash = ?, ultimate = ?, sigs = ?, ca = ? WHERE id = ?"
        ).execute(arguments: [
            info.narSize == 0 ? nil : Int64(clamping: info.narSize), info.narHash.text(.base16, withAlgorithm: true),
            info.isUltimate ? 1 : nil,
            info.signatures.isEmpty ? nil : info.signatures.joined(separator: " "), info.contentAddress, id,
        ])
    }

    /// Replaces what is known of a valid object, but not what it refers to.
    func replace(_ info: PathInfo) throws {
        try write { database in
            guard let id = try Self.identity(of: directory.print(info.path), in: database) else {
                throw StoreError(.notValid, "path '\(directory.print(info.path))' is not valid")
            }
            try update(info, id, in: database)
        }
    }

    /// Makes objects invalid, all of them or none.
    /// - Throws: `StoreError.stillInUse` when a valid object outside of `paths` refers to one of them.
    func unregister(_ paths: [StorePath]) throws {
        try write { database in
            // In any order: what refers from outside is looked for first, and references among them go at once.
            let names = Set(paths.map(directory.print))
            for name in names {
                let referrers = try String.fetchAll(
                    database.cachedStatement(
                        sql: """
                            SELECT path FROM Refs JOIN ValidPaths ON referrer = id
                            WHERE reference = (SELECT id FROM ValidPaths WHERE path = ?)
                            """),
                    arguments: [name])
                if let referrer = referrers.filter({ !names.contains($0) }).min() {
                    throw StoreError(
                        .stillInUse, "cannot delete path '\(name)' because it is in use by '\(referrer)'")
                }
            }
            let references = try database.cachedStatement(
                sql: "DELETE FROM Refs WHERE referrer = (SELECT id FROM ValidPaths WHERE path = ?)")
            for name in names { try references.execute(arguments: [name]) }
            let rows = try database.cachedStatement(sql: "DELETE FROM ValidPaths WHERE path = ?")
            for name in names { try rows.execute(arguments: [name]) }
        }
    }
}
