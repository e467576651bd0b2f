import GRDB
import Kernel
import NixStore

/// Makes a new database of what a damaged one still gives.
public enum DatabaseRescue {
    /// What came of it.
    public struct Result: Sendable {
        /// Where the damaged database is now.
        public var kept: String
        public var registered = 0
        /// Objects on disk of which nothing is known any more; a collection removes them.
        public var lost = 0
    }

    /// Whether a store's database, or the file with its version, cannot be used.
    public static func isNeeded(_ layout: StoreLayout) -> Bool {
        do {
            var options = LocalStore.Options()
            options.isWritable = false
            let store = try LocalStore(layout, options: options)
            return try !store.database.check().isEmpty
        } catch let error as StoreError {
            if case .badDatabase = error.code { return true }
            return false
        } catch { return false }
    }

    /// Reads every row that can be read, keeps those whose files are what their hash says and whose references are
    /// kept too, and puts a new database in the place of the old one, which stays beside it.
    public static func run(_ layout: StoreLayout) throws -> Result {
        let here = FileDescriptor.currentDirectory
        do {
            let lock = try here.open(layout.database + "/big-lock", [.readWrite, .create], mode: 0o600)
            guard try lock.lock(.exclusive, wait: false) else {
                throw StoreError(
                    .unusableStore, "the store '\(layout.objects)' is in use; stop all that uses it, and try again")
            }
            return try withExtendedLifetime(lock) {
                let found = readable(layout)
                let kept = "\(layout.database)/db.sqlite.damaged-\(randomHexadecimal(bytes: 4))"
                try here.rename(layout.database + "/db.sqlite", to: kept)
                for suffix in ["-wal", "-shm"] {
                    try here.unlinkIfPresent(layout.database + "/db.sqlite" + suffix)
                }
                try here.replaceFile(layout.database + "/schema", with: "\(Schema.version)", durable: true)
                let sound = Dictionary(uniqueKeysWithValues: found.filter { isSound($0, layout) }.map { ($0.path, $0) })
                let closed = withoutDangling(sound)
                // The lock is this process's own: it must not wait for itself.
                try lock.unlock()
                let store = try LocalStore(layout)
                try store.register(Array(closed.values))
                let present = try here.entries(of: layout.objects).filter { (try? StorePath($0.name)) != nil }.count
                return Result(kept: kept, registered: closed.count, lost: max(0, present - closed.count))
            }
        } catch let error as KernelError {
            throw StoreError(.system(error.code.rawValue), "making a new database in '\(layout.database)': \(error)")
        }
    }

    private static func readable(_ layout: StoreLayout) -> [PathInfo] {
        guard
            let database = try? StoreDatabase(layout.database, directory: layout.directory, isWritable: false)
        else { return [] }
        // Row by row: a damaged page costs what is on it.
        var infos: [PathInfo] = []
        let last = (try? database.read { try Int64.fetchOne($0, sql: "SELECT max(id) FROM ValidPaths") }) ?? nil
        guard let last, last > 0 else { return [] }
        for id in 1...last {
            let text = try? database.read {
                try String.fetchOne($0, sql: "SELECT path FROM ValidPaths WHERE id = ?", arguments: [id])
            }
            guard let text, let path = try? layout.directory.parse(text) else { continue }
            if let info = try? database.info(of: path) { infos.append(info) }
        }
        return infos
    }

    private static func isSound(_ info: PathInfo, _ layout: StoreLayout) -> Bool {
        guard let found = try? Hash.andSize(archiveOf: layout.file(info.path)) else { return false }
        return found.hash == info.narHash
    }

    private static func withoutDangling(_ infos: [StorePath: PathInfo]) -> [StorePath: PathInfo] {
        var infos = infos
        while true {
            let dangling = infos.values.filter { info in info.references.contains { infos[$0] == nil } }
            if dangling.isEmpty { return infos }
            for info in dangling { infos[info.path] = nil }
        }
    }
}
