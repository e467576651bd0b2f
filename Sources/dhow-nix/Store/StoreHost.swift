import Kernel
import NixLanguage
import NixLocalStore
import NixStore

/// A host whose store may lie below another root, with its files elsewhere than their names say; nothing is written.
class ReadOnlyStoreHost: LocalHost {
    let layout: StoreLayout
    /// Fetches into the store, which is written to also by evaluations that write nothing else, as in Nix.
    var fetches: ((FetchRequest) throws -> FetchResult)?

    init(layout: StoreLayout, system: String = LocalHost.machineSystem) {
        self.layout = layout
        super.init(store: layout.directory, system: system)
    }

    /// Where `path` is; what only this evaluation has made is nowhere, and goes by its name.
    private func file(_ path: String) -> String {
        let file = layout.file(named: path)
        guard file != path else { return path }
        let status = try? FileDescriptor.currentDirectory.statusIfPresent(of: file)
        return status == nil ? path : file
    }

    override func kind(of path: String) throws -> FileKind? { try super.kind(of: file(path)) }
    override func readFile(_ path: String) throws -> [UInt8] { try super.readFile(file(path)) }
    override func readDirectory(_ path: String) throws -> [(name: ByteString, kind: FileKind?)] {
        try super.readDirectory(file(path))
    }
    override func readLink(_ path: String) throws -> String { try super.readLink(file(path)) }
    override var archiveSource: any NARSource { StoreSource(layout: layout) }

    override func isValid(_ path: StorePath) -> Bool {
        super.isValid(path) || FileDescriptor.currentDirectory.exists(layout.file(path))
    }

    /// The store, opened for reading at least.
    var machineStore: any MachineStore {
        get throws {
            var options = LocalStore.Options()
            options.isWritable = false
            return try LocalStore(layout, options: options)
        }
    }

    /// Makes a link a root.
    func addRoot(_ link: String, to path: StorePath) throws {
        throw StoreError(.unusableStore, "the root '\(link)' cannot be made: this evaluation writes to no store")
    }

    /// Makes roots of the derivations in `text`, a line each, and gives the lines that name them.
    func addRoots(_ text: [UInt8], root: String, count: Int) throws -> [UInt8] {
        var lines: [String] = []
        for line in text.split(separator: 0x0A) {
            let number = count + lines.count
            let link = number == 1 ? root : "\(root)-\(number)"
            try addRoot(link, to: store.parse(String(decoding: line, as: UTF8.self)))
            lines.append(link)
        }
        return Array(lines.joined(separator: "\n").utf8)
    }

    override func fetch(_ request: FetchRequest) throws -> FetchResult {
        guard let fetches else { return try super.fetch(request) }
        return try fetches(request)
    }
}

/// The host of an evaluation that writes to a store: texts, sources and derivations become objects.
///
/// The store is opened when something is first asked of it, so that an evaluation that needs none starts without.
class StoreHost: ReadOnlyStoreHost {
    private let options: LocalStore.Options
    private var opened: LocalStore?
    /// Derivations of this evaluation, so that none is read back.
    private var known: [StorePath: Derivation] = [:]
    /// Makes outputs that are not valid; without it they are an error.
    var build: ((LocalStore, [(derivation: StorePath, output: String)]) throws -> Void)?

    init(
        layout: StoreLayout, system: String = LocalHost.machineSystem,
        options: LocalStore.Options = LocalStore.Options()
    ) {
        self.options = options
        super.init(layout: layout, system: system)
    }

    /// With a store that is open already.
    init(store: LocalStore, system: String = LocalHost.machineSystem) {
        options = store.options
        opened = store
        super.init(layout: store.layout, system: system)
    }

    func localStore() throws -> LocalStore {
        if let opened { return opened }
        let store = try LocalStore(layout, options: options)
        opened = store
        return store
    }

    override var machineStore: any MachineStore { get throws { try localStore() } }

    // MARK: The store

    override func isValid(_ path: StorePath) -> Bool { (try? localStore().isValid(path)) ?? false }

    override func references(of path: StorePath) throws -> Set<StorePath> {
        try localStore().info(of: path)?.references ?? []
    }

    override func addText(name: String, contents: [UInt8], references: Set<StorePath>) throws -> StorePath {
        try localStore().addText(name: name, contents: contents, references: references)
    }

    override func addTree(
        name: String, path: String, method: IngestionMethod, accepts: ((String) throws -> Bool)?
    ) throws -> StorePath {
        guard try kind(of: path) != nil else { throw HostError(.missing, "path '\(path)' does not exist") }
        return try localStore().addTree(
            name: name, path: path, method: method, from: archiveSource, accepts: accepts ?? { _ in true })
    }

    override func addDerivation(_ derivation: Derivation) throws -> StorePath {
        let path = try localStore().addDerivation(derivation)
        known[path] = derivation
        return path
    }

    override func derivation(at path: StorePath) throws -> Derivation {
        if let derivation = known[path] { return derivation }
        let derivation = try localStore().derivation(at: path)
        known[path] = derivation
        return derivation
    }

    override func realise(_ outputs: [(derivation: StorePath, output: String)]) throws {
        let store = try localStore()
        let missing = try outputs.filter { derivation, output in
            guard let path = try self.derivation(at: derivation).path(of: output, in: store.directory) else {
                return true
            }
            return try !store.isValid(path)
        }
        guard let first = missing.first else { return }
        guard let build else {
            throw HostError(
                .failed,
                "cannot build '\(store.directory.print(first.derivation))^\(first.output)' during evaluation: "
                    + "its output is not valid, and nothing here builds")
        }
        try build(store, missing)
    }

    override func addRoot(_ link: String, to path: StorePath) throws { try localStore().addRoot(link, to: path) }
}

/// This machine's files, with those of a store where they are.
struct StoreSource: NARSource {
    let layout: StoreLayout
    private let files = DirectorySource()

    init(layout: StoreLayout) { self.layout = layout }

    /// Where on the disk the file is. Only what lies beyond the name of a store's object may not be UTF-8.
    private func file(_ path: ByteString) -> ByteString {
        let known = path.bytes.prefix(layout.directory.path.utf8.count + 1)
        let before = String(decoding: known, as: UTF8.self)
        return ByteString(Array(layout.file(named: before).utf8) + path.bytes.dropFirst(known.count))
    }

    func kind(of path: ByteString) throws -> FileKind { try files.kind(of: file(path)) }
    func isExecutable(_ path: ByteString) throws -> Bool { try files.isExecutable(file(path)) }
    func target(ofLink path: ByteString) throws -> [UInt8] { try files.target(ofLink: file(path)) }
    func names(in path: ByteString) throws -> [ByteString] { try files.names(in: file(path)) }
    func read(_ path: ByteString, size: (UInt64) -> Void, body: (UnsafeRawBufferPointer) -> Void) throws {
        try files.read(file(path), size: size, body: body)
    }
}
