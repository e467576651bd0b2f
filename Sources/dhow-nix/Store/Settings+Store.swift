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

    /// What evaluates: with a store that is written to, or one that is only computed; `dummy://` is none at all.
    func host(isReadOnly: Bool) throws -> LocalHost {
        let system = configuration.system
        if configuration.storeName(LocalHost()) == "dummy://" { return LocalHost(system: system) }
        let owned = try ownedStore()
        let layout = try owned?.layout ?? layout()
        let host =
            isReadOnly
            ? ReadOnlyStoreHost(layout: layout, system: system)
            : owned.map { DaemonHost($0, system: system) }
                ?? StoreHost(layout: layout, system: system, options: storeOptions)
        let settings = self
        (host as? StoreHost)?.build = { store, outputs in
            guard case .local(_, let realiser) = try BuildSession(store, settings, showsLogs: false).builder else {
                return
            }
            try BuildSession.realise(outputs, with: realiser)
        }
        var fetcher: Fetcher?
        host.fetches = { [unowned host] request in
            if let fetcher { return try fetcher.fetch(request) }
            let store: any MachineStore =
                try owned ?? (host as? StoreHost)?.localStore() ?? LocalStore(layout, options: settings.storeOptions)
            let made = try Fetcher(into: store, settings.fetching())
            fetcher = made
            return try made.fetch(request)
        }
        return host
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
