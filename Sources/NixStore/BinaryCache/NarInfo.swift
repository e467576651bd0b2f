/// What a binary cache says of one object: what a store knows of it, and where its archive is.
///
/// The text of a file `HASH.narinfo`.
public struct NarInfo: Sendable, Equatable {
    public var info: PathInfo
    /// Where the archive is, relative to the cache; may be a whole address.
    public var url: String
    /// `none`, `xz`, `zstd` and so on, as the cache has it.
    public var compression: String
    /// The hash of the archive as it lies there, compressed.
    public var fileHash: Hash?
    /// Length of the archive as it lies there, in bytes.
    public var fileSize: UInt64?
    /// The kind of machine that it was built for.
    public var system: String?

    public init(
        _ info: PathInfo, url: String, compression: String = "xz", fileHash: Hash? = nil, fileSize: UInt64? = nil,
        system: String? = nil
    ) {
        self.info = info
        self.url = url
        self.compression = compression
        self.fileHash = fileHash
        self.fileSize = fileSize
        self.system = system
    }
}

// MARK: Reading

extension NarInfo {
    /// Reads a file's text. Fields that are not known are passed over; known ones must be right.
    /// - Parameters:
    ///   - bytes: the text, with or without its last newline.
    ///   - directory: the store that the object belongs to.
    ///   - what: the file's name, for errors.
    public init(parsing bytes: [UInt8], in directory: StoreDirectory, from what: String) throws(StoreError) {
        let label = "'\(what)'"
        let text = try KeyValueText(bytes, of: label)
        func required(_ name: String) throws(StoreError) -> String {
            guard let value = try text.value(name, of: label), !value.isEmpty else {
                throw StoreError(.badCache, "\(label) is corrupt: '\(name)' is missing")
            }
            return value
        }
        func corrupt(_ name: String, _ error: StoreError) -> StoreError {
            StoreError(.badCache, "\(label) is corrupt: '\(name)': \(error.reason)")
        }
        func hash(_ name: String, _ value: String) throws(StoreError) -> Hash {
            do { return try Hash(parsing: value) } catch { throw corrupt(name, error) }
        }
        func size(_ name: String, _ value: String) throws(StoreError) -> UInt64 {
            guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt64(value) else {
                throw StoreError(.badCache, "\(label) is corrupt: '\(name)' is no number of bytes: '\(value)'")
            }
            return number
        }
        func path(_ name: String, _ value: some StringProtocol) throws(StoreError) -> StorePath {
            do { return try StorePath(String(value)) } catch { throw corrupt(name, error) }
        }

        let objectPath: StorePath
        do { objectPath = try directory.parse(try required("StorePath")) } catch { throw corrupt("StorePath", error) }
        let narHash = try hash("NarHash", try required("NarHash"))
        guard narHash.algorithm == .sha256 else {
            throw StoreError(
                .badCache, "\(label) is corrupt: 'NarHash' is of \(narHash.algorithm.rawValue), not sha256")
        }
        let narSize = try size("NarSize", try required("NarSize"))
        guard narSize > 0 else { throw StoreError(.badCache, "\(label) is corrupt: 'NarSize' is zero") }
        var info = PathInfo(path: objectPath, narHash: narHash, narSize: narSize)
        for word in (try text.value("References", of: label) ?? "").split(separator: " ") {
            info.references.insert(try path("References", word))
        }
        if let deriver = try text.value("Deriver", of: label), !deriver.isEmpty, deriver != "unknown-deriver" {
            info.deriver = try path("Deriver", deriver)
        }
        for (name, value) in text.pairs where name == "Sig" {
            if !info.signatures.contains(value) { info.signatures.append(value) }
        }
        if let address = try text.value("CA", of: label), !address.isEmpty { info.contentAddress = address }

        self.init(info, url: try required("URL"))
        // As old as caches without the field are.
        compression = try text.value("Compression", of: label).flatMap { $0.isEmpty ? nil : $0 } ?? "bzip2"
        if let value = try text.value("FileHash", of: label) { fileHash = try hash("FileHash", value) }
        if let value = try text.value("FileSize", of: label) { fileSize = try size("FileSize", value) }
        system = try text.value("System", of: label)
    }

    /// The text, in Nix's order.
    public func text(in directory: StoreDirectory) -> String {
        var lines = ["StorePath: " + directory.print(info.path), "URL: " + url, "Compression: " + compression]
        if let fileHash { lines.append("FileHash: " + fileHash.text(.nix32, withAlgorithm: true)) }
        if let fileSize { lines.append("FileSize: \(fileSize)") }
        lines.append("NarHash: " + info.narHash.text(.nix32, withAlgorithm: true))
        lines.append("NarSize: \(info.narSize)")
        lines.append("References: " + info.references.sorted().map(\.baseName).joined(separator: " "))
        if let deriver = info.deriver { lines.append("Deriver: " + deriver.baseName) }
        if let system { lines.append("System: " + system) }
        lines += info.signatures.sorted().map { "Sig: " + $0 }
        if let address = info.contentAddress { lines.append("CA: " + address) }
        return lines.joined(separator: "\n") + "\n"
    }
}
