import GRDB
import Kernel
import OCI

extension Context {
    /// Removes the layers and blobs that neither an image, a container nor a lease refers to.
    ///
    /// Rows go first, in one transaction; a crash between that and the removal of the files leaves files without
    /// rows, which the next start removes.
    /// - Parameter blobs: which blobs may have become superfluous; `nil` looks at all.
    /// - Returns: the layers that went, the top ones first, and the bytes that were freed.
    @discardableResult
    func collectGarbage(blobs candidates: [Digest]?) throws -> (layers: [Digest], freed: Int64) {
        var removed: [(chain: Digest, directory: String, size: Int64)] = []
        let candidates = try candidates ?? content.list().map(\.digest)
        var freed: Int64 = 0
        try leases.frozen { isLeased in
            removed = try write("remove unused layers") { database in try removeLayerRows(database, isLeased) }
            // While no lease can be taken nobody begins to count on a blob, so it can go here and now.
            for blob in candidates where !isLeased(blob.description) {
                let isUsed = try read("find the users of a blob") { database in
                    try Bool.fetchOne(
                        database,
                        sql: """
                            SELECT EXISTS (SELECT 1 FROM imageLayers WHERE blob = ?1)
                                OR EXISTS (SELECT 1 FROM keptBlobs WHERE blob = ?1)
                            """, arguments: [blob.description]) ?? false
                }
                if isUsed { continue }
                freed += try content.size(of: blob) ?? 0
                try content.delete(blob)
            }
        }
        for layer in removed {
            freed += layer.size
            try discard(layer.directory)
        }
        return (removed.map(\.chain), freed)
    }

