import Kernel
import NixStore
import Synchronization

/// What binary caches said, kept on disk: in Nix's own file and format, so that both programs ask only once.
public final class NarInfoDiskCache: Sendable {
    /// How long something is believed, in seconds.
    public struct Lifetimes: Sendable {
        /// That a cache has an object (`narinfo-cache-positive-ttl`).
        public var positive: Int64 = 30 * 86_400
        /// That it has it not (`narinfo-cache-negative-ttl`).
        public var negative: Int64 = 3600
        /// What it says of itself.
        public var cacheInfo: Int64 = 7 * 86_400

        public init() {}
    }

    private let database: Mutex<CacheDatabase>
    private let lifetimes: Lifetimes
    private let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - path: the file; its directory is made.
    ///   - now: seconds since 1970.
    public init(
        _ path: String, lifetimes: Lifetimes = Lifetimes(),
        now: @escaping @Sendable () -> Int64 = { Timestamp.now.seconds }
    ) throws {
        database = Mutex(try CacheDatabase(path, schema: Self.schema, of: "answers of binary caches"))
        self.lifetimes = lifetimes
        self.now = now
        try purge()
    }

    /// Where Nix of the versions 2.4 to 2.28 has it.
    public static func standardPath(environment: (String) -> String?) -> String? {
        let base =
            environment("XDG_CACHE_HOME").flatMap { $0.isEmpty ? nil : $0 }
            ?? environment("HOME").map { $0 + "/.cache" }
        return base.map { $0 + "/nix/binary-cache-v6.sqlite" }
    }

    /// As Nix makes it; the columns of realisations are Nix's alone.
    private static let schema = """
        create table if not exists BinaryCaches (id integer primary key autoincrement not null, url text unique not null,
          timestamp integer not null, storeDir text not null, wantMassQuery integer not null,
          priority integer not null);
        create table if not exists NARs (cache integer not null, hashPart text not null, namePart text, url text,
          compression text, fileHash text, fileSize integer, narHash text, narSize integer, refs text, deriver text,
          sigs text, ca text, timestamp integer not null, present integer not null, primary key (cache, hashPart),
          foreign key (cache) references BinaryCaches(id) on delete cascade);
        create table if not exists Realisations (cache integer not null, outputId text not null, content blob,
          timestamp integer not null, primary key (cache, outputId),
          foreign key (cache) references BinaryCaches(id) on delete cascade);
        create table if not exists LastPurge (dummy text primary key, value integer);
        """

    private func purge() throws {
        let now = now()
        try database.withLock { database in
            let last = try database.rows("select value from LastPurge", []).first?[0].integer
            if let last, last > now - 86_400 { return }
            _ = try database.rows(
                "delete from NARs where ((present = 0 and timestamp < ?) or (present = 1 and timestamp < ?))",
                [.integer(now - max(lifetimes.negative, 3600)), .integer(now - max(lifetimes.positive, 30 * 86_400))])
            _ = try database.rows(
                "insert or replace into LastPurge(dummy, value) values ('', ?)", [.integer(now)])
        }
    }

    private func identifier(_ cache: String, _ database: CacheDatabase) throws -> [CacheDatabase.Value]? {
        try database.rows(
            "select id, storeDir, wantMassQuery, priority from BinaryCaches where url = ? and timestamp > ?",
            [.text(cache), .integer(now() - lifetimes.cacheInfo)]
        ).first
    }

    func cacheInfo(of cache: String) throws -> CacheInfo? {
        try database.withLock { database in
            guard let row = try identifier(cache, database) else { return nil }
            return CacheInfo(
                storeDirectory: StoreDirectory(row[1].string), wantsMassQuery: row[2].integer != 0,
                priority: Int(row[3].integer))
        }
    }

    func remember(_ info: CacheInfo, of cache: String) throws {
        let now = now()
        try database.withLock { database in
            _ = try database.rows(
                """
                insert into BinaryCaches(url, timestamp, storeDir, wantMassQuery, priority) values (?1, ?2, ?3, ?4, ?5)
                on conflict (url) do update set timestamp = ?2, storeDir = ?3, wantMassQuery = ?4, priority = ?5
                """,
                [
                    .text(cache), .integer(now), .text(info.storeDirectory.path),
                    .integer(info.wantsMassQuery ? 1 : 0), .integer(Int64(info.priority)),
                ])
        }
    }

    /// An answer that is remembered: what the cache has, or that it has nothing.
    struct Answer {
        var info: NarInfo?
    }

    func lookUp(_ hash: String, in cache: String, _ directory: StoreDirectory) throws -> Answer? {
        let now = now()
        let row = try database.withLock { database -> [CacheDatabase.Value]? in
            guard let identifier = try identifier(cache, database)?[0] else { return nil }
            return try database.rows(
                """
                select present, namePart, url, compression, fileHash, fileSize, narHash, narSize, refs, deriver, sigs, ca
                from NARs where cache = ? and hashPart = ?
                and ((present = 0 and timestamp > ?) or (present = 1 and timestamp > ?))
                """,
                [identifier, .text(hash), .integer(now - lifetimes.negative), .integer(now - lifetimes.positive)]
            ).first
        }
        guard let row else { return nil }
        guard row[0].integer != 0 else { return Answer(info: nil) }
        var info = PathInfo(
            path: try StorePath(hash + "-" + row[1].string), narHash: try Hash(parsing: row[6].string),
            narSize: UInt64(bitPattern: row[7].integer))
        for reference in row[8].string.split(separator: " ") {
            info.references.insert(try StorePath(String(reference)))
        }
        if !row[9].string.isEmpty { info.deriver = try StorePath(row[9].string) }
        info.signatures = row[10].string.split(separator: " ").map(String.init)
        info.contentAddress = row[11].string.isEmpty ? nil : row[11].string
        var result = NarInfo(info, url: row[2].string, compression: row[3].string)
        if !row[4].string.isEmpty { result.fileHash = try Hash(parsing: row[4].string) }
        if row[5].integer > 0 { result.fileSize = UInt64(row[5].integer) }
        return Answer(info: result)
    }

    func remember(_ found: NarInfo?, _ hash: String, of cache: String, _ cacheInfo: CacheInfo) throws {
        if try self.cacheInfo(of: cache) == nil { try remember(cacheInfo, of: cache) }
        let now = now()
        try database.withLock { database in
            guard let identifier = try identifier(cache, database)?[0] else { return }
            guard let found else {
                _ = try database.rows(
                    "insert or replace into NARs(cache, hashPart, timestamp, present) values (?, ?, ?, 0)",
                    [identifier, .text(hash), .integer(now)])
                return
            }
            let info = found.info
            _ = try database.rows(
                """
                insert or replace into NARs(cache, hashPart, namePart, url, compression, fileHash, fileSize, narHash,
                narSize, refs, deriver, sigs, ca, timestamp, present) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
                """,
                [
                    identifier, .text(hash), .text(info.path.name), .text(found.url), .text(found.compression),
                    found.fileHash.map { .text($0.text(.nix32, withAlgorithm: true)) } ?? .null,
                    .integer(Int64(bitPattern: found.fileSize ?? 0)),
                    .text(info.narHash.text(.nix32, withAlgorithm: true)), .integer(Int64(bitPattern: info.narSize)),
                    .text(info.references.sorted().map(\.baseName).joined(separator: " ")),
                    info.deriver.map { .text($0.baseName) } ?? .null,
                    .text(info.signatures.sorted().joined(separator: " ")), .text(info.contentAddress ?? ""),
                    .integer(now),
                ])
        }
    }
}
