import NixBinaryCache
import NixBuild
import NixLanguage
import NixLocalStore
import NixSettings
import NixStore

/// Makes damaged objects of a store again: from a binary cache, or by building.
struct Repair {
    let configuration: NixConfiguration

    func run(_ path: StorePath, in store: LocalStore) throws {
        let host = LocalHost()
        let source = try CacheSource(configuration, StoreSettings(host, configuration), host)
        var reason = source == nil ? "no binary cache is configured" : "no binary cache has it"
        if let source {
            guard let failure = try source.fetchAgain(path, into: store) else { return }
            reason = failure.reason
        }
        guard let deriver = try store.info(of: path)?.deriver, try store.isValid(deriver) else {
            throw StoreError(
                .notFound,
                "cannot repair path '\(store.directory.print(path))': \(reason), and how it was built is not known")
        }
        var settings = Settings()
        settings.configuration = configuration
        let session = try BuildSession(store, settings, mode: .repair, showsLogs: false)
        try session.realise([.outputs(deriver, [])], quiet: true)
    }
}

/// A store that takes one object although it has it.
struct RepairedStore: Store {
    let store: LocalStore
    let path: StorePath

    var directory: StoreDirectory { store.directory }

    func info(of path: StorePath) throws -> PathInfo? { path == self.path ? nil : try store.info(of: path) }

    func archive(of path: StorePath, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        try store.archive(of: path, to: sink)
    }

    func add(_ info: PathInfo, checkSignatures: Bool, archive: (Int) throws -> [UInt8]) throws {
        try store.add(info, checkSignatures: checkSignatures, repair: info.path == path, archive: archive)
    }
}
