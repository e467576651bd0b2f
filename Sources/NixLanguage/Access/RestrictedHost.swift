import NixStore

/// A host behind a fence: only files below allowed directories may be seen.
public final class RestrictedHost: EvaluationHost {
    private let base: any EvaluationHost
    private let allowed: [String]
    /// What the refusal says of the mode: "pure evaluation mode" or "restricted mode".
    private let mode: String

    /// - Parameter allowed: directories and files, absolute and canonical; the store need not be among them.
    public init(_ base: any EvaluationHost, allowed: [String], isPure: Bool) {
        self.base = base
        self.allowed = allowed
        mode = isPure ? "pure evaluation mode (use '--impure' to override)" : "restricted mode"
    }

    public func checkAccess(to path: String) throws {
        if !isOnTheWay(path) { try check(path) }
    }

    private func check(_ path: String) throws {
        if path == store.path || store.contains(path) || path.hasPrefix("/__corepkgs__/") { return }
        for directory in allowed
        where directory == "/" || path == directory || path.hasPrefix(directory + "/") { return }
        throw HostError(.restricted, "access to absolute path '\(path)' is forbidden in \(mode)")
    }

    /// Directories on the way to what is allowed may be passed through.
    private func isOnTheWay(_ path: String) -> Bool {
        path == "/" || (allowed + [store.path]).contains { $0.hasPrefix(path + "/") }
    }

    public func kind(of path: String) throws -> FileKind? {
        if !isOnTheWay(path) { try check(path) }
        return try base.kind(of: path)
    }

    public func readFile(_ path: String) throws -> [UInt8] {
        try check(path)
        return try base.readFile(path)
    }

    public func readDirectory(_ path: String) throws -> [(name: ByteString, kind: FileKind?)] {
        try check(path)
        return try base.readDirectory(path)
    }

    public func readLink(_ path: String) throws -> String {
        try check(path)
        return try base.readLink(path)
    }

    public var archiveSource: any NARSource { base.archiveSource }
    public func environment(_ name: String) -> String? { base.environment(name) }
    public var workingDirectory: String { base.workingDirectory }
    public var currentSystem: String { base.currentSystem }
    public var currentTime: Int64 { base.currentTime }
    public func log(_ text: [UInt8]) { base.log(text) }
    public var store: StoreDirectory { base.store }
    public func isValid(_ path: StorePath) -> Bool { base.isValid(path) }
    public func references(of path: StorePath) throws -> Set<StorePath> { try base.references(of: path) }

    public func addText(name: String, contents: [UInt8], references: Set<StorePath>) throws -> StorePath {
        try base.addText(name: name, contents: contents, references: references)
    }

    public func addTree(
        name: String, path: String, method: IngestionMethod, accepts: ((String) throws -> Bool)?
    ) throws -> StorePath {
        try check(path)
        return try base.addTree(name: name, path: path, method: method, accepts: accepts)
    }

    public func addDerivation(_ derivation: Derivation) throws -> StorePath { try base.addDerivation(derivation) }
    public func derivation(at path: StorePath) throws -> Derivation { try base.derivation(at: path) }
    public func realise(_ outputs: [(derivation: StorePath, output: String)]) throws { try base.realise(outputs) }
    public func fetch(_ request: FetchRequest) throws -> FetchResult { try base.fetch(request) }
}
