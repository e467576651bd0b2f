import NixLanguage
import NixLocalStore
import NixSettings

extension Settings {
    /// The store of the command line, of `NIX_REMOTE`, or the machine's.
    func layout(_ host: LocalHost = LocalHost()) throws -> StoreLayout {
        try StoreLayout.named(configuration.storeName(host), environment: host.environment)
    }

    /// What evaluates: with a store that is written to, or one that is only computed.
    func host(isReadOnly: Bool) throws -> LocalHost {
        let layout = try layout()
        let system = configuration.system
        if isReadOnly { return ReadOnlyStoreHost(layout: layout, system: system) }
        let host = StoreHost(layout: layout, system: system, options: storeOptions)
        host.build = { store, outputs in
            guard case .local(_, let realiser) = try BuildSession(store, self, showsLogs: false).builder else { return }
            try BuildSession.realise(outputs, with: realiser)
        }
        return host
    }

    /// How a store of this machine's is opened.
    var storeOptions: LocalStore.Options {
        var options = LocalStore.Options()
        options.optimises = configuration.optimisesAutomatically
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
