import GRDB
import JSON

/// The swarm in the database, of which there is one at most. All methods block.
///
/// It comes together with its networks, and goes together with them, in one transaction: a kill leaves a whole swarm,
/// none, or one that says of itself that it ends.
package struct SwarmStore: Sendable {
    package let database: any DatabaseWriter

    /// Brings the table to this version's form.
    package init(_ database: any DatabaseWriter) throws {
        self.database = database
        var migrator = DatabaseMigrator()
        migrator.registerMigration("swarm-1") { database in
            try database.create(table: "swarm") { table in
                table.primaryKey("id", .text)
                table.column("record", .text).notNull()
            }
        }
        try migrator.migrate(database)
    }

    package func load() throws -> SwarmRecord? {
        let text = try database.read { try String.fetchOne($0, sql: "SELECT record FROM swarm") }
        return try text.map { try SwarmRecord(parsing: Array($0.utf8)) }
    }

    /// Whether there is a swarm that an earlier daemon did not end whole.
    package func isLeaving() throws -> Bool {
        // One that cannot be read was told of already.
        ((try? load()) ?? nil)?.isLeaving ?? false
    }

    /// Writes the swarm, new or changed, and networks that come with it.
    package func save(_ record: SwarmRecord, with networks: [NetworkRecord] = []) throws {
        try database.write { database in
            try database.execute(sql: "DELETE FROM swarm")
            try database.execute(
                sql: "INSERT INTO swarm (id, record) VALUES (?, ?)",
                arguments: [record.id, record.json.serialized()])
            for network in networks { try NetworkStore.save(network, in: database) }
        }
    }

    package func delete(with networks: [String]) throws {
        try database.write { database in
            try database.execute(sql: "DELETE FROM swarm")
            for id in networks { try NetworkStore.delete(id, in: database) }
        }
    }
}
