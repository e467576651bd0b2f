import Glibc
import Kernel
import NixStore

/// A store in directories of this machine, shared with Nix: its database, its locks, its roots.
///
/// All methods block, and may be called from any thread: the database has one connection behind a queue, the roots of
/// this process a mutex, and whatever else is shared is locked by files, as between processes.
public final class LocalStore: MachineStore {
    public struct Options: Sendable {
        /// Whether things may be added; without it the store need not be the user's.
        public var isWritable = true
        /// Whether one of the keys that the user trusts has signed an object. Without it nothing counts as signed.
        public var isSigned: (@Sendable (PathInfo, StoreDirectory) -> Bool)?
        /// Whether equal files of new objects become one file with several names.
        public var optimises = false
        /// Makes an object that is missing or damaged again, from a binary cache for instance.
        public var repairs: (@Sendable (StorePath, LocalStore) throws -> Void)?

        public init() {}
    }

    public let layout: StoreLayout
    public let options: Options
    let database: StoreDatabase
    private let temporaryRoots: TemporaryRoots
    /// Shared by everybody who has the store open; exclusive for changing the database's form.
    private let bigLock: FileDescriptor?

    /// Opens a store, and makes it where there is none.
    /// - Throws: `StoreError.unusableStore` or `.badDatabase`.
    public init(_ layout: StoreLayout = .system, options: Options = Options()) throws {
        self.layout = layout
        self.options = options
        do {
            if options.isWritable {
                try Self.makeDirectories(layout)
                bigLock = try Self.prepareDatabase(layout)
            } else {
                bigLock = nil
                try Self.checkVersion(layout, isWritable: false)
            }
        } catch let error as KernelError {
            throw StoreError(
                .unusableStore,
                "opening the Nix store '\(layout.objects)': \(error); "
                    + "use a store of your own with '--store DIR', or run as its owner")
        }
        database = try StoreDatabase(
            layout.database, directory: layout.directory, isWritable: options.isWritable)
        temporaryRoots = TemporaryRoots.share(layout)
    }

    deinit { temporaryRoots.release() }

    // MARK: Opening

    private static func makeDirectories(_ layout: StoreLayout) throws(KernelError) {
        let here = FileDescriptor.currentDirectory
        // Nix makes its own of these when they are missing; most of the time all are there.
        let isNew = !here.exists(layout.database + "/db.sqlite")
        guard isNew || !here.exists(layout.links) else { return }
        for directory in [
            layout.objects, layout.links, layout.profiles, layout.profiles + "/per-user", layout.temporaryRoots,
            layout.database, layout.roots, layout.roots + "/auto", layout.roots + "/per-user",
        ] {
            try here.makeDirectories(directory, mode: 0o755)
        }
        let link = layout.roots + "/profiles"
        if !here.exists(link) {
            do throws(KernelError) { try here.makeSymbolicLink(link, to: layout.profiles) } catch {
                if error.code != .exists { throw error }
            }
        }
    }

    private static func prepareDatabase(_ layout: StoreLayout) throws -> FileDescriptor {
        let lock = try FileDescriptor.open(layout.database + "/big-lock", [.readWrite, .create], mode: 0o600)
        try lock.lock(.shared)
        if try !checkVersion(layout, isWritable: true) {
            try lock.unlock()
            try lock.lock(.exclusive)
            if try !checkVersion(layout, isWritable: true) {
                // The tables first: a schema file without them would promise too much.
                _ = try StoreDatabase(layout.database, directory: layout.directory, isWritable: true)
                try FileDescriptor.currentDirectory.replaceFile(
                    layout.database + "/schema", with: "\(Schema.version)", durable: true)
            }
            try lock.lock(.shared)
        }
        reserveSpace(layout)
        return lock
    }

    /// Keeps room in the file system, as Nix does, that a collection gives up first: on a full disk the database could
    /// not be written to, and so nothing be deleted.
    private static func reserveSpace(_ layout: StoreLayout) {
        let name = layout.database + "/reserved"
        let here = FileDescriptor.currentDirectory
        guard !here.exists(name) else { return }
        // Where there is no room for it any more, the store is still of use.
        do {
            let file = try here.open(name, [.writeOnly, .create, .exclusive], mode: 0o600)
            try file.allocate(length: 8 << 20)
        } catch { try? here.unlinkIfPresent(name) }
    }

    /// - Returns: whether there is a database, of the version that this module knows.
    @discardableResult
    private static func checkVersion(_ layout: StoreLayout, isWritable: Bool) throws -> Bool {
        let here = FileDescriptor.currentDirectory
        let file = layout.database + "/schema"
        guard here.exists(file) else {
            guard isWritable else {
                throw StoreError(.unusableStore, "there is no Nix store with a database in '\(layout.database)'")
            }
            return false
        }
        let text = try here.readText(file, limit: 64)
        let number = Int(text.prefix { $0.isNumber })
        guard let number else {
            throw StoreError(
                .badDatabase,
                "'\(file)' should hold the number of the database's version but holds '\(text)'; "
                    + "'dhow nix store verify --repair' writes it again")
        }
        guard number == Schema.version else {
            throw StoreError(
                .badDatabase,
                number > Schema.version
                    ? "the store's database has version \(number), and version \(Schema.version) is the newest "
                        + "that is known here; use the Nix that made it"
                    : "the store's database has version \(number); open it once with Nix 2.0 or later, which brings "
                        + "it to version \(Schema.version)")
        }
        return true
    }

    // MARK: Roots and locks

    /// Keeps `path`, valid or not yet, from being collected for as long as this process has the store open.
    public func addTemporaryRoot(_ path: StorePath) throws { try temporaryRoots.add(path) }

    /// Waits for the exclusive right to make `paths`. It is held until the result goes.
    public func lock(_ paths: some Collection<StorePath>, wait: (StorePath) -> Void = { _ in }) throws -> PathLocks {
        try PathLocks(paths, in: layout, wait: wait)
    }
}
