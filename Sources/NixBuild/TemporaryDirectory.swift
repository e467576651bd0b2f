import Kernel
import NixLocalStore

/// A build's temporary directory, noted in the store's state so that one that a killed process leaves is found.
///
/// The note is a file that is locked for as long as the process lives. Whoever builds next and gets its lock knows that
/// nobody uses the directory any more. Directories of Nix's have no note, and are left alone.
struct TemporaryDirectory {
    let path: String
    private let note: String
    /// Holds the lock.
    private let file: FileDescriptor

    private static var here: FileDescriptor { .currentDirectory }

    /// Makes a directory.
    /// - Parameters:
    ///   - parent: where.
    ///   - name: what its name begins with, before a random end.
    init(in parent: String, name: String, layout: StoreLayout) throws {
        let here = Self.here
        let notes = Self.notes(layout)
        try here.makeDirectories(notes, mode: 0o700)
        while true {
            let end = randomHexadecimal(bytes: 8)
            let (path, note) = ("\(parent)/\(name)\(end)", "\(notes)/\(end)")
            let file = try here.open(note, [.readWrite, .create, .exclusive], mode: 0o600)
            try file.lock(.exclusive)
            // Somebody who was clearing up may have locked it first, and removed it.
            guard try here.statusIfPresent(of: note)?.inode == file.status().inode else { continue }
            do {
                // The name first: with the directory alone, nothing would tell that it is one of these.
                try file.writeAll(Array("\(path)\n".utf8))
                try here.makeDirectory(path, mode: 0o700)
                let status = try here.status(of: path)
                try file.writeAll(Array("\(status.device) \(status.inode)\n".utf8))
            } catch {
                try? here.unlink(note)
                throw error
            }
            (self.path, self.note, self.file) = (path, note, file)
            return
        }
    }

    /// Makes it empty, and this process's own again.
    func clear() throws {
        try Self.here.changeOwner(
            of: path, userID: Credentials.effectiveUserID, groupID: Credentials.effectiveGroupID)
        for entry in try Self.here.entries(of: path) { try Self.here.removeTree(path + "/" + entry.name) }
    }

    /// Removes it.
    func remove() {
        // Should that fail, the note makes the next build try again.
        do { try Self.here.removeTree(path) } catch { return }
        keep()
    }

    /// Leaves it for whoever wants to look into it.
    func keep() { try? Self.here.unlinkIfPresent(note) }

    // MARK: What was left behind

    private static func notes(_ layout: StoreLayout) -> String { layout.state + "/dhow-builds" }

    /// Removes the directories of processes that have ended without removing them.
    static func removeAbandoned(in layout: StoreLayout) {
        let notes = notes(layout)
        for entry in (try? here.entries(of: notes)) ?? [] {
            // One that cannot be dealt with now is tried again by the next build.
            try? removeIfAbandoned(notes + "/" + entry.name)
        }
    }

    private static func removeIfAbandoned(_ note: String) throws {
        let file = try here.open(note, [.readWrite, .noFollow])
        guard try file.lock(.exclusive, wait: false) else { return }
        let lines = try here.readText(note, limit: 1 << 16).split(separator: "\n").map(String.init)
        if let path = lines.first, let status = try here.statusIfPresent(of: path), status.isDirectory {
            if lines.count > 1 {
                // Another directory of the same name is somebody else's.
                if lines[1] == "\(status.device) \(status.inode)" { try here.removeTree(path) }
            } else if try here.entries(of: path).isEmpty {
                try here.removeTree(path)
            }
        }
        try here.unlink(note)
    }
}