    private func removeLayerRows(
        _ database: Database, _ isLeased: (String) -> Bool
    ) throws -> [(chain: Digest, directory: String, size: Int64)] {
        var removed: [(chain: Digest, directory: String, size: Int64)] = []
        // From the top down: a layer becomes superfluous when the last one above it has gone.
        while true {
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT chain, name, size FROM layers AS layer
                    WHERE NOT EXISTS (SELECT 1 FROM layers WHERE parent = layer.chain)
                      AND NOT EXISTS (SELECT 1 FROM imageLayers WHERE chain = layer.chain)
                      AND NOT EXISTS (SELECT 1 FROM containerLayers WHERE chain = layer.chain)
                    """)
            let unused = rows.filter { !isLeased($0["chain"]) }
            if unused.isEmpty { return removed }
            for row in unused {
                let chain: String = row["chain"]
                try database.execute(sql: "DELETE FROM layers WHERE chain = ?", arguments: [chain])
                removed.append((try Digest(chain), "\(layersDirectory)/\(row["name"] as String)", row["size"]))
            }
        }
    }

    /// Finishes what an earlier process was killed in the middle of: removes directories that no row names, rows whose
    /// directory is gone, and then whatever nothing refers to.
    func sweep() throws {
        let here = FileDescriptor.currentDirectory
        for directory in [temporaryDirectory, trashDirectory] {
            try FileDescriptor.open(directory, [.readOnly, .directory]).removeContents()
        }
        let recorded = try read("read the layers' records") {
            try Set(String.fetchAll($0, sql: "SELECT name FROM layers"))
        }
        try forgetUnwritten(lostLayers: recorded.filter { !here.exists("\(layersDirectory)/\($0)") })
        try forgetUnmadeContainers()
        let (names, containers, volumes) = try read("read the data root's records") { database in
            (
                try Set(String.fetchAll(database, sql: "SELECT name FROM layers")),
                try Set(String.fetchAll(database, sql: "SELECT container FROM containerLayers")),
                try Set(String.fetchAll(database, sql: "SELECT name FROM volumes"))
            )
        }
        for entry in try here.entries(of: layersDirectory) where entry.name != "empty" && !names.contains(entry.name) {
            try discard("\(layersDirectory)/\(entry.name)")
        }
        for entry in try here.entries(of: containersDirectory) where !containers.contains(entry.name) {
            try discard("\(containersDirectory)/\(entry.name)")
        }
        try sweepVolumes(volumes)
        try forgetKeptBlobs(olderThan: 7 * 86_400, partialOlderThan: 7 * 86_400)
        try collectGarbage(blobs: nil)
    }

    /// Gives up what pulls that did not come to their end have left: what was fetched before a crash of the machine, which
    /// may not be on the disk, and what nobody has come back for.
    func forgetKeptBlobs(olderThan seconds: Int64, partialOlderThan partialSeconds: Int64) throws {
        try write("forget the blobs of given up pulls") { database in
            try database.execute(
                sql: "DELETE FROM keptBlobs WHERE boot <> ? OR kept <= ?",
                arguments: [Flushing.boot, DateTime.now.seconds - seconds])
        }
        // A pull that goes on has written a moment ago.
        try content.removePartial(olderThan: partialSeconds)
    }

    /// Gives all of them up; returns which they are.
    func takeKeptBlobs() throws -> [Digest] {
        let blobs = try read("find the blobs of given up pulls") { database in
            try String.fetchAll(database, sql: "SELECT blob FROM keptBlobs").map { try Digest($0) }
        }
        try forgetKeptBlobs(olderThan: 0, partialOlderThan: 600)
        return blobs
    }

    /// A container's row comes before its directory, which appears whole: a row without one is a creation cut short.
    private func forgetUnmadeContainers() throws {
        let recorded = try read("read the containers' records") {
            try String.fetchAll($0, sql: "SELECT container FROM containerLayers")
        }
        let unmade = recorded.filter { !FileDescriptor.currentDirectory.exists("\(containersDirectory)/\($0)") }
        if unmade.isEmpty { return }
        try write("remove the records of containers that were never made") { database in
            for id in unmade {
                try database.execute(sql: "DELETE FROM containerLayers WHERE container = ?", arguments: [id])
            }
        }
    }

    /// Volumes are their users' data: one that has lost its row to a power cut is taken in again, and only an empty
    /// directory, from a creation that was cut short, is removed. A row without a directory is a removal cut short.
    private func sweepVolumes(_ known: Set<String>) throws {
        let here = FileDescriptor.currentDirectory
        var present: Set<String> = []
        for entry in try here.entries(of: volumesDirectory) {
            present.insert(entry.name)
            if known.contains(entry.name) { continue }
            let data = "\(volumesDirectory)/\(entry.name)/_data"
            if try here.statusIfPresent(of: data) == nil || here.entries(of: data).isEmpty {
                try discard("\(volumesDirectory)/\(entry.name)")
            } else {
                try write("take in a volume") { database in
                    try database.execute(
                        sql: """
                            INSERT INTO volumes (name, driver, labels, options, isAnonymous, created)
                            VALUES (?, 'local', '{}', '{}', 0, ?)
                            """, arguments: [entry.name, DateTime.now.nanosecondsSince1970])
                }
            }
        }
        let lost = known.subtracting(present)
        if lost.isEmpty { return }
        try write("remove the records of removed volumes") { database in
            for name in lost { try database.execute(sql: "DELETE FROM volumes WHERE name = ?", arguments: [name]) }
        }
    }

    /// Forgets what a crash of the machine kept from being written: images and layers made in an earlier boot and not
    /// known to be on the disk, layers whose directory is gone, and all that stands on these layers.
    private func forgetUnwritten(lostLayers: Set<String>) throws {
        try write("remove what was lost") { database in
            try database.execute(sql: "CREATE TEMPORARY TABLE broken (chain TEXT PRIMARY KEY)")
            defer { try? database.execute(sql: "DROP TABLE broken") }
            try database.execute(
                sql: "INSERT OR IGNORE INTO broken SELECT chain FROM layers WHERE boot <> ?", arguments: [Flushing.boot]
            )
            for name in lostLayers {
                try database.execute(
                    sql: "INSERT OR IGNORE INTO broken SELECT chain FROM layers WHERE name = ?", arguments: [name])
            }
            repeat {
                try database.execute(
                    sql:
                        "INSERT OR IGNORE INTO broken SELECT chain FROM layers WHERE parent IN (SELECT chain FROM broken)"
                )
            } while database.changesCount > 0
            try database.execute(
                sql: """
                    DELETE FROM images WHERE boot <> ?
                        OR id IN (SELECT image FROM imageLayers WHERE chain IN (SELECT chain FROM broken))
                    """, arguments: [Flushing.boot])
            // The engine finds that such a container has lost its files, and says so.
            try database.execute(
                sql: "DELETE FROM containerLayers WHERE chain IN (SELECT chain FROM broken)")
        }
    }
}
