import Kernel
import NixBuild
import NixLanguage
import NixLocalStore
import NixStore

// What the store of a session is asked beside building.
extension BuildSession {
    /// The host of an evaluation that writes to the store and builds what it reads.
    func host(_ settings: Settings) throws -> LocalHost {
        let host: ReadOnlyStoreHost
        switch builder {
        case .local(let store, let realiser):
            let local = StoreHost(store: store, system: settings.configuration.system)
            local.build = { _, outputs in try Self.realise(outputs, with: realiser) }
            host = local
        case .daemon(let owned):
            host = DaemonHost(layout: owned.layout, system: settings.configuration.system) { owned }
        }
        let store = machineStore
        host.fetches = settings.fetches { store }
        return host
    }

    /// Builds what an evaluation reads.
    static func realise(
        _ outputs: [(derivation: StorePath, output: String)], with realiser: Realiser
    ) throws {
        let names = Dictionary(grouping: outputs, by: \.derivation).mapValues { Set($0.map(\.output)) }
        var normal = realiser
        normal.settings.mode = .normal
        try normal.realise(names.map { .outputs($0.key, $0.value) })
    }

    /// A derivation's outputs, by name.
    func outputs(of derivation: StorePath) throws -> [String: StorePath] {
        switch builder {
        case .local(let store, _):
            let known = try store.derivation(at: derivation)
            var paths: [String: StorePath] = [:]
            for name in known.outputs.keys { paths[name] = try known.path(of: name, in: directory) }
            return paths
        case .daemon(let owned): return try owned.outputs(of: derivation)
        }
    }

    /// The object that a word of the command line names.
    func object(_ word: String) throws -> StorePath {
        try StoreSession(machineStore).object(word)
    }

    /// What is neither valid nor to be had.
    func unknown(of targets: [BuildTarget]) throws -> Set<StorePath> {
        switch builder {
        case .local(_, let realiser): try realiser.plan(targets).unknown
        case .daemon(let owned): try owned.daemon.missing(for: names(targets, owned.daemon)).unknown
        }
    }

    func addRoot(_ link: String, to path: StorePath) throws { try machineStore.addRoot(link, to: path) }

    /// The store that is built into.
    var machineStore: any MachineStore {
        switch builder {
        case .local(let store, _): store
        case .daemon(let owned): owned
        }
    }
}
