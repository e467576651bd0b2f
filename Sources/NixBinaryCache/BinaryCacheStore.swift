import Archive
import Kernel
import NixStore
import Synchronization

/// A binary cache as a store: objects as compressed archives, each with a file that describes it.
///
/// Nobody is believed: what comes is compared with what was announced while it streams. Whether the announcement itself
/// can be trusted, its signatures say, which the store that takes an object in checks.
public final class BinaryCacheStore: SignableStore {
    public let address: CacheAddress
    public let directory: StoreDirectory
    public let cacheInfo: CacheInfo
    /// Whether its objects need no signature (`trusted=1` in its address).
    public var isTrusted: Bool { address.isSet("trusted") }

    let objects: any CacheObjects
    let writing: CacheWriting
    /// Remembers what the cache said, on disk.
    private let disk: NarInfoDiskCache?
    /// By hash part; `nil` for what is not there.
    private let known = Mutex<[String: NarInfo?]>([:])

    /// Opens a cache and reads what it says of itself.
    /// - Parameters:
    ///   - directory: the store whose objects it is to have; a cache for another is refused.
    ///   - creates: whether to begin a cache where there is none; only in a directory or by PUT.
    ///   - disk: where to remember what it said; not used for directories.
    public init(
        _ address: CacheAddress, directory: StoreDirectory = StoreDirectory(),
        settings: TransferSettings = TransferSettings(), disk: NarInfoDiskCache? = nil, creates: Bool = false
    ) throws {
        self.address = address
        self.directory = directory
        writing = try CacheWriting(address)
        switch address.place {
        case .directory(let path):
            objects = DirectoryObjects(root: path)
            self.disk = nil
        case .web(let root):
            objects = WebObjects(root: root, client: CacheClient(settings))
            self.disk = disk
        }
        let standard = CacheInfo(storeDirectory: directory)
        var info: CacheInfo
        if let remembered = try self.disk?.cacheInfo(of: address.description), !creates {
            info = remembered
        } else if let bytes = try objects.get(CacheInfo.fileName, limit: 64 << 10) {
            info = try CacheInfo(parsing: bytes, standard: standard, cache: address.description)
            try self.disk?.remember(info, of: address.description)
        } else {
            guard creates else {
                throw StoreError(
                    .badCache, "'\(address)' does not appear to be a binary cache: it has no '\(CacheInfo.fileName)'")
            }
            info = standard
            try objects.put(CacheInfo.fileName, Array(info.text.utf8))
        }
        guard info.storeDirectory == directory else {
            throw StoreError(
                .badCache,
                "the binary cache '\(address)' is for the store '\(info.storeDirectory.path)', not for "
                    + "'\(directory.path)': its objects would not work here")
        }
        if let text = address.parameters["priority"] {
            guard let number = Int(text) else {
                throw StoreError(.badCache, "the parameter 'priority' of '\(address)' is no number: '\(text)'")
            }
            info.priority = number
        }
        if address.parameters["want-mass-query"] != nil { info.wantsMassQuery = address.isSet("want-mass-query") }
        cacheInfo = info
    }

    public func info(of path: StorePath) throws -> PathInfo? { try narInfo(of: path)?.info }

    /// What the cache says of an object; `nil` when it does not have it.
    public func narInfo(of path: StorePath) throws -> NarInfo? {
        let hash = String(path.hashPart)
        let found: NarInfo?
        if let remembered = known.withLock({ $0[hash] }) {
            found = remembered
        } else if let remembered = try disk?.lookUp(hash, in: address.description, directory) {
            found = remembered.info
            remember(hash, found)
        } else {
            let name = hash + ".narinfo"
            found = try objects.get(name, limit: NarInfo.sizeLimit).map {
                try NarInfo(parsing: $0, in: directory, from: "\(address)/\(name)")
            }
            if let found, found.info.path.hashPart != path.hashPart {
                throw StoreError(
                    .badCache,
                    "'\(address)/\(name)' is corrupt: it is about another object, '\(found.info.path)'")
            }
            remember(hash, found)
            try disk?.remember(found, hash, of: address.description, cacheInfo)
        }
        // The same hash under another name is another object.
        guard let found, found.info.path == path else { return nil }
        return found
    }

