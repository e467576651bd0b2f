import NixLanguage
import NixLocalStore
import NixStore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

// Stores of this machine that a daemon writes to.
extension StoreSettings {
    /// The daemon's store that `text` names: `daemon`, `unix://`, `unix://SOCKET`, each with `?root=DIR` and the other
    /// parameters of a local store, which say where its files are; or `auto`, where only the daemon may write to the
    /// machine's store. `nil` when it names another kind of store.
    func ownedStore(_ text: String) throws -> DaemonOwnedStore? {
        guard let (socket, layout) = try daemonAddress(text) else { return nil }
        let daemon = try DaemonStore(
            socket: socket, directory: layout.directory, options: configuration.daemonOptions
        ) { event in
            if case .message(let text) = event { Output.error.write(text + "\n") }
        }
        return DaemonOwnedStore(daemon, layout: layout)
    }

    /// Where the daemon listens that `text` names, and where its store's files are.
    func daemonAddress(_ text: String) throws -> (socket: String, layout: StoreLayout)? {
        let socket = environment("NIX_DAEMON_SOCKET_PATH") ?? DaemonStore.standardSocket
        if text == "auto" || text.isEmpty {
            let layout = try StoreLayout.named("auto", environment: environment)
            guard access(layout.database, W_OK) != 0, access(socket, W_OK) == 0 else { return nil }
            return (socket, layout)
        }
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let parameters = parts.count > 1 ? "?" + parts[1] : ""
        guard let name = parts.first, name == "daemon" || name.hasPrefix("unix://") else { return nil }
        let path = name == "daemon" ? "" : String(name.dropFirst("unix://".count))
        return (
            path.isEmpty ? socket : path, try StoreLayout.named("local" + parameters, environment: environment)
        )
    }
}
