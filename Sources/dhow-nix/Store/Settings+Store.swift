import NixFetch
import NixLanguage
import NixLocalStore
import NixSettings

extension Settings {
    /// Where the files are of the store of the command line, of `NIX_REMOTE`, or the machine's.
    func layout(_ host: LocalHost = LocalHost()) throws -> StoreLayout {
        try StoreSettings(host, configuration).daemonAddress(configuration.storeName(host))?.layout
            ?? StoreLayout.named(configuration.storeName(host), environment: host.environment)
    }

    /// The store, where a daemon owns it.
    func ownedStore(_ host: LocalHost = LocalHost()) throws -> DaemonOwnedStore? {
        try StoreSettings(host, configuration).ownedStore(configuration.storeName(host))
    }

    /// Whether a daemon owns the store.
    func isOwned(_ host: LocalHost = LocalHost()) throws -> Bool {
        try StoreSettings(host, configuration).daemonAddress(configuration.storeName(host)) != nil
    }

    /// What evaluates: with a store that is written to, or one that is only computed; `dummy://` is none at all.
    func host(isReadOnly: Bool) throws -> LocalHost {
        let system = configuration.system
        if configuration.storeName(LocalHost()) == "dummy://" { return LocalHost(system: system) }
        let layout = try layout()
        let settings = self
        let host: ReadOnlyStoreHost
        if isReadOnly {
            host = ReadOnlyStoreHost(layout: layout, system: system)
        } else if try isOwned() {
            host = DaemonHost(layout: layout, system: system) { try settings.ownedStore() }
        } else {
            host = StoreHost(layout: layout, system: system, options: storeOptions)
        }
        (host as? StoreHost)?.build = { store, outputs in
            guard case .local(_, let realiser) = try BuildSession(store, settings, showsLogs: false).builder else {
                return
            }
            try BuildSession.realise(outputs, with: realiser)
        }
        host.fetches = fetches { [unowned host] in
            // Evaluations that write nothing else fetch into the store, too.
            if !isReadOnly { return try host.machineStore }
            return try settings.ownedStore() ?? LocalStore(layout, options: settings.storeOptions)
        }
        return host
    }

    /// Fetches into a store, which is opened with the first request.
    func fetches(into store: @escaping () throws -> any MachineStore) -> (FetchRequest) throws -> FetchResult {
        var fetcher: Fetcher?
        return { request in
            if let fetcher { return try fetcher.fetch(request) }
            let made = try Fetcher(into: store(), fetching())
            fetcher = made
            return try made.fetch(request)
        }
    }

    /// How an evaluation fetches.
    func fetching() throws -> Fetcher.Settings {
        let host = LocalHost()
        var settings = Fetcher.Settings()
        settings.transfer = try configuration.transfer(host)
        settings.lifetime = configuration.tarballTTL
        settings.cacheDirectory = Fetcher.Settings.standardCacheDirectory(environment: host.environment)
        settings.temporaryDirectory = settings.transfer.stagingDirectory
        settings.warnsOfDirtyTrees = configuration.warnsOfDirtyTrees
        settings.allowsDirtyTrees = configuration.allowsDirtyTrees
        settings.environment = host.environmentList
        settings.warn = { Output.error.write("warning: \($0)\n") }
        return settings
    }

    /// How a store of this machine's is opened.
    var storeOptions: LocalStore.Options {
        var options = LocalStore.Options()
        options.optimises = configuration.optimisesAutomatically
        let repair = Repair(configuration: configuration)
        options.repairs = { path, store in try repair.run(path, in: store) }
        return options
    }
}

extension GarbageCollection {
    /// Keeps what the configuration wants kept.
    mutating func heed(_ configuration: NixConfiguration) {
        keepsOutputs = configuration.keepsOutputs
        keepsDerivations = configuration.keepsDerivations
    }
}
