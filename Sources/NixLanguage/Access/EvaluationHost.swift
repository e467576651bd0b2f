import NixStore

/// Everything that an evaluation can ask of the world outside: files, the environment, the store, the network.
///
/// Paths are absolute and canonical. Implementations may refuse; what they throw becomes the evaluation's error.
public protocol EvaluationHost: AnyObject {
    // MARK: Files

    /// Throws where `path` may not be looked at, before its way is followed.
    func checkAccess(to path: String) throws
    /// What `path` itself is, or `nil` when there is nothing.
    func kind(of path: String) throws -> FileKind?
    func readFile(_ path: String) throws -> [UInt8]
    /// The names in a directory; a kind is `nil` where the file system does not tell it at once.
    func readDirectory(_ path: String) throws -> [(name: ByteString, kind: FileKind?)]
    func readLink(_ path: String) throws -> String
    /// The files as an archive sees them.
    var archiveSource: any NARSource { get }

    // MARK: The process

    func environment(_ name: String) -> String?
    /// Where relative paths of the command line and of the search path begin.
    var workingDirectory: String { get }
    /// The platform that derivations are for, like `x86_64-linux`.
    var currentSystem: String { get }
    /// Seconds since 1970.
    var currentTime: Int64 { get }
    /// Shows what `trace` and `warn` say.
    func log(_ text: [UInt8])

    // MARK: The store

    var store: StoreDirectory { get }
    func isValid(_ path: StorePath) -> Bool
    func references(of path: StorePath) throws -> Set<StorePath>
    /// Adds a file made of `contents`.
    func addText(name: String, contents: [UInt8], references: Set<StorePath>) throws -> StorePath
    /// Adds a tree, or what `accepts` leaves of it.
    func addTree(
        name: String, path: String, method: IngestionMethod, accepts: ((String) throws -> Bool)?
    ) throws -> StorePath
    func addDerivation(_ derivation: Derivation) throws -> StorePath
    func derivation(at path: StorePath) throws -> Derivation
    /// Builds outputs, for an evaluation that reads what a derivation makes.
    func realise(_ outputs: [(derivation: StorePath, output: String)]) throws

    // MARK: The network

    func fetch(_ request: FetchRequest) throws -> FetchResult
}

extension EvaluationHost {
    public func checkAccess(to path: String) throws {}
}

/// Something to be fetched into the store.
public struct FetchRequest: Sendable {
    public enum Kind: Sendable, Equatable {
        case file
        /// An archive, unpacked, without its one outer directory.
        case tarball
        case git
    }

    public var kind: Kind
    public var url: String
    public var name: String
    /// What the content must be: of the file, or of the unpacked tree.
    public var expected: Hash?
    /// A branch or tag, and a commit, for git.
    public var reference: String?
    public var revision: String?
    public var submodules = false
    public var shallow = false
    public var allReferences = false

    public init(kind: Kind, url: String, name: String, expected: Hash? = nil) {
        self.kind = kind
        self.url = url
        self.name = name
        self.expected = expected
    }
}

public struct FetchResult: Sendable {
    public var path: StorePath
    public var narHash: Hash?
    public var revision: String?
    public var revisionCount: Int?
    /// When it was made, in seconds since 1970.
    public var lastModified: Int64?

    public init(path: StorePath) { self.path = path }
}

/// A refusal or a failure of the host's.
public struct HostError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable {
        /// There is no such file.
        case missing
        /// The mode of evaluation forbids it.
        case restricted
        /// Anything else.
        case failed
    }

    public let code: Code
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public var description: String { reason }
}
