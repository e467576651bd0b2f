import NixStore
import Synchronization

/// A store in memory that believes nothing: what the tests copy to and from.
final class MemoryStore: Store {
    let directory = StoreDirectory()
    let trustedKeys: TrustedKeys
    private let objects = Mutex<[StorePath: (info: PathInfo, archive: [UInt8])]>([:])

    init(trustedKeys: TrustedKeys = TrustedKeys()) { self.trustedKeys = trustedKeys }

    var paths: Set<StorePath> { objects.withLock { Set($0.keys) } }

    func info(of path: StorePath) -> PathInfo? { objects.withLock { $0[path]?.info } }

    func archive(of path: StorePath, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard let bytes = objects.withLock({ $0[path]?.archive }) else {
            throw StoreError(.notFound, "\(path) is not in memory")
        }
        try bytes.withUnsafeBytes(sink)
    }

    func add(_ info: PathInfo, checkSignatures: Bool, archive: (Int) throws -> [UInt8]) throws {
        if checkSignatures { try info.checkSignatures(trustedKeys, in: directory, from: "memory") }
        for reference in info.references where reference != info.path && self.info(of: reference) == nil {
            throw StoreError(.notFound, "\(reference) is not valid, but \(info.path) refers to it")
        }
        var bytes: [UInt8] = []
        while true {
            let piece = try archive(1000)
            if piece.isEmpty { break }
            bytes += piece
        }
        guard UInt64(bytes.count) == info.narSize, Hash(.sha256, of: bytes) == info.narHash else {
            throw StoreError(.badArchive, "the archive of \(info.path) is not what was announced")
        }
        objects.withLock { $0[info.path] = (info, bytes) }
    }

    /// Adds a file's worth of text, under a path that follows from nothing.
    @discardableResult
    func addFile(
        _ name: String, _ text: String, references: Set<StorePath> = [], signedBy key: SigningKey? = nil
    ) throws -> StorePath {
        let archive = Self.archive(of: text)
        let path = try directory.makePath(type: "output:out", hash: Hash(.sha256, of: name + text), name: name)
        var info = PathInfo(
            path: path, narHash: Hash(.sha256, of: archive), narSize: UInt64(archive.count), references: references)
        if let key { try info.sign(with: key, in: directory) }
        objects.withLock { $0[path] = (info, archive) }
        return path
    }

    /// The archive of a file with that text.
    static func archive(of text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        func put(_ string: String) {
            withUnsafeBytes(of: UInt64(string.utf8.count).littleEndian) { bytes += $0 }
            bytes += string.utf8
            while bytes.count % 8 != 0 { bytes.append(0) }
        }
        for string in ["nix-archive-1", "(", "type", "regular", "contents", text, ")"] { put(string) }
        return bytes
    }
}
