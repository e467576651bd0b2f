import NixStore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// This machine's files and environment, and a store that is only computed: paths are worked out, nothing is written.
///
/// It is what evaluating without building needs, and the base for hosts that have a store.
open class LocalHost: EvaluationHost {
    public let store: StoreDirectory
    public let currentSystem: String
    /// Derivations of this evaluation, by path.
    private var derivations: [StorePath: Derivation] = [:]
    /// Files that would be in the store, by their absolute paths.
    private var texts: [String: [UInt8]] = [:]
    /// Where the trees come from that would be in the store: reading one there reads its source.
    private var trees: [String: String] = [:]

    public init(store: StoreDirectory = StoreDirectory(), system: String = LocalHost.machineSystem) {
        self.store = store
        currentSystem = system
    }

    /// This machine's platform in Nix's words, like `x86_64-linux`.
    public static var machineSystem: String {
        var name = utsname()
        uname(&name)
        let machine = withUnsafeBytes(of: name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return machine + "-linux"
    }

    // MARK: Files

    private func status(_ path: String) throws -> stat? {
        var status = stat()
        if lstat(path, &status) == 0 { return status }
        switch errno {
        case ENOENT, ENOTDIR: return nil
        default: throw Self.failure("getting status of", path)
        }
    }

    private static func failure(_ what: String, _ path: String) -> HostError {
        let code = errno
        return HostError(
            code == ENOENT ? .missing : .failed, "\(what) '\(path)': \(String(cString: strerror(code)))")
    }

    private static func kind(_ mode: mode_t) -> FileKind {
        switch mode & S_IFMT {
        case S_IFREG: .regular
        case S_IFDIR: .directory
        case S_IFLNK: .symlink
        default: .other
        }
    }

    /// Where `path` is to be read: a path in a tree that is only computed is one in that tree's source.
    private func location(_ path: String) -> String {
        guard !trees.isEmpty, path.hasPrefix(store.path + "/"), access(path, F_OK) != 0 else { return path }
        let rest = path.utf8.dropFirst(store.path.utf8.count + 1)
        let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? path.endIndex
        guard let source = trees[String(path[..<end])] else { return path }
        return source + path[end...]
    }

    open func kind(of path: String) throws -> FileKind? {
        if texts[path] != nil { return .regular }
        return try status(location(path)).map { Self.kind($0.st_mode) }
    }

    open func readFile(_ path: String) throws -> [UInt8] {
        if let text = texts[path] { return text }
        let path = location(path)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { throw HostError(.missing, "path '\(path)' does not exist") }
            throw Self.failure("opening file", path)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.failure("getting status of", path) }
        guard Self.kind(status.st_mode) != .directory else {
            throw HostError(.failed, "reading file '\(path)': Is a directory")
        }
        var bytes: [UInt8] = []
        var capacity = Int(status.st_size) + 1
        while true {
            let before = bytes.count
            let piece = try [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                var result = read(descriptor, buffer.baseAddress, buffer.count)
                while result < 0, errno == EINTR { result = read(descriptor, buffer.baseAddress, buffer.count) }
                guard result >= 0 else { throw Self.failure("reading file", path) }
                count = result
            }
            if piece.isEmpty { return bytes }
            if before == 0 { bytes = piece } else { bytes += piece }
            capacity = 65536
            if Self.kind(status.st_mode) == .regular, bytes.count >= Int(status.st_size) { return bytes }
        }
    }

    open func readDirectory(_ path: String) throws -> [(name: ByteString, kind: FileKind?)] {
        let path = location(path)
        guard let directory = opendir(path) else {
            switch errno {
            case ENOENT: throw HostError(.missing, "path '\(path)' does not exist")
            case ENOTDIR: throw HostError(.failed, "'\(path)' is not a directory")
            default: throw Self.failure("reading directory", path)
            }
        }
        defer { closedir(directory) }
        var entries: [(name: ByteString, kind: FileKind?)] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name == [0x2E] || name == [0x2E, 0x2E] { continue }
            let kind: FileKind? =
                switch Int32(entry.pointee.d_type) {
                case Int32(DT_REG): .regular
                case Int32(DT_DIR): .directory
                case Int32(DT_LNK): .symlink
                case Int32(DT_UNKNOWN): nil
                default: .other
                }
            entries.append((ByteString(name), kind))
        }
        return entries
    }

    open func readLink(_ path: String) throws -> String {
        String(decoding: try DirectorySource().target(ofLink: location(path)), as: UTF8.self)
    }

    open var archiveSource: any NARSource { DirectorySource() }

    // MARK: The process

    /// The kernel's answer, and not `PWD`: programs that start others elsewhere leave that as it was. `/` when the
    /// directory is gone.
    open var workingDirectory: String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }
    open func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    open var currentTime: Int64 { Int64(time(nil)) }

    open func log(_ text: [UInt8]) {
        let line = (isatty(STDERR_FILENO) == 1 ? text : TerminalText.plain(text)) + [0x0A]
        var at = 0
        while at < line.count {
            let count = line[at...].withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            at += count
        }
    }

    // MARK: The store

    open func isValid(_ path: StorePath) -> Bool {
        let text = store.print(path)
        return derivations[path] != nil || texts[text] != nil || trees[text] != nil || access(text, F_OK) == 0
    }

    open func references(of path: StorePath) throws -> Set<StorePath> { [] }

    open func addText(name: String, contents: [UInt8], references: Set<StorePath>) throws -> StorePath {
        let path = try store.makeTextPath(name: name, hash: Hash(.sha256, of: contents), references: references)
        texts[store.print(path)] = contents
        return path
    }

    open func addTree(
        name: String, path: String, method: IngestionMethod, accepts: ((String) throws -> Bool)?
    ) throws -> StorePath {
        let source = location(path)
        let hash: Hash
        switch method {
        case .recursive:
            guard try kind(of: path) != nil else { throw HostError(.missing, "path '\(path)' does not exist") }
            // The filter is asked about the paths that the expression named.
            let asked = accepts.map { accepts in
                { (entry: String) in try accepts(path + entry.dropFirst(source.count)) }
            }
            hash = try Hash(.sha256, archiveOf: source, in: archiveSource, accepts: asked ?? { _ in true })
        case .flat: hash = Hash(.sha256, of: try readFile(path))
        }
        let added = try store.makeFixedOutputPath(name: name, address: ContentAddress(method: method, hash: hash))
        trees[store.print(added)] = source
        return added
    }

    open func addDerivation(_ derivation: Derivation) throws -> StorePath {
        let path = try derivation.storePath(in: store)
        derivations[path] = derivation
        return path
    }

    open func derivation(at path: StorePath) throws -> Derivation {
        if let known = derivations[path] { return known }
        let name = String(path.name.dropLast(path.isDerivation ? 4 : 0))
        return try Derivation(aterm: try readFile(store.print(path)), name: name, in: store)
    }

    open func realise(_ outputs: [(derivation: StorePath, output: String)]) throws {
        for (derivation, output) in outputs {
            let path = try self.derivation(at: derivation).path(of: output, in: store)
            guard let path, isValid(path) else {
                throw HostError(
                    .failed,
                    "cannot build '\(store.print(derivation))^\(output)' during evaluation: this store is read-only")
            }
        }
    }

    // MARK: The network

    open func fetch(_ request: FetchRequest) throws -> FetchResult {
        throw HostError(.failed, "unable to download '\(request.url)': this evaluation has no network")
    }
}
