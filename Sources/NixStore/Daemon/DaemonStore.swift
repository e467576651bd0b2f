import Kernel
import Synchronization

/// A store that a Nix daemon owns: everything is asked of it through its socket.
///
/// Safe to use from several threads: each request has a connection of its own while it lasts.
public final class DaemonStore: SignableStore {
    /// Where Nix's own daemon listens, unless `NIX_DAEMON_SOCKET_PATH` says otherwise.
    public static let standardSocket = "/nix/var/nix/daemon-socket/socket"

    public let directory: StoreDirectory
    public let socketPath: String
    private let options: DaemonOptions
    private let onEvent: @Sendable (DaemonEvent) -> Void
    private let idle = Mutex<[DaemonConnection]>([])

    /// Connects for the first time, so that a daemon that is not there is known at once.
    /// - Parameter onEvent: called with what the daemon says, from whatever thread waits for it.
    public init(
        socket: String = DaemonStore.standardSocket, directory: StoreDirectory = StoreDirectory(),
        options: DaemonOptions = DaemonOptions(), onEvent: @escaping @Sendable (DaemonEvent) -> Void = { _ in }
    ) throws {
        socketPath = socket
        self.directory = directory
        self.options = options
        self.onEvent = onEvent
        try withConnection { _ in }
    }

    /// Lends a connection to one thread.
    func withConnection<Result>(_ body: (DaemonConnection) throws -> Result) throws -> Result {
        let connection =
            try idle.withLock { $0.popLast() }
            ?? DaemonConnection(socketPath, directory, options: options, onEvent: onEvent)
        defer { if connection.isUsable { idle.withLock { $0.append(connection) } } }
        return try body(connection)
    }

    func request<Answer>(
        _ operation: DaemonOperation, _ write: (inout WireWriter) -> Void = { _ in },
        _ read: (inout WireReader) throws -> Answer
    ) throws -> Answer {
        try withConnection { try $0.request(operation, write, read) }
    }

    /// A request whose answer is only that it is done.
    func perform(_ operation: DaemonOperation, _ write: (inout WireWriter) -> Void = { _ in }) throws {
        try request(operation, write) { _ = try $0.number() }
    }

    /// Who answers: the protocol's version, the daemon's own, and whether it trusts us.
    public func ping() throws -> (protocolVersion: String, daemonVersion: String?, isTrusted: Bool?) {
        try withConnection { ("1.\($0.minor)", $0.daemonVersion, $0.isTrusted) }
    }
}

// MARK: Objects

extension DaemonStore {
    public func info(of path: StorePath) throws -> PathInfo? {
        try request(.queryPathInfo, { $0.write(path) }, { try $0.flag() ? try $0.info(of: path) : nil })
    }

    public func archive(of path: StorePath, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard let info = try info(of: path) else {
            throw StoreError(.notFound, "path '\(directory.print(path))' is not valid in the daemon's store")
        }
        try withConnection { connection in
            try connection.request(.narFromPath, { $0.write(path) }) { reader in
                // The answer has no length: it is believed to be what was said of the object, then compared.
                var hash = HashStream(.sha256)
                try DaemonConnection.copy(info.narSize, from: &reader) { bytes in
                    hash.update(bytes)
                    try sink(bytes)
                }
                guard hash.finish() == info.narHash else {
                    throw StoreError(
                        .badArchive,
                        "the daemon's archive of '\(directory.print(path))' is not the one with the hash "
                            + "\(info.narHash.text(.nix32, withAlgorithm: true)); its store may be damaged: "
                            + "'nix-store --verify-path' tells")
                }
            }
        }
    }

    public func add(_ info: PathInfo, checkSignatures: Bool, archive: (Int) throws -> [UInt8]) throws {
        var bound = Bound(info, in: directory)
        try withConnection { connection in
            try connection.request(
                .addToStoreNar,
                { writer in
                    writer.write(info.path)
                    writer.write(unkeyed: info)
                    writer.write(false)
                    writer.write(!checkSignatures)
                }, frames: { try bound.pass(try archive($0)) }, { _ in })
        }
    }

    /// One object of many for `add(_:checkSignatures:)`.
    public struct Addition {
        public var info: PathInfo
        /// Gives at most so many bytes; an empty answer is the end.
        public var archive: (Int) throws -> [UInt8]

