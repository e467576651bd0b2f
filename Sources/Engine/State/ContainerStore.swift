import EngineModel
import GRDB
import JSON

/// The containers in the database. All methods block.
///
/// A row is written after everything that it names exists, and deleted before any of it goes; what is on the disk
/// without a row is swept at the next start. So a kill at any moment leaves a listed container, or nothing.
package struct ContainerStore: Sendable {
    package let database: any DatabaseWriter

    /// Brings the tables to this version's form.
    package init(_ database: any DatabaseWriter) throws {
        self.database = database
        var migrator = DatabaseMigrator()
        migrator.registerMigration("engine-1") { database in
            try database.create(table: "container") { table in
                table.primaryKey("id", .text)
                table.column("name", .text).notNull().unique()
                table.column("record", .text).notNull()
                table.column("status", .text).notNull()
            }
            // A create that makes anonymous volumes notes itself here first, because volumes have rows of their own.
            try database.create(table: "containerCreation") { table in
                table.primaryKey("id", .text)
                table.column("began", .integer).notNull()
            }
            try database.create(table: "volumeRemoval") { table in
                table.primaryKey("name", .text)
            }
            try database.create(table: "engineFact") { table in
                table.primaryKey("name", .text)
                table.column("value", .text).notNull()
            }
        }
        try migrator.migrate(database)
    }

    package func beginCreation(_ id: String, at time: Int64) throws {
        try database.write { database in
            try database.execute(
                sql: "INSERT INTO containerCreation (id, began) VALUES (?, ?)", arguments: [id, time])
        }
    }

    package func abandonCreation(_ id: String) throws {
        try database.write { database in
            try database.execute(sql: "DELETE FROM containerCreation WHERE id = ?", arguments: [id])
        }
    }

    /// When the creations began that no process finished, oldest first.
    package func unfinishedCreations() throws -> [(id: String, began: Int64)] {
        try database.read { database in
            try Row.fetchAll(database, sql: "SELECT id, began FROM containerCreation ORDER BY began")
                .map { ($0["id"], $0["began"]) }
        }
    }

    package func insert(_ record: ContainerRecord, _ status: ContainerStatus) throws {
        try database.write { database in
            try database.cachedStatement(
                sql: "INSERT INTO container (id, name, record, status) VALUES (?, ?, ?, ?)"
            ).execute(arguments: [record.id, record.name, data(record), data(status)])
            if record.mounts.contains(where: \.isAnonymous) {
                try database.execute(sql: "DELETE FROM containerCreation WHERE id = ?", arguments: [record.id])
            }
        }
    }

    package func update(_ record: ContainerRecord) throws {
        try database.write { database in
            try database.execute(
                sql: "UPDATE container SET name = ?, record = ? WHERE id = ?",
                arguments: [record.name, data(record), record.id])
        }
    }

    package func update(_ id: String, _ status: ContainerStatus) throws {
        try database.write { database in
            try database.cachedStatement(sql: "UPDATE container SET status = ? WHERE id = ?")
                .execute(arguments: [data(status), id])
        }
    }

    /// Deletes a row; `volumes` are to be removed next, which a restart remembers.
    package func delete(_ id: String, owing volumes: [String]) throws {
        try database.write { database in
            try database.cachedStatement(sql: "DELETE FROM container WHERE id = ?").execute(arguments: [id])
            for name in volumes {
                try database.execute(
                    sql: "INSERT OR IGNORE INTO volumeRemoval (name) VALUES (?)", arguments: [name])
            }
        }
    }

    /// The volumes that `delete` left to be removed.
    package func owedVolumes() throws -> [String] {
        try database.read { try String.fetchAll($0, sql: "SELECT name FROM volumeRemoval") }
    }

    package func settle(volumes: [String]) throws {
        try database.write { database in
            for name in volumes {
                try database.execute(sql: "DELETE FROM volumeRemoval WHERE name = ?", arguments: [name])
            }
        }
    }

    /// All containers; one whose row cannot be read is left out and named in `failures`.
    package func load() throws -> (containers: [(ContainerRecord, ContainerStatus)], failures: [String]) {
        let rows = try database.read { database in
            try Row.fetchAll(database, sql: "SELECT id, record, status FROM container")
        }
        var containers: [(ContainerRecord, ContainerStatus)] = []
        var failures: [String] = []
        for row in rows {
            let id: String = row["id"]
            do {
                let record = try ContainerRecord(parsing: bytes(row["record"]))
                containers.append((record, try ContainerStatus(parsing: bytes(row["status"]))))
            } catch {
                failures.append("\(id): \(error)")
            }
        }
        return (containers, failures)
    }

    /// A fact about the installation, made up at the first call.
    package func fact(_ name: String, _ make: () -> String) throws -> String {
        try database.write { database in
            if let value = try String.fetchOne(
                database, sql: "SELECT value FROM engineFact WHERE name = ?", arguments: [name])
            {
                return value
            }
            let value = make()
            try database.execute(sql: "INSERT INTO engineFact (name, value) VALUES (?, ?)", arguments: [name, value])
            return value
        }
    }

    // Documents are kept as text, which SQLite's own tools can show.
    private func data(_ value: some JSONConvertible) -> String { value.json.serialized() }
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
}
