import Kernel
import NixStore

/// Where a store's files are.
///
/// A store's paths always begin with its directory (`/nix/store`), because that took part in their hashes; below
/// another root the files are elsewhere.
public struct StoreLayout: Sendable, Hashable {
    /// The directory that the objects' paths begin with.
    public let directory: StoreDirectory
    /// The directory that holds the objects.
    public let objects: String
    /// The directory of the database, the roots and the locks, usually `/nix/var/nix`.
    public let state: String
    /// The directory of the build logs, usually `/nix/var/log/nix`.
    public let logs: String
    /// What stands before the paths of files, or nothing.
    public let root: String

    public init(
        directory: StoreDirectory = StoreDirectory(), objects: String? = nil, state: String = "/nix/var/nix",
        logs: String = "/nix/var/log/nix", root: String = ""
    ) {
        self.directory = directory
        self.objects = objects ?? directory.path
        self.state = state
        self.logs = logs
        self.root = root
    }

    /// The store of the machine.
    public static let system = StoreLayout()

    /// The store below `root`, an absolute path, whose objects think that they are in `/nix/store`.
    public static func chroot(_ root: String) -> StoreLayout {
        var root = root
        while root.hasSuffix("/") { root.removeLast() }
        return StoreLayout(
            objects: root + "/nix/store", state: root + "/nix/var/nix", logs: root + "/nix/var/log/nix", root: root)
    }

    /// Chooses a store as Nix does.
    ///
    /// - Parameters:
    ///   - name: what `--store` or `NIX_REMOTE` says: `auto`, `local`, a directory, or `local?root=DIR`.
    ///   - environment: looks up a variable: `NIX_STORE_DIR`, `NIX_STATE_DIR`, `NIX_LOG_DIR`, `HOME`, `XDG_DATA_HOME`.
    /// - Throws: `StoreError.unusableStore` when the name is that of another kind of store.
    public static func named(_ name: String, environment: (String) -> String?) throws(StoreError) -> StoreLayout {
        if name.hasPrefix("/") { return chroot(name) }
        if name.hasPrefix("./") || name.hasPrefix("../") {
            do throws(KernelError) { return chroot(try workingDirectory() + "/" + name) } catch {
                throw StoreError(.unusableStore, "finding the store '\(name)': \(error)")
            }
        }
        if name.hasPrefix("local") {
            let rest = name.dropFirst("local".count)
            if rest.isEmpty { return machine(environment) }
            if rest.hasPrefix("?") { return try parameters(rest.dropFirst(), environment) }
        }
        guard name == "auto" || name.isEmpty else {
            throw StoreError(
                .unusableStore,
                "don't know how to open the Nix store '\(name)'; a local store is 'local' or a directory")
        }
        let usual = machine(environment)
        let here = FileDescriptor.currentDirectory
        // Without root and without a store of the machine, a user has one at home.
        guard !here.isAccessible(usual.state, mode: 2), !here.exists(usual.state), Credentials.effectiveUserID != 0,
            environment("NIX_STORE_DIR") == nil, let home = environment("HOME")
        else { return usual }
        let data = environment("XDG_DATA_HOME") ?? home + "/.local/share"
        return chroot(data + "/nix/root")
    }

    private static func machine(_ environment: (String) -> String?) -> StoreLayout {
        StoreLayout(
            directory: StoreDirectory(environment("NIX_STORE_DIR") ?? "/nix/store"),
            state: environment("NIX_STATE_DIR") ?? "/nix/var/nix",
            logs: environment("NIX_LOG_DIR") ?? "/nix/var/log/nix")
    }

    private static func parameters(
        _ text: Substring, _ environment: (String) -> String?
    ) throws(StoreError) -> StoreLayout {
        var values: [Substring: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw StoreError(.unusableStore, "store parameter '\(pair)' has no value") }
            values[parts[0]] = String(parts[1])
        }
        let base = values["root"].map(chroot) ?? machine(environment)
        return StoreLayout(
            directory: StoreDirectory(values["store"] ?? base.directory.path),
            objects: values["real"] ?? (values["store"].map { base.root + $0 } ?? base.objects),
            state: values["state"] ?? base.state, logs: values["log"] ?? base.logs, root: base.root)
    }

    // MARK: Files

    /// The file or directory of an object.
    public func file(_ path: StorePath) -> String { objects + "/" + path.baseName }

    /// The file that `text`, a path as programs in this store know it, is on this machine.
    public func file(named text: String) -> String {
        guard objects != directory.path, directory.contains(text) else { return text }
        return objects + text.dropFirst(directory.path.utf8.count)
    }

    var links: String { objects + "/.links" }
    /// The directory of the database.
    public var database: String { state + "/db" }
    var roots: String { state + "/gcroots" }
    var profiles: String { state + "/profiles" }
    var temporaryRoots: String { state + "/temproots" }
}
