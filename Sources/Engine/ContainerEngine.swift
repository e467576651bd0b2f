import Cgroups
import ContainerNetwork
import EngineModel
import GRDB
import Glibc
import Kernel
import Logging
import Monitor
import OCI
import Registry
import Storage
import Synchronization

/// The container engine: everything that the Docker Engine API can ask, without HTTP.
///
/// All methods may be called from any task. They throw `EngineError`. The database owns what was asked for, a
/// container's monitor owns what it does; what this object holds is a cache of both.
public final class ContainerEngine: Sendable {
    public let configuration: EngineConfiguration
    let logger: Logger
    let host: HostFacts
    let work: BlockingWork
    let storage: DataRoot
    let store: ContainerStore
    let networkStore: NetworkStore
    let swarmStore: SwarmStore
    /// A copy of the database's, unless the swarm is about to end.
    let currentSwarm = Mutex<SwarmRecord?>(nil)
    let monitors: MonitorClient
    let cgroups: CgroupHost
    let cgroupDriver: CgroupDriver
    let seccompProfile: SeccompProfile?
    /// Identifies this installation.
    let instanceID: String
    let registry = ContainerRegistry()
    let networks = NetworkRegistry()
    let hostNetworking: HostNetworking
    /// Held by whoever makes or removes a network or the swarm.
    let networkLock = AsyncLock()
    let execs = ExecRegistry()
    let events = EventBus()
    let users = UserCache()
    /// The client of registries, and those that it replaced: transfers may still go on over their connections.
    private let registryClients: Mutex<(current: RegistryClient, earlier: [RegistryClient])>
    /// One pull fetches a blob, however many want it.
    let blobLocks = AsyncKeyedLock()
    /// Its lock on the data root lasts as long as it is open.
    private let rootLock: FileDescriptor
    private let isClosing = Atomic<Bool>(false)

    private init(
        _ configuration: EngineConfiguration, logger: Logger, work: BlockingWork
    ) throws {
        self.configuration = configuration
        self.logger = logger
        self.work = work
        host = HostFacts()
        try FileDescriptor.currentDirectory.makeDirectories(configuration.dataRoot, mode: 0o711)
        rootLock = try DataRoot.prepare(configuration.dataRoot)
        let database = try DataRoot.openDatabase(at: configuration.dataRoot)
        var options = DataRoot.Options()
        if let name = configuration.storageDriver, !name.isEmpty {
            guard let driver = SnapshotDriverName(rawValue: name) else {
                throw EngineError.invalid(
                    "unknown storage driver \"\(name)\"; this version has "
                        + SnapshotDriverName.allCases.map(\.rawValue).joined(separator: " and "))
            }
            options.driver = driver
        }
        if let bytes = configuration.layerByteLimit { options.limits.bytes = bytes }
        if let inodes = configuration.layerInodeLimit { options.limits.inodes = inodes }
        if !configuration.isDurable { options.durability = .none }
        storage = try DataRoot(path: configuration.dataRoot, database: database, options: options)
        store = try ContainerStore(database)
        networkStore = try NetworkStore(database)
        swarmStore = try SwarmStore(database)
        instanceID = try store.fact("instance") { Names.uuid() }
        try FileDescriptor.currentDirectory.makeDirectories(configuration.execRoot, mode: 0o711)
        try FileDescriptor.currentDirectory.makeDirectories(configuration.execRoot + "/containers", mode: 0o711)
        // The usual daemon's table has the plain name; others on the host have their own.
        let table = configuration.dataRoot == EngineConfiguration().dataRoot ? "dhow" : "dhow_" + instanceID.prefix(8)
        hostNetworking = HostNetworking(
            configuration.network, owner: instanceID, table: table, directory: configuration.execRoot, logger: logger)
        monitors = try MonitorClient(runtimePath: configuration.runtimePath)
        cgroups = try CgroupHost.current()
        cgroupDriver = try Self.chooseCgroupDriver(configuration, host)
        seccompProfile = try Self.loadSeccompProfile(configuration)
        registryClients = Mutex((RegistryClient(configuration.registries), []))
    }

    private static func chooseCgroupDriver(
        _ configuration: EngineConfiguration, _ host: HostFacts
    ) throws(EngineError) -> CgroupDriver {
        guard let name = configuration.cgroupDriver, !name.isEmpty else {
            // As Docker: systemd where it runs and there is only one hierarchy to share with it.
            return host.hasSystemd && host.hasCgroupV2 ? .systemd : .cgroupfs
        }
        guard let driver = CgroupDriver(rawValue: name) else {
            throw .invalid("unknown cgroup driver \"\(name)\"; it is cgroupfs or systemd")
        }
        return driver
    }

    private static func loadSeccompProfile(_ configuration: EngineConfiguration) throws -> SeccompProfile? {
        switch configuration.seccompProfile {
        case nil, "", "builtin": return .standard
        case "unconfined": return nil
        case let path?:
            guard let text = HostFiles.text(path) else {
                throw EngineError.invalid("opening seccomp profile (\(path)) failed: the file cannot be read")
            }
            return try SeccompProfile(parsing: text)
        }
    }

