import NixLanguage
import NixLocalStore
import NixStore

/// The host of an evaluation that writes to a store which a Nix daemon owns. Its files are this machine's.
///
/// The daemon is called when something is first asked of it, so that an evaluation that needs none does without.
final class DaemonHost: ReadOnlyStoreHost {
    private let connect: () throws -> DaemonOwnedStore?
    private var connected: DaemonOwnedStore?
    private var known: [StorePath: Derivation] = [:]

    init(layout: StoreLayout, system: String, connect: @escaping () throws -> DaemonOwnedStore?) {
        self.connect = connect
        super.init(layout: layout, system: system)
    }

    private var owned: DaemonOwnedStore {
        get throws {
            if let connected { return connected }
            guard let store = try connect() else {
                throw StoreError(.unusableStore, "no daemon owns the store \(layout.directory.path) any more")
            }
            connected = store
            return store
        }
    }

    override var machineStore: any MachineStore { get throws { try owned } }

    override func isValid(_ path: StorePath) -> Bool { (try? owned.isValid(path)) ?? false }

    override func references(of path: StorePath) throws -> Set<StorePath> {
        try owned.references(ifValid: path) ?? []
    }

    override func addText(name: String, contents: [UInt8], references: Set<StorePath>) throws -> StorePath {
        try owned.addText(name: name, contents: contents, references: references, repair: false)
    }

    override func addTree(
        name: String, path: String, method: IngestionMethod, accepts: ((String) throws -> Bool)?
    ) throws -> StorePath {
        guard try kind(of: path) != nil else { throw HostError(.missing, "path '\(path)' does not exist") }
        return try owned.addTree(
            name: name, path: path, method: method, algorithm: .sha256, references: [], from: archiveSource,
            repair: false, accepts: accepts ?? { _ in true })
    }

    override func addDerivation(_ derivation: Derivation) throws -> StorePath {
        let path = try owned.addText(
            name: derivation.name + ".drv", contents: derivation.aterm(in: store), references: derivation.references,
            repair: false)
        known[path] = derivation
        return path
    }

    override func derivation(at path: StorePath) throws -> Derivation {
        if let derivation = known[path] { return derivation }
        let derivation = try owned.derivation(at: path)
        known[path] = derivation
        return derivation
    }

    override func realise(_ outputs: [(derivation: StorePath, output: String)]) throws {
        let daemon = try owned.daemon
        try daemon.build(outputs.map { daemon.target($0.derivation, outputs: [$0.output]) })
    }

    override func addRoot(_ link: String, to path: StorePath) throws { try owned.addRoot(link, to: path) }
}
