import Kernel
import Storage
import Synchronization

/// The user databases of images, so that not every start mounts one to read it.
///
/// Only for containers whose own layer has no `/etc`; otherwise the container itself is looked into.
final class UserCache: Sendable {
    private let databases = Mutex<[String: UserDatabase]>([:])

    /// The database of a container that does not run; blocks.
    func database(for record: ContainerRecord, in storage: DataRoot) throws -> UserDatabase {
        let isUntouched: Bool
        if case .overlay(let overlay) = try storage.containers.root(of: record.id) {
            isUntouched = !FileDescriptor.currentDirectory.exists(overlay.upperDirectory + "/etc")
        } else {
            isUntouched = false
        }
        let key = record.chainID.isEmpty ? "-" : record.chainID
        if isUntouched, let known = databases.withLock({ $0[key] }) { return known }
        let root = try storage.containers.mergedTree(of: record.id)
        let database = try Self.read(root)
        if isUntouched {
            databases.withLock { databases in
                if databases.count >= 256 { databases.removeAll() }
                databases[key] = database
            }
        }
        return database
    }

    /// Reads the database below `root`; no link in it leads outside.
    static func read(_ root: FileDescriptor) throws -> UserDatabase {
        UserDatabase(passwd: text("etc/passwd", root), group: text("etc/group", root))
    }

    private static func text(_ path: String, _ root: FileDescriptor) -> String {
        // Not a fifo or device that an image put there: that could block or do worse.
        guard let place = try? root.openInRoot(path, .path), let status = try? place.status(), status.isRegular,
            let file = try? place.reopened(.readOnly), let bytes = try? file.readAll(limit: 16 << 20)
        else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }
}