    /// Opens the data root (one daemon each), finds the running containers again, finishes or undoes what an earlier
    /// process was killed in the middle of, and applies restart policies.
    public static func open(
        _ configuration: EngineConfiguration, logger: Logger
    ) async throws -> ContainerEngine {
        // A client that leaves must not end the daemon.
        signal(SIGPIPE, SIG_IGN)
        let work = BlockingWork(threads: max(8, min(32, 4 * sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
        do {
            let engine = try await work.run { try ContainerEngine(configuration, logger: logger, work: work) }
            try await engine.recover()
            return engine
        } catch {
            await work.shutdown()
            throw EngineError(wrapping: error)
        }
    }

    /// Lets go of everything; containers run on.
    public func close() async {
        isClosing.store(true, ordering: .releasing)
        for container in registry.all {
            let (run, restart, health) = container.change { state in
                defer { state.waitingAttachments = [] }
                for waiting in state.waitingAttachments { Glibc.close(waiting.descriptor) }
                return (state.run, state.restart, state.healthTask)
            }
            restart?.cancel()
            health?.cancel()
            run?.connection.close()
        }
        hostNetworking.close()
        if activeContainerCount == 0 {
            // The networks' rows bring them back at the next start.
            do { try await work.run { try self.hostNetworking.leaveNothing() } } catch {
                logger.warning("cannot remove the networks' interfaces and rules", metadata: ["error": "\(error)"])
            }
        }
        try? await work.run { try (self.store.database as? DatabasePool)?.close() }
        let (client, earlier) = registryClients.withLock { $0 }
        for client in earlier + [client] { await client.shutdown() }
        await work.shutdown()
        try? rootLock.close()
    }

    var registries: RegistryClient { registryClients.withLock { $0.current } }

    /// Reaches registries in another way from now on; what goes on already goes on as it began.
    public func reconfigureRegistries(_ configuration: RegistryConfiguration) {
        registryClients.withLock { clients in
            guard configuration != clients.current.configuration else { return }
            clients.earlier.append(clients.current)
            clients.current = RegistryClient(configuration)
        }
    }

    /// Tells those who listen to events that the daemon has taken over a new configuration.
    /// - Parameter attributes: the settings that can be changed, and their values.
    public func postReload(_ attributes: [String: String]) {
        var attributes = attributes
        attributes["name"] = host.hostname
        events.post(type: "daemon", action: "reload", id: instanceID, attributes: attributes)
    }

    /// Whether the daemon is about to leave: nothing is started any more.
    var isClosed: Bool { isClosing.load(ordering: .acquiring) }

    /// How many containers run or wait to be restarted.
    public var activeContainerCount: Int { registry.all.count { $0.status.isActive } }

    // MARK: Inner tools

    /// Runs blocking work of milliseconds.
    func blocking<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws(EngineError) -> Result
    {
        do { return try await work.run(body) } catch { throw EngineError(wrapping: error) }
    }

    /// Where the monitor of a container has its files.
    func runDirectory(_ id: String) -> String { "\(configuration.execRoot)/containers/\(id)" }

    /// Writes a container's status; blocks.
    func save(_ container: Container) throws { try store.update(container.id, container.status) }

    func post(_ container: Container, _ action: String, _ more: [String: String] = [:]) {
        let record = container.record
        var attributes = record.config.labels ?? [:]
        attributes["image"] = record.config.image
        attributes["name"] = record.name
        attributes.merge(more) { _, new in new }
        events.post(type: "container", action: action, id: container.id, attributes: attributes)
    }
}

extension EngineError {
    /// Any error of the modules below, as the engine's own.
    init(wrapping error: any Error) {
        switch error {
        case let error as EngineError: self = error
        case let error as StorageError: self.init(error)
        case let error as MonitorError: self.init(error)
        case let error as KernelError: self.init(.system, error.description)
        case let error as NetworkError: self.init(error)
        case let error as CgroupError: self.init(.system, "\(error)")
        case let error as RegistryError: self.init(error)
        case let error as OCIError: self.init(.invalidParameter, "\(error)")
        case is CancellationError: self.init(.unavailable, "the request was given up")
        case let error as DatabaseError: self.init(.system, "the database failed: \(error.message ?? "\(error)")")
        default: self.init(.system, "\(error)")
        }
    }

    private init(_ error: StorageError) {
        let code: Code
        switch error.code {
        case .notFound: code = .notFound
        case .conflict: code = .conflict
        case .ambiguous, .invalidInput, .digestMismatch, .limitExceeded, .platformMismatch: code = .invalidParameter
        case .notSupported: code = .notImplemented
        case .noSpace, .unusableRoot, .system: code = .system
        }
        self.init(code, error.message)
    }

    private init(_ error: NetworkError) {
        let code: Code
        switch error.code {
        case .invalidArgument: code = .invalidParameter
        case .notFound: code = .notFound
        case .conflict, .exhausted, .notPermitted, .unavailable, .kernel: code = .system
        }
        self.init(code, error.message)
    }

    init(_ error: MonitorError) {
        let code: Code
        switch error.code {
        case .conflict: code = .conflict
        case .notFound: code = .notFound
        case .invalidArgument: code = .invalidParameter
        case .startFailed: code = .invalidParameter
        case .unsupported: code = .notImplemented
        case .system, .invalidData, .lost, .timedOut: code = .system
        }
        self.init(code, error.message, exitCode: error.exitCode)
    }
}
