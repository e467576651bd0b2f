import Kernel
import NixBuild
import NixLanguage
import NixLocalStore
import NixStore

// What the store of a session is asked beside building.
extension BuildSession {
    /// The host of an evaluation that writes to the store and builds what it reads.
    func host(_ settings: Settings) throws -> LocalHost {
        switch builder {
        case .local(let store, let realiser):
            let host = StoreHost(store: store, system: settings.configuration.system)
            host.build = { _, outputs in try Self.realise(outputs, with: realiser) }
            return host
        case .daemon(let daemon): return DaemonHost(daemon, system: settings.configuration.system)
        }
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
        case .daemon(let daemon): return try daemon.outputs(of: derivation).compactMapValues { $0 }
        }
    }

    /// The object that a word of the command line names.
    func object(_ word: String) throws -> StorePath {
        switch builder {
        case .local(let store, _): try StoreSession(store).object(word)
        case .daemon: try StoreSettings(LocalHost()).path(word)
        }
    }

    /// What is neither valid nor to be had.
    func unknown(of targets: [BuildTarget]) throws -> Set<StorePath> {
        switch builder {
        case .local(_, let realiser): try realiser.plan(targets).unknown
        case .daemon(let daemon): try daemon.missing(for: names(targets, daemon)).unknown
        }
    }

    func addRoot(_ link: String, to path: StorePath) throws {
        switch builder {
        case .local(let store, _): try store.addRoot(link, to: path)
        case .daemon(let daemon):
            // The link is the user's; that it is a root is the daemon's business.
            let here = FileDescriptor.currentDirectory
            if let status = try here.statusIfPresent(of: link) {
                guard status.isSymbolicLink, directory.contains(try here.readLinkText(link)) else {
                    throw StoreError(.badStorePath, "cannot create symlink '\(link)'; already exists")
                }
            }
            try daemon.addTemporaryRoot(path)
            let temporary = "\(link).tmp-\(randomHexadecimal(bytes: 8))"
            try here.makeSymbolicLink(temporary, to: directory.print(path))
            try here.rename(temporary, to: link)
            try daemon.addIndirectRoot(link)
        }
    }
}
