import GRDB
import Kernel

/// Everything under `/var/lib/dhow`: images, layers, containers' writable layers and volumes.
///
/// All of its methods block and may be called from any thread; callers on an event loop or the cooperative pool must
/// use a thread pool. Opening it finishes what an earlier process was killed in the middle of.
public final class DataRoot: Sendable {
    public struct Options: Sendable {
        /// `overlay2`, `vfs`, or `nil` for the first that works here.
        public var driver: SnapshotDriverName?
        public var limits = LayerLimits()
        /// How many layers are unpacked at once.
        public var unpackThreads = 4
        public var durability = Durability.deferred

        public init() {}
    }

    /// The number in the `format` file that this version reads and writes.
    public static let format = 1

    public let path: String
    public let content: ContentStore
    public let layers: LayerStore
    public let images: ImageStore
    public let containers: ContainerLayers
    public let volumes: VolumeStore
    let context: Context

    /// Makes the directory where it is missing, checks its format, and locks it against a second daemon.
    ///
    /// Call it before `openDatabase(at:)`: it is what refuses a data root of another version.
    /// - Returns: the lock, which the caller keeps for as long as it uses the data root.
    /// - Throws: `StorageError.unusableRoot`.
    public static func prepare(_ path: String) throws(StorageError) -> FileDescriptor {
        try storage("open the data root \(path)") {
            let here = FileDescriptor.currentDirectory
            try here.makeDirectories(path, mode: 0o710)
            let lock = try FileDescriptor.open(path, [.readOnly, .directory])
            guard try lock.lock(.exclusive, wait: false) else {
                throw StorageError(
                    .unusableRoot,
                    "the data root \(path) is in use by another daemon; stop it, or choose another --data-root")
            }
            let file = "\(path)/format"
            guard here.exists(file) else {
                // A directory with something else in it is not ours to fill.
                let strangers = try here.entries(of: path).filter { !$0.name.hasPrefix(".") && $0.name != "lost+found" }
                if let stranger = strangers.first {
                    throw StorageError(
                        .unusableRoot,
                        "\(path) holds \"\(stranger.name)\" but no format file: it is no data root of Dhow; "
                            + "choose an empty directory with --data-root")
                }
                try here.replaceFile(file, with: "\(Self.format)\n", durable: true)
                return lock
            }
            let text = try here.readText(file, limit: 1024).split(whereSeparator: \.isWhitespace).first.map(String.init)
            guard let text, Int(text) == Self.format else {
                throw StorageError(
                    .unusableRoot,
                    "the data root \(path) has format \(text ?? "(none)"), and this version of Dhow knows format "
                        + "\(Self.format); use the version that wrote it, or another --data-root")
            }
            return lock
        }
    }

    /// Opens `dhow.db` in the data root: WAL, `synchronous=NORMAL`, foreign keys on, a busy timeout of 10 s.
    public static func openDatabase(at root: String) throws(StorageError) -> DatabasePool {
        try storage("open the database \(root)/dhow.db") {
            var configuration = Configuration()
            configuration.busyMode = .timeout(10)
            configuration.foreignKeysEnabled = true
            configuration.prepareDatabase { database in
                try database.execute(sql: "PRAGMA synchronous = NORMAL")
            }
            return try DatabasePool(path: "\(root)/dhow.db", configuration: configuration)
        }
    }

    /// Registers this module's migrations in `database`, sweeps what a killed process left, and finishes deletions.
    public init(path: String, database: any DatabaseWriter, options: Options = Options()) throws(StorageError) {
        let context = try storage("open the data root \(path)") {
            let here = FileDescriptor.currentDirectory
            // What no row names is swept, so a data root that lost its database must not be opened with a new one.
            if try !Schema.exists(in: database) {
                for folder in ["layers/overlay2", "layers/vfs", "containers", "volumes"] {
                    guard here.exists("\(path)/\(folder)") else { continue }
                    let left = try here.entries(of: "\(path)/\(folder)").filter { $0.name != "empty" }
                    guard left.isEmpty else {
                        throw StorageError(
                            .unusableRoot,
                            "the data root \(path) has lost its database, but \(folder) is not empty; "
                                + "restore dhow.db, or move the data root away")
                    }
                }
            }
            try Schema.migrate(database)
            for (name, mode) in [
                ("layers", 0o710), ("layers/temp", 0o700), ("layers/trash", 0o700), ("containers", 0o710),
                ("volumes", 0o711),
            ] as [(String, UInt32)] {
                try here.makeDirectories("\(path)/\(name)", mode: mode)
            }
            let driver = try Self.chooseDriver(options.driver, path: path, database: database)
            try here.makeDirectories("\(path)/layers/\(driver.name.rawValue)", mode: 0o710)
            return Context(
                path: path, database: database, options: options, driver: driver,
                content: try ContentStore("\(path)/content"))
        }
        self.path = path
        self.context = context
        content = context.content
        layers = LayerStore(context)
        images = ImageStore(context)
        containers = ContainerLayers(context)
        volumes = VolumeStore(context)
        try storage("finish what an earlier run left in \(path)") { try context.sweep() }
        context.flushing.begin(context)
    }

    private static func chooseDriver(
        _ wanted: SnapshotDriverName?, path: String, database: any DatabaseWriter
    ) throws -> any SnapshotDriver {
        let used = try database.read { try String.fetchOne($0, sql: "SELECT driver FROM layers LIMIT 1") }
        if let used, let wanted, used != wanted.rawValue {
            throw StorageError(
                .unusableRoot,
                "the data root holds layers of the storage driver \(used), so \(wanted.rawValue) cannot be used; "
                    + "remove all images first, or use another data root")
        }
        switch wanted ?? used.flatMap(SnapshotDriverName.init(rawValue:)) {
        case .vfs: return VFSDriver()
        case let name:
            var driver = try OverlayDriver("\(path)/layers/overlay2")
            let scratch = "\(path)/layers/temp/\(Context.shortName())"
            defer { try? FileDescriptor.currentDirectory.removeTree(scratch) }
            do {
                try driver.check(scratch: scratch)
                return driver
            } catch {
                if name == nil { return VFSDriver() }
                throw StorageError(
                    .unusableRoot,
                    "the storage driver overlay2 does not work on the file system of \(path): \(error); "
                        + "use --storage-driver vfs, or a data root on ext4, xfs or btrfs")
            }
        }
    }
}

/// How finished work survives a power cut. A killed process never loses any, in either case.
public enum Durability: Sendable {
    /// A thread writes everything out after a load has returned. What a power cut prevents from being written is
    /// removed at the next start, so that an image is there whole or not at all.
    case deferred
    /// A load returns when everything is on the disk.
    case immediate
    /// Nothing is written out: for tests, and for data that can be had again.
    case none
}
