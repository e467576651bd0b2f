import GRDB

/// The tables of this module.
///
/// Nothing is counted in them: what is referred to follows from rows, so that a transaction either happened or did
/// not. A layer's directory and a blob's file exist before the rows that name them, and go after them.
enum Schema {
    /// Whether the tables are there already.
    static func exists(in database: any DatabaseWriter) throws -> Bool {
        try database.read { try $0.tableExists("layers") }
    }

    static func migrate(_ database: any DatabaseWriter) throws {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("storage-1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE layers (
                        chain TEXT NOT NULL PRIMARY KEY,
                        diff TEXT NOT NULL,
                        parent TEXT REFERENCES layers (chain),
                        driver TEXT NOT NULL,
                        -- The directory's name within the driver's.
                        name TEXT NOT NULL UNIQUE,
                        size INTEGER NOT NULL,
                        -- The boot in which it was written, until it is known to be on the disk.
                        boot TEXT
                    ) STRICT;
                    CREATE INDEX layersByParent ON layers (parent);

                    CREATE TABLE images (
                        id TEXT NOT NULL PRIMARY KEY,
                        config BLOB NOT NULL,
                        -- The image that this one was committed from.
                        parent TEXT,
                        manifestType TEXT,
                        manifestDigest TEXT,
                        manifest BLOB,
                        -- Nanoseconds since 1970.
                        loaded INTEGER NOT NULL,
                        tagged INTEGER,
                        boot TEXT
                    ) STRICT;

                    CREATE TABLE imageLayers (
                        image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
                        position INTEGER NOT NULL,
                        chain TEXT NOT NULL REFERENCES layers (chain),
                        blob TEXT NOT NULL,
                        PRIMARY KEY (image, position)
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX imageLayersByChain ON imageLayers (chain);
                    CREATE INDEX imageLayersByBlob ON imageLayers (blob);

                    CREATE TABLE imageNames (
                        -- Canonical, with a tag or a digest.
                        name TEXT NOT NULL PRIMARY KEY,
                        image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX imageNamesByImage ON imageNames (image);

                    CREATE TABLE containerLayers (
                        container TEXT NOT NULL PRIMARY KEY,
                        chain TEXT REFERENCES layers (chain)
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX containerLayersByChain ON containerLayers (chain);

                    CREATE TABLE volumes (
                        name TEXT NOT NULL PRIMARY KEY,
                        driver TEXT NOT NULL,
                        -- JSON objects of strings.
                        labels TEXT NOT NULL,
                        options TEXT NOT NULL,
                        isAnonymous INTEGER NOT NULL,
                        created INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("storage-2") { database in
            try database.execute(
                sql: """
                    -- Blobs of pulls that were given up, for the next attempt.
                    CREATE TABLE keptBlobs (
                        blob TEXT NOT NULL PRIMARY KEY,
                        -- Seconds since 1970.
                        kept INTEGER NOT NULL,
                        boot TEXT
                    ) STRICT, WITHOUT ROWID;
                    """)
        }
        try migrator.migrate(database)
    }
}
