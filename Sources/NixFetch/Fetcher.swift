import Kernel
import NixBinaryCache
import NixLanguage
import NixLocalStore
import NixStore

/// Fetches what expressions ask for, and adds it to a store.
public struct Fetcher {
    public struct Settings: Sendable {
        public var transfer = TransferSettings()
        /// Seconds for which what has no hash is not asked for again (`tarball-ttl`).
        public var lifetime = 3600
        /// `~/.cache/nix`; without it nothing is remembered.
        public var cacheDirectory: String?
        /// Where archives and trees are for a moment.
        public var temporaryDirectory = "/tmp"
        /// Whether Git trees with changes are warned of, and taken at all.
        public var warnsOfDirtyTrees = true
        public var allowsDirtyTrees = true
        /// The environment of `git`: `NAME=value`; `nil` for this process's own.
        public var environment: [String]?
        /// Told what the user is to be warned of.
        public var warn: @Sendable (String) -> Void = { _ in }

        public init() {}

        /// Where Nix remembers what it fetched.
        public static func standardCacheDirectory(environment: (String) -> String?) -> String? {
            let base =
                environment("XDG_CACHE_HOME").flatMap { $0.isEmpty ? nil : $0 }
                ?? environment("HOME").map { $0 + "/.cache" }
            return base.map { $0 + "/nix" }
        }
    }

    let store: any MachineStore
    let settings: Settings
    let cache: FetchCache?

    /// - Throws: when the file of what was fetched before is there and cannot be used.
    public init(into store: any MachineStore, _ settings: Settings) throws {
        self.store = store
        self.settings = settings
        cache = try settings.cacheDirectory.map {
            try FetchCache(in: $0, store.directory, lifetime: settings.lifetime)
        }
    }

    /// - Throws: `HostError` that names what was to be fetched.
    public func fetch(_ request: FetchRequest) throws -> FetchResult {
        do {
            switch request.kind {
            case .file: return try file(request)
            case .tarball: return try tarball(request)
            case .git: return try git(request)
            }
        } catch let error as HostError { throw error } catch let error as StoreError {
            throw HostError(.failed, "unable to download '\(request.url)': \(error.reason)")
        } catch { throw HostError(.failed, "unable to fetch '\(request.url)': \(error)") }
    }

    /// `channel:NAME` is short for where that channel is.
    private static func address(_ url: String) -> String {
        guard url.hasPrefix("channel:") else { return url }
        return "https://channels.nixos.org/\(url.dropFirst(8))/nixexprs.tar.xz"
    }

    private func file(_ request: FetchRequest) throws -> FetchResult {
        let url = Self.address(request.url)
        let result = try cached("file", url, request) { file, _ in
            (try store.add(tree: file, named: request.name, method: .flat), nil)
        }
        if let expected = request.expected {
            let got = try Hash(.sha256, contentsOf: store.layout.file(result.path), in: DirectorySource())
            try check(got, expected, request.url)
        }
        return result
    }

    private func tarball(_ request: FetchRequest) throws -> FetchResult {
        let url = Self.address(request.url)
        var result = try cached("tarball", url, request) { file, directory in
            let tree = try Tarball.unpack(file, into: directory, called: request.url)
            return (try store.add(tree: tree.path, named: request.name), tree.lastModified)
        }
        result.narHash = try store.info(of: result.path)?.narHash
        if let expected = request.expected, let got = result.narHash { try check(got, expected, request.url) }
        return result
    }

    func check(_ got: Hash, _ expected: Hash, _ url: String) throws {
        guard got != expected else { return }
        throw HostError(
            .failed,
            """
            hash mismatch in file downloaded from '\(url)':
              specified: \(expected.text(.nix32, withAlgorithm: true))
              got:       \(got.text(.nix32, withAlgorithm: true))
            """)
    }

    /// What is remembered of an address while it is new; else what it gives now, made an object by `add`.
    ///
    /// - Parameter add: takes the file that was downloaded, and a directory of its own.
    private func cached(
        _ type: String, _ url: String, _ request: FetchRequest,
        add: (_ file: String, _ directory: String) throws -> (StorePath, lastModified: Int64?)
    ) throws -> FetchResult {
        let key = FetchCache.key(type, url, request.name)
        var known = try cache?.entry(key)
        if let path = known?.path, try !store.isValid(path) { known = nil }
        if let known, !known.isExpired { return result(known.path, known.lastModified) }
        return try withTemporaryDirectory { directory in
            let file = directory + "/download"
            let target = try FileDescriptor.open(file, [.writeOnly, .create, .exclusive], mode: 0o600)
            let outcome = try FileDownload(settings.transfer).download(url, to: target, knownTag: known?.etag)
            try target.close()
            var entry: FetchCache.Entry
            if outcome.isUnchanged, let known {
                entry = known
            } else {
                let (path, lastModified) = try add(file, directory)
                entry = FetchCache.Entry(path: path, etag: "", lastModified: lastModified, isExpired: false)
            }
            entry.etag = outcome.tag
            try cache?.remember(
                key, entry, url: type == "file" ? url : nil, isImmutable: request.expected != nil)
            return result(entry.path, entry.lastModified)
        }
    }

    private func result(_ path: StorePath, _ lastModified: Int64?) -> FetchResult {
        var result = FetchResult(path: path)
        result.lastModified = lastModified
        return result
    }

    /// Lends a directory that is gone afterwards.
    func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
        let here = FileDescriptor.currentDirectory
        let directory = try here.makeTemporaryDirectory(in: settings.temporaryDirectory, prefix: "dhow-fetch-")
        defer { try? here.removeTree(directory) }
        return try body(directory)
    }
}
