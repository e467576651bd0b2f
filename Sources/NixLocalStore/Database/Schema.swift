import GRDB

/// Nix's tables, version 10, which this module shares with Nix itself.
enum Schema {
    /// What the file `schema` beside the database says.
    static let version = 10

    static func create(in database: Database) throws {
        try database.execute(
            sql: """
                CREATE TABLE IF NOT EXISTS ValidPaths (
                    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                    path TEXT UNIQUE NOT NULL,
                    -- Of the archive: the function's name, a colon, base 16.
                    hash TEXT NOT NULL,
                    registrationTime INTEGER NOT NULL,
                    deriver TEXT,
                    narSize INTEGER,
                    -- 1 where it was built here, else NULL.
                    ultimate INTEGER,
                    -- With spaces between them.
                    sigs TEXT,
                    ca TEXT
                );

                CREATE TABLE IF NOT EXISTS Refs (
                    referrer INTEGER NOT NULL,
                    reference INTEGER NOT NULL,
                    PRIMARY KEY (referrer, reference),
                    FOREIGN KEY (referrer) REFERENCES ValidPaths (id) ON DELETE CASCADE,
                    FOREIGN KEY (reference) REFERENCES ValidPaths (id) ON DELETE RESTRICT
                );
                CREATE INDEX IF NOT EXISTS IndexReferrer ON Refs (referrer);
                CREATE INDEX IF NOT EXISTS IndexReference ON Refs (reference);

                -- An object that names itself must not be kept by that.
                CREATE TRIGGER IF NOT EXISTS DeleteSelfRefs BEFORE DELETE ON ValidPaths
                BEGIN
                    DELETE FROM Refs WHERE referrer = old.id AND reference = old.id;
                END;

                CREATE TABLE IF NOT EXISTS DerivationOutputs (
                    drv INTEGER NOT NULL,
                    id TEXT NOT NULL,
                    path TEXT NOT NULL,
                    PRIMARY KEY (drv, id),
                    FOREIGN KEY (drv) REFERENCES ValidPaths (id) ON DELETE CASCADE
                );
                CREATE INDEX IF NOT EXISTS IndexDerivationOutputs ON DerivationOutputs (path);
                """)
    }
}
