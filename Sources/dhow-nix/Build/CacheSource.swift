import Kernel
import NixBinaryCache
import NixBuild
import NixLanguage
import NixLocalStore
import NixSettings
import NixStore
import Synchronization

/// The binary caches of the configuration, as builds ask them. A cache that cannot be reached is named once, and not
/// asked again.
final class CacheSource: ObjectSource {
    private let configuration: NixConfiguration
    private let transfer: TransferSettings
    private let keys: TrustedKeys
    /// Where caches' answers are remembered.
    private let memory: String?
    private let opened = Mutex<Substituter?>(nil)

    /// - Returns: `nil` when nothing is to be fetched.
    init?(_ configuration: NixConfiguration, _ settings: StoreSettings, _ host: LocalHost) throws {
        guard configuration.substitutes, !configuration.substituters.isEmpty else { return nil }
        self.configuration = configuration
        transfer = try settings.transfer()
        keys = try settings.trustedKeys()
        memory = NarInfoDiskCache.standardPath(environment: host.environment)
    }

    private func substituter(for store: LocalStore) throws -> Substituter {
        try opened.withLock { opened in
            if let opened { return opened }
            var caches: [BinaryCacheStore] = []
            for address in configuration.substituters {
                do {
                    caches.append(
                        try BinaryCacheStore(
                            CacheAddress(address), directory: store.directory, settings: transfer,
                            disk: memory.map { try NarInfoDiskCache($0) }))
                } catch { Self.warn("not asking the binary cache '\(address)': \(error)") }
            }
            var substituter = Substituter(caches, trustedKeys: keys)
            substituter.requiresSignatures = configuration.requiresSignatures
            substituter.onProblem = Self.warn
            let directory = store.directory
            let report = TransferReport("from", "a binary cache")
            substituter.onEvent = { event in
                if case .planned = event {
                    // What will be fetched has been said.
                    ProgressLine.shared.show(event)
                } else {
                    report.show(event, in: directory)
                }
            }
            opened = substituter
            return substituter
        }
    }

    @Sendable private static func warn(_ text: String) { Output.error.write("warning: \(text)\n") }

    func plan(
        _ wanted: Set<StorePath>, excluding excluded: Set<StorePath>, into store: LocalStore
    ) throws -> FetchPlan {
        var substituter = try substituter(for: store)
        substituter.excluded = excluded
        guard !substituter.caches.isEmpty else { return FetchPlan() }
        let plan = try substituter.plan(wanted, into: store)
        return FetchPlan(
            paths: Set(plan.toFetch.keys), downloadSize: plan.downloadSize, unpackedSize: plan.narSize)
    }

    func fetch(
        _ wanted: Set<StorePath>, excluding excluded: Set<StorePath>, into store: LocalStore
    ) throws -> [StorePath: StoreError] {
        var substituter = try substituter(for: store)
        substituter.excluded = excluded
        return try substituter.fetchAll(wanted, into: store)
    }

    /// Fetches an object that the store has, but damaged.
    /// - Returns: why it does not come.
    func fetchAgain(_ path: StorePath, into store: LocalStore) throws -> StoreError? {
        try substituter(for: store).fetchAll([path], into: RepairedStore(store: store, path: path))[path]
    }
}
