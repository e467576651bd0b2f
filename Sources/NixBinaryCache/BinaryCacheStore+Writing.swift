import Archive
import JSON
import Kernel
import NixStore

/// How a cache's address wants it written.
struct CacheWriting: Sendable {
    var compression = Compression.xz
    var level: Int?
    var signingKey: SigningKey?
    var writesListing: Bool

    init(_ address: CacheAddress) throws {
        writesListing = address.isSet("write-nar-listing")
        if let name = address.parameters["compression"] {
            guard let compression = Self.compression(named: name) else {
                throw StoreError(
                    .unsupported,
                    "compression '\(name)' is not supported; supported are xz, zstd, bzip2, gzip and none")
            }
            self.compression = compression
        }
        if let text = address.parameters["compression-level"], text != "-1" {
            guard let level = Int(text) else {
                throw StoreError(.badCache, "the parameter 'compression-level' is no number: '\(text)'")
            }
            self.level = level
        }
        if let path = address.parameters["secret-key"] { signingKey = try SigningKey(readingFileAt: path) }
    }

    /// - Returns: `nil` for one that is not supported.
    static func compression(named name: String) -> Compression? {
        switch name {
        case "none", "": Compression.none
        default: Compression(rawValue: name).flatMap { $0 == .none ? nil : $0 }
        }
    }

    /// What an archive's name ends with.
    var suffix: String {
        switch compression {
        case .none: ""
        case .gzip: ".gz"
        case .zstd: ".zst"
        case .xz: ".xz"
        case .bzip2: ".bz2"
        }
    }
}

extension SigningKey {
    /// Reads a file that holds a secret key.
    public init(readingFileAt path: String) throws {
        let text: String
        do { text = try FileDescriptor.currentDirectory.readText(path, limit: 64 << 10) } catch {
            throw StoreError(.badSignature, "cannot read the secret key '\(path)': \(error.code)")
        }
        try self.init(parsing: text)
    }
}

extension BinaryCacheStore {
    /// Puts an object into the cache: its archive, a listing where wanted, at last its description.
    ///
    /// A cache has no trusted keys: it holds what it is given, with its signatures and, where the address names a key,
    /// one more.
    public func add(_ info: PathInfo, checkSignatures: Bool, archive: (Int) throws -> [UInt8]) throws {
        if try narInfo(of: info.path) != nil { return }
        for reference in info.references.sorted() where reference != info.path {
            guard try narInfo(of: reference) != nil else {
                throw StoreError(
                    .notFound,
                    "cannot add '\(directory.print(info.path))' to the binary cache '\(address)': its reference "
                        + "'\(directory.print(reference))' is not there")
            }
        }
        let hash = String(info.path.hashPart)
        let staging = objects.stagingDirectory
        try FileDescriptor.currentDirectory.makeDirectories(staging)
        let staged = "\(staging)/.\(hash).\(randomHexadecimal(bytes: 6))"
        var isMoved = false
        defer { if !isMoved { try? DirectoryObjects.remove(staged) } }
        let (fileHash, fileSize, listing) = try compress(info, archive, into: staged)
        var result = NarInfo(
            info, url: "nar/\(fileHash.text(.nix32)).nar\(writing.suffix)", compression: writing.compression.rawValue,
            fileHash: fileHash, fileSize: fileSize)
        if let key = writing.signingKey { try result.info.sign(with: key, in: directory) }
        try objects.put(result.url, fileAt: staged)
        isMoved = true
        if writing.writesListing {
            let root = JSONObject([("root", listing), ("version", .integer(1))])
            try objects.put(hash + ".ls", JSONValue.object(root).bytes())
        }
        try objects.put(hash + ".narinfo", Array(result.text(in: directory).utf8))
        remember(hash, result)
    }

    public func addSignatures(_ signatures: [String], to path: StorePath) throws {
        guard var info = try narInfo(of: path) else {
            throw StoreError(.notFound, "path '\(directory.print(path))' is not in the binary cache '\(address)'")
        }
        for signature in signatures where !info.info.signatures.contains(signature) {
            info.info.signatures.append(signature)
        }
        let hash = String(path.hashPart)
        try objects.put(hash + ".narinfo", Array(info.text(in: directory).utf8))
        remember(hash, info)
    }

    /// Compresses an archive into a file; it must be what `info` says.
    private func compress(
        _ info: PathInfo, _ archive: (Int) throws -> [UInt8], into path: String
    ) throws -> (hash: Hash, size: UInt64, listing: JSONValue) {
        let file = try FileDescriptor.open(path, [.writeOnly, .create, .exclusive, .noFollow], mode: 0o600)
        var (fileHash, fileSize) = (HashStream(.sha256), UInt64(0))
        let tee = TeeSink(DescriptorSink(file)) { bytes in
            fileHash.update(bytes)
            fileSize += UInt64(bytes.count)
        }
        let sink = try CompressingSink(tee, writing.compression, level: writing.level)
        var (narHash, narSize) = (HashStream(.sha256), UInt64(0))
        func next(_ limit: Int) throws -> [UInt8] {
            let bytes = try archive(limit)
            narSize += UInt64(bytes.count)
            guard narSize <= info.narSize else { throw mismatch(info, "longer than its \(info.narSize) bytes") }
            narHash.update(bytes)
            try sink.write(bytes)
            return bytes
        }
        var listing = ArchiveListing()
        try withoutActuallyEscaping(next) { next in
            var reader = NARReader(input: next)
            try reader.read(&listing)
        }
        // What follows an archive is part of neither its size nor its hash.
        while try !next(64 << 10).isEmpty {}
        try sink.finish()
        guard narSize == info.narSize else { throw mismatch(info, "\(narSize) bytes long, not \(info.narSize)") }
        let found = narHash.finish()
        guard found == info.narHash else {
            throw mismatch(info, "of the hash \(found.text(.nix32)), not \(info.narHash.text(.nix32))")
        }
        return (fileHash.finish(), fileSize, listing.root)
    }

    private func mismatch(_ info: PathInfo, _ what: String) -> StoreError {
        StoreError(
            .badArchive, "cannot add '\(directory.print(info.path))' to '\(address)': the archive that came is \(what)")
    }
}
