import GRDB
import Kernel
import OCI

/// What the parts of a data root share.
final class Context: Sendable {
    let path: String
    let database: any DatabaseWriter
    let options: DataRoot.Options
    let leases = Leases()
    let content: ContentStore
    let driver: any SnapshotDriver
    /// One thread at a time unpacks a chain.
    let chainLocks = KeyedLock()
    /// The creation and removal of one volume or container happen one after another.
    let nameLocks = KeyedLock()
    let flushing = Flushing()
    private let trash = Trash()

    init(
        path: String, database: any DatabaseWriter, options: DataRoot.Options, driver: any SnapshotDriver,
        content: ContentStore
    ) {
        self.path = path
        self.database = database
        self.options = options
        self.driver = driver
        self.content = content
    }

    var layersDirectory: String { "\(path)/layers/\(driver.name.rawValue)" }
    var temporaryDirectory: String { "\(path)/layers/temp" }
    var trashDirectory: String { "\(path)/layers/trash" }
    var containersDirectory: String { "\(path)/containers" }
    var volumesDirectory: String { "\(path)/volumes" }

    func read<Result>(_ doing: String, _ body: (Database) throws -> Result) throws(StorageError) -> Result {
        do { return try database.read(body) } catch { throw StorageError(wrapping: error, while: doing) }
    }

    func write<Result>(_ doing: String, _ body: (Database) throws -> Result) throws(StorageError) -> Result {
        do { return try database.write(body) } catch { throw StorageError(wrapping: error, while: doing) }
    }

    /// Ten characters: a page of mount options then holds some hundred layers.
    static func shortName() -> String {
        let letters = Array("0123456789abcdefghijklmnopqrstuv".utf8)
        return String(decoding: randomBytes(count: 10).map { letters[Int($0 & 31)] }, as: UTF8.self)
    }

    /// Makes a directory that a crash leaves where the next start sweeps it.
    func makeTemporaryDirectory() throws -> String {
        let directory = "\(temporaryDirectory)/\(Self.shortName())"
        try FileDescriptor.currentDirectory.makeDirectory(directory, mode: 0o755)
        return directory
    }

    /// Removes a tree: at once out of sight, then for good. What a crash leaves of it, the next start removes.
    /// - Parameter waits: whether it is gone for good when this returns.
    func discard(_ directory: String, waits: Bool = true) throws {
        let grave = "\(trashDirectory)/\(Self.shortName())"
        do throws(KernelError) {
            try FileDescriptor.currentDirectory.rename(directory, to: grave)
        } catch {
            if error.code == .notFound { return }
            throw error
        }
        if waits { try FileDescriptor.currentDirectory.removeTree(grave) } else { trash.remove(grave) }
    }
}