        public init(_ info: PathInfo, archive: @escaping (Int) throws -> [UInt8]) {
            self.info = info
            self.archive = archive
        }
    }

    /// Takes in many objects in one request; those that others refer to come first.
    public func add(_ additions: [Addition], checkSignatures: Bool) throws {
        try withConnection { connection in
            guard connection.minor >= 32 else {
                for addition in additions {
                    try add(addition.info, checkSignatures: checkSignatures, archive: addition.archive)
                }
                return
            }
            var rest = additions[...]
            var current: (archive: (Int) throws -> [UInt8], bound: Bound)?
            var pending: [UInt8] = []
            var count = WireWriter(directory)
            count.write(UInt64(additions.count))
            pending = count.bytes
            try connection.request(
                .addMultipleToStore,
                { writer in
                    writer.write(false)
                    writer.write(!checkSignatures)
                },
                frames: { limit in
                    while true {
                        if !pending.isEmpty {
                            defer { pending = [] }
                            return pending
                        }
                        if let archive = current?.archive {
                            let piece = try current?.bound.pass(try archive(limit)) ?? []
                            if !piece.isEmpty { return piece }
                        }
                        current = nil
                        guard let next = rest.popFirst() else { return [] }
                        var header = WireWriter(directory)
                        header.write(next.info.path)
                        header.write(unkeyed: next.info)
                        pending = header.bytes
                        current = (next.archive, Bound(next.info, in: directory))
                    }
                }, { _ in })
        }
    }

    /// An archive's bytes as they go out, refused when they are more or fewer than announced: the daemon could not tell
    /// where it ends.
    private struct Bound {
        let info: PathInfo
        let directory: StoreDirectory
        var left: UInt64

        init(_ info: PathInfo, in directory: StoreDirectory) {
            self.info = info
            self.directory = directory
            left = info.narSize
        }

        mutating func pass(_ piece: [UInt8]) throws(StoreError) -> [UInt8] {
            if UInt64(piece.count) > left { throw wrong("longer") }
            if piece.isEmpty, left > 0 { throw wrong("shorter") }
            left -= UInt64(piece.count)
            return piece
        }

        private func wrong(_ how: String) -> StoreError {
            StoreError(
                .badArchive,
                "the archive of '\(directory.print(info.path))' is \(how) than the \(info.narSize) bytes announced")
        }
    }

    /// Adds a file made of a string, as `builtins.toFile` and derivations are.
    public func addText(_ text: [UInt8], name: String, references: Set<StorePath> = []) throws -> StorePath {
        try withConnection { connection in
            if connection.minor >= 25 {
                return try Self.add(
                    connection, name, method: "text:sha256", references, contents: Self.once(text)
                ).path
            }
            return try connection.request(
                .addTextToStore,
                { writer in
                    writer.write(name)
                    writer.write(bytes: text)
                    writer.write(references)
                }, { try $0.path() })
        }
    }

    /// Adds an object that its content names.
    /// - Parameter contents: its archive, or, for `.flat`, the file's bytes; an empty answer is the end.
    public func add(
        name: String, method: IngestionMethod, algorithm: HashAlgorithm = .sha256, references: Set<StorePath> = [],
        contents: (Int) throws -> [UInt8]
    ) throws -> PathInfo {
        try withConnection { connection in
            guard connection.minor >= 25 else {
                throw StoreError(
                    .unsupported,
                    "the Nix daemon at '\(socketPath)' is too old to add objects by content: it needs 1.25")
            }
            return try Self.add(
                connection, name, method: "fixed:\(method.prefix)\(algorithm.rawValue)", references, contents: contents)
        }
    }

    private static func add(
        _ connection: DaemonConnection, _ name: String, method: String, _ references: Set<StorePath>,
        contents: (Int) throws -> [UInt8]
    ) throws -> PathInfo {
        try connection.request(
            .addToStore,
            { writer in
                writer.write(name)
                writer.write(method)
                writer.write(references)
                writer.write(false)
            }, frames: contents, { try $0.info(of: try $0.path()) })
    }

    /// Bytes as a stream.
    static func once(_ bytes: [UInt8]) -> (Int) -> [UInt8] {
        var rest = bytes[...]
        return { limit in
            defer { rest = rest.dropFirst(limit) }
            return Array(rest.prefix(limit))
        }
    }
}
