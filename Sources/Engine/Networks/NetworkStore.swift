import GRDB
import JSON

/// The networks in the database. All methods block.
package struct NetworkStore: Sendable {
    package let database: any DatabaseWriter

    /// Brings the table to this version's form.
    package init(_ database: any DatabaseWriter) throws {
        self.database = database
        var migrator = DatabaseMigrator()
        migrator.registerMigration("network-1") { database in
            try database.create(table: "network") { table in
                table.primaryKey("id", .text)
                table.column("name", .text).notNull().unique()
                table.column("record", .text).notNull()
            }
        }
        try migrator.migrate(database)
    }

    /// Writes a network, new or changed.
    package func save(_ record: NetworkRecord) throws {
        try database.write { try Self.save(record, in: $0) }
    }

    /// As part of a transaction.
    static func save(_ record: NetworkRecord, in database: Database) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO network (id, name, record) VALUES (?, ?, ?)",
            arguments: [record.id, record.name, record.json.serialized()])
    }

    package func delete(_ id: String) throws {
        try database.write { try Self.delete(id, in: $0) }
    }

    /// As part of a transaction.
    static func delete(_ id: String, in database: Database) throws {
        try database.execute(sql: "DELETE FROM network WHERE id = ?", arguments: [id])
    }

    /// All networks; one whose row cannot be read is left out and named in `failures`.
    package func load() throws -> (networks: [NetworkRecord], failures: [String]) {
        let rows = try database.read { try Row.fetchAll($0, sql: "SELECT id, record FROM network") }
        var networks: [NetworkRecord] = []
        var failures: [String] = []
        for row in rows {
            let id: String = row["id"]
            let text: String = row["record"]
            do { networks.append(try NetworkRecord(parsing: Array(text.utf8))) } catch {
                failures.append("\(id): \(error)")
            }
        }
        return (networks, failures)
    }
}
