import GRDB
import Kernel
import NixStore

/// The record of what is valid in a store, in Nix's own format.
///
/// Its methods may be called from any thread: one connection, one statement at a time.
final class StoreDatabase: Sendable {
    /// How long to wait while another process writes.
    static let patience = 3600.0

    let directory: StoreDirectory
    let file: String
    private let queue: DatabaseQueue

    /// Opens the database in `folder`.
    /// - Parameters:
    ///   - folder: the directory that holds `db.sqlite` and `schema`.
    ///   - isWritable: whether to make the tables where there are none.
    init(_ folder: String, directory: StoreDirectory, isWritable: Bool) throws {
        self.directory = directory
        file = folder + "/db.sqlite"
        var configuration = Configuration()
        configuration.busyMode = .timeout(Self.patience)
        configuration.foreignKeysEnabled = true
        configuration.readonly = !isWritable
        configuration.label = "nix"
        configuration.prepareDatabase { database in
            guard isWritable else { return }
            // As Nix itself sets it: readers go on while someone writes, and a power cut loses no consistency.
            try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
            try database.execute(sql: "PRAGMA wal_autocheckpoint = 40000")
        }
        do {
            queue = try DatabaseQueue(path: file, configuration: configuration)
        } catch { throw Self.explained(error, file) }
        if isWritable { try write { try Schema.create(in: $0) } }
    }

    func read<Result>(_ body: (Database) throws -> Result) throws -> Result {
        do { return try queue.read(body) } catch { throw Self.explained(error, file) }
    }

    /// Runs one statement, for which a transaction would only cost time.
    func readOnce<Result>(_ body: (Database) throws -> Result) throws -> Result {
        do { return try queue.unsafeRead(body) } catch { throw Self.explained(error, file) }
    }

    /// Everything in `body`, or nothing.
    func write<Result>(_ body: (Database) throws -> Result) throws -> Result {
        do {
            return try queue.write(body)
        } catch { throw Self.explained(error, file) }
    }

    /// Runs SQLite's own check.
    /// - Returns: what is wrong, or nothing.
    func check() throws -> [String] {
        try read { database in
            try String.fetchAll(database, sql: "PRAGMA integrity_check").filter { $0 != "ok" }
        }
    }

    private static func explained(_ error: any Error, _ file: String) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return StoreError(
                .badDatabase,
                "the store's database '\(file)' is damaged (\(error.message ?? "no more is known")); "
                    + "'dhow nix store verify --repair' makes a new one from what can still be read")
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM:
            return StoreError(
                .unusableStore,
                "opening the store's database '\(file)': \(error.message ?? "it cannot be opened"); "
                    + "use a store of your own with '--store DIR', or run as its owner")
        case .SQLITE_FULL:
            return StoreError(
                .system(ErrorNumber.noSpace.rawValue),
                "writing the store's database '\(file)': no space is left; make room with 'dhow nix gc'")
        default:
            return StoreError(.badDatabase, "the store's database '\(file)': \(error.message ?? error.description)")
        }
    }
}