    func remember(_ hash: String, _ info: NarInfo?) { known.withLock { $0[hash] = .some(info) } }
}

// MARK: Reading

extension BinaryCacheStore {
    public func archive(of path: StorePath, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard let narInfo = try narInfo(of: path) else {
            throw StoreError(.notFound, "path '\(directory.print(path))' is not in the binary cache '\(address)'")
        }
        let file = "'\(address)/\(narInfo.url)'"
        guard let compression = CacheWriting.compression(named: narInfo.compression) else {
            throw StoreError(
                .unsupported,
                "\(file) is compressed with '\(narInfo.compression)', which is not supported; supported are xz, zstd, bzip2, "
                    + "gzip and none")
        }
        do {
            let raw = CheckedFile(try objects.open(narInfo.url), narInfo, file)
            let source = try DecompressingSource(raw, compression: compression)
            var hash = HashStream(.sha256)
            var size: UInt64 = 0
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
            defer { buffer.deallocate() }
            while true {
                let count = try source.read(into: buffer)
                if count == 0 { break }
                let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                size += UInt64(count)
                guard size <= narInfo.info.narSize else {
                    throw StoreError(
                        .badCache,
                        "\(file) is corrupt: it unpacks to more than the \(narInfo.info.narSize) bytes announced")
                }
                hash.update(piece)
                try sink(piece)
            }
            guard size == narInfo.info.narSize else {
                throw StoreError(
                    .badCache,
                    "\(file) is corrupt: it unpacks to \(size) bytes, not to the \(narInfo.info.narSize) announced")
            }
            let found = hash.finish()
            guard found == narInfo.info.narHash else {
                throw StoreError(
                    .badCache,
                    "\(file) is corrupt: it unpacks to an archive with the hash \(found.text(.nix32, withAlgorithm: true)), "
                        + "not \(narInfo.info.narHash.text(.nix32, withAlgorithm: true))")
            }
            try raw.checkEnd()
        } catch let error as ArchiveError { throw StoreError(.badCache, "\(file) is corrupt: \(error)") }
    }
}

extension NarInfo {
    /// Bytes that a description may have: thousands of references fit.
    static let sizeLimit = 4 << 20
}

/// A compressed archive on its way, compared with what was announced of it.
private final class CheckedFile: ByteSource {
    private let source: any ByteSource
    private let info: NarInfo
    private let name: String
    private var hash: HashStream?
    private var size: UInt64 = 0

    init(_ source: any ByteSource, _ info: NarInfo, _ name: String) {
        self.source = source
        self.info = info
        self.name = name
        hash = info.fileHash.map { HashStream($0.algorithm) }
    }

    /// What is not announced is still no more than an archive that does not compress.
    private var limit: UInt64 {
        info.fileSize ?? info.info.narSize.addingReportingOverflow(info.info.narSize / 8 + 1 << 20).partialValue
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = try source.read(into: buffer)
        size += UInt64(count)
        guard size <= limit else {
            throw StoreError(.badCache, "\(name) is corrupt: it is longer than the \(limit) bytes that it may have")
        }
        hash?.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        return count
    }

    func checkEnd() throws {
        try drain()
        if let announced = info.fileSize, announced != size {
            throw StoreError(.badCache, "\(name) is corrupt: it has \(size) bytes, not the \(announced) announced")
        }
        if let announced = info.fileHash, let found = hash?.finish(), found != announced {
            throw StoreError(
                .badCache,
                "\(name) is corrupt: its hash is \(found.text(.nix32, withAlgorithm: true)), not "
                    + announced.text(.nix32, withAlgorithm: true))
        }
    }
}
