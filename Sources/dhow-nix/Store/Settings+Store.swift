import NixLanguage
import NixLocalStore

extension Settings {
    /// The store of the command line, of `NIX_REMOTE`, or the machine's.
    func layout(_ host: LocalHost = LocalHost()) throws -> StoreLayout {
        try StoreLayout.named(storeName ?? host.environment("NIX_REMOTE") ?? "auto", environment: host.environment)
    }

    /// What evaluates: with a store that is written to, or one that is only computed.
    func host(isReadOnly: Bool) throws -> LocalHost {
        let layout = try layout()
        return isReadOnly ? ReadOnlyStoreHost(layout: layout) : StoreHost(layout: layout)
    }
}
