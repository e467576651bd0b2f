import JSON
import Kernel
import NixBinaryCache
import NixStore

/// What addresses gave and when, in Nix's own file and format, so that both programs fetch only once.
final class FetchCache {
    struct Entry {
        var path: StorePath
        var etag: String
        /// Seconds since 1970 of what was fetched.
        var lastModified: Int64?
        /// Whether it is old, and what the address gives now must be asked.
        var isExpired: Bool
    }

    private let database: CacheDatabase
    private let directory: StoreDirectory
    /// Seconds for which something is new.
    private let lifetime: Int64

    private static let schema = """
        create table if not exists Cache (input text not null, info text not null, path text not null,
          immutable integer not null, timestamp integer not null, primary key (input));
        """

    /// - Parameter folder: `~/.cache/nix`.
    init(in folder: String, _ directory: StoreDirectory, lifetime: Int) throws {
        database = try CacheDatabase(
            folder + "/fetcher-cache-v1.sqlite", schema: Self.schema, of: "answers to what was fetched")
        self.directory = directory
        self.lifetime = Int64(lifetime)
    }

    /// A question as Nix writes it: names in order, no white space.
    static func key(_ type: String, _ url: String, _ name: String) -> String {
        JSONValue.object(["name": .string(name), "type": .string(type), "url": .string(url)]).serialized()
    }

    func entry(_ key: String) throws -> Entry? {
        let row = try database.rows(
            "select info, path, immutable, timestamp from Cache where input = ?", [.text(key)]
        ).first
        // What another program wrote and this one does not understand is nothing.
        guard let row, let path = try? directory.parse(row[1].string), let info = try? JSONValue(parsing: row[0].string)
        else { return nil }
        let isExpired = row[2].integer == 0 && (lifetime == 0 || row[3].integer + lifetime < Timestamp.now.seconds)
        return Entry(
            path: path, etag: info["etag"]?.string ?? "", lastModified: info["lastModified"]?.integer,
            isExpired: isExpired)
    }

    func remember(_ key: String, _ entry: Entry, url: String?, isImmutable: Bool) throws {
        var info: JSONObject = ["etag": .string(entry.etag)]
        if let lastModified = entry.lastModified { info["lastModified"] = .integer(lastModified) }
        if let url { info["url"] = .string(url) }
        _ = try database.rows(
            "insert or replace into Cache(input, info, path, immutable, timestamp) values (?, ?, ?, ?, ?)",
            [
                .text(key), .text(JSONValue.object(info).serialized()), .text(directory.print(entry.path)),
                .integer(isImmutable ? 1 : 0), .integer(Timestamp.now.seconds),
            ])
    }
}
