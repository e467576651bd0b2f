import Archive
import Hashing
import JSON
import Kernel
import OCI

/// What an archive of images holds, after it has been read once from beginning to end: its documents in memory, and
/// everything that can be a layer in the content store.
///
/// Which blobs are layers is only known when the last document has been read, and `manifest.json` is usually the last
/// entry; so a stream's blobs are kept as they come, and looked at afterwards.
struct ImageArchive {
    enum Item {
        case document([UInt8])
        case blob(Digest)
        /// To another entry.
        case link(String)
    }

    private(set) var items: [String: Item] = [:]
    /// The blobs that this archive brought; they go again when the load fails.
    private(set) var brought: [Digest] = []
    private(set) var leases: [Leases.Lease] = []
    private var documentBytes = 0

    /// Larger than any real manifest or configuration.
    private static let documentLimit = 4 << 20
    private static let documentsLimit = 128 << 20
    private static let itemLimit = 65536

    /// Reads an archive into `context`'s content store.
    /// - Parameter brought: filled also when reading fails, so that the caller can remove what came until then.
    mutating func read(_ input: FileDescriptor, into context: Context) throws {
        let reader = TarReader(try DecompressingSource(DescriptorSource(input)))
        while let entry = try reader.next() {
            guard let path = Self.cleaned(entry.name) else { continue }
            switch entry.kind {
            case .file:
                if let item = try read(entry, at: path, from: reader, into: context) { try keep(item, at: path) }
            case .symbolicLink:
                let folder = path.splitBytes("/").dropLast().joined(separator: "/")
                if let target = Self.cleaned("\(folder)/\(entry.linkName)") { try keep(.link(target), at: path) }
            case .hardLink:
                if let target = Self.cleaned(entry.linkName) { try keep(.link(target), at: path) }
            default: break
            }
        }
        try reader.drain()
    }

    private mutating func keep(_ item: Item, at path: String) throws {
        items[path] = item
        guard items.count <= Self.itemLimit else {
            throw StorageError(.invalidInput, "the archive has more than \(Self.itemLimit) parts: it holds no image")
        }
    }

    private mutating func read(
        _ entry: TarEntry, at path: String, from reader: TarReader, into context: Context
    ) throws -> Item? {
        let content = reader.content
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { buffer.deallocate() }
        var filled = 0
        // A header's worth tells a document from a layer.
        while filled < 512, filled < entry.size {
            let count = try content.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
            if count == 0 { break }
            filled += count
        }
        let head = UnsafeRawBufferPointer(rebasing: buffer[..<filled])
        if entry.size <= Self.documentLimit, Self.looksLikeJSON(head) {
            documentBytes += Int(entry.size)
            guard documentBytes <= Self.documentsLimit else {
                throw StorageError(.invalidInput, "the archive has more than \(Self.documentsLimit) bytes of documents")
            }
            return .document(Array(head) + (try content.readAll(limit: Self.documentLimit)))
        }
        guard Self.canBeLayer(path) else { return nil }
        let promised = Self.digest(from: path)
        if let promised {
            // The lease comes first, then the question whether the blob is there.
            leases.append(context.leases.take(promised.description))
            if try context.content.size(of: promised) == entry.size { return .blob(promised) }
        }
        let limit = context.options.limits.bytes
        guard entry.size <= limit else {
            throw StorageError(
                .limitExceeded, "the layer \(path) has \(entry.size) bytes, and the limit is \(limit) bytes a layer")
        }
        let ingest = try context.content.ingest(promised?.algorithm ?? .sha256)
        try ingest.write(head)
        while true {
            let count = try content.read(into: buffer)
            if count == 0 { break }
            try ingest.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
        let digest = try ingest.commit(expected: promised, expectedSize: entry.size) { digest in
            leases.append(context.leases.take(digest.description))
            brought.append(digest)
        }
        return .blob(digest)
    }

    // MARK: Names

    /// A path without `.` and empty components; `nil` when it would lead out of the archive.
    private static func cleaned(_ path: String) -> String? {
        var parts: [Substring] = []
        for part in path.splitBytes("/") where part != "." {
            if part == ".." {
                if parts.popLast() == nil { return nil }
            } else {
                parts.append(part)
            }
        }
        return parts.isEmpty ? nil : parts.joined(separator: "/")
    }

    /// JSON begins with a brace or a bracket; a tar whose first file is called so has its magic at byte 257.
    private static func looksLikeJSON(_ head: UnsafeRawBufferPointer) -> Bool {
        guard let first = head.first(where: { ![0x20, 0x0A, 0x0D, 0x09].contains($0) }),
            first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
        else { return false }
        return head.count < 262 || !head[257..<262].elementsEqual("ustar".utf8)
    }

    /// Whether some tool puts layers where this path is: anything else (a root file system given to `load` by
    /// mistake, say) is not worth its space.
    private static func canBeLayer(_ path: String) -> Bool {
        let parts = path.splitBytes("/")
        guard parts.count <= 3, let last = parts.last else { return false }
        if parts.count == 3 { return parts[0] == "blobs" && digest(from: path) != nil }
        let name = last.hasPrefix("sha256:") ? last.dropFirst(7) : last
        if name.utf8.count == 64, Digest.isHex(name) { return true }
        return [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2"].contains { last.hasSuffix($0) }
    }

    /// The digest that a path in an OCI layout promises.
    private static func digest(from path: String) -> Digest? {
        let parts = path.splitBytes("/")
        guard parts.count == 3, parts[0] == "blobs" else { return nil }
        return try? Digest("\(parts[1]):\(parts[2])")
    }

    private func item(_ path: String) -> Item? {
        var path = path
        // Chains of links are short; a circle ends here.
        for _ in 0..<16 {
            guard let item = items[Self.cleaned(path) ?? ""] else { return nil }
            guard case .link(let target) = item else { return item }
            path = target
        }
        return nil
    }

    func has(_ path: String) -> Bool { items[path] != nil }

    func document(_ path: String) -> [UInt8]? {
        if case .document(let bytes) = item(path) { bytes } else { nil }
    }

    func blob(_ path: String) -> Digest? {
        if case .blob(let digest) = item(path) { digest } else { nil }
    }

    /// A document of an OCI layout, checked against its digest; `nil` when the archive lacks it.
    func document(_ descriptor: Descriptor) throws -> [UInt8]? {
        guard let bytes = document(ImageLayout.blobPath(descriptor.digest)) else { return nil }
        try Self.check(bytes, descriptor.digest)
        return bytes
    }

    static func check(_ bytes: [UInt8], _ expected: Digest) throws {
        let digest = try ContentHash.digest(of: bytes, expected.algorithm)
        guard digest == expected else {
            throw StorageError(
                .digestMismatch, "the document \(expected) has the digest \(digest): it is damaged or was exchanged")
        }
    }
}

/// An image that an archive holds.
struct ArchivedImage {
    var configBytes: [UInt8]
    var config: ImageConfig
    /// The blobs of the layers, lowest first.
    var blobs: [Digest]
    var manifest: (type: String, bytes: [UInt8])?
    var references: [ImageReference]

    var id: Digest { get throws { try ContentHash.digest(of: configBytes) } }
}
