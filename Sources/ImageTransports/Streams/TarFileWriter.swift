import Archive
import Kernel
import OCI

/// Writes a tar archive of blobs whose sizes are only known when they have been written.
///
/// All entries have owner 0 and time 0.
struct TarFileWriter {
    private let file: FileDescriptor
    private let mode: UInt32
    private var position: Int64 = 0
    private var blobs: [Digest: Int64] = [:]

    /// What eleven octal digits can say; longer files would need another header, and its place is taken by then.
    private static let sizeLimit: Int64 = 1 << 33

    init(_ file: FileDescriptor, mode: UInt32) {
        self.file = file
        self.mode = mode
    }

    func contains(_ digest: Digest) -> Bool { blobs[digest] != nil }

    /// Writes a blob, unless it is there, and then its header in front of it.
    /// - Parameter keepsBytes: whether they are wanted back, too; then there may be 4 MiB.
    mutating func add(
        _ blob: OutgoingBlob, keepsBytes: Bool = false, name: (Digest) -> String
    ) async throws -> (Descriptor, [UInt8]) {
        let start = position
        var at = start + 512
        var kept: [UInt8] = []
        let file = file
        let descriptor = try await blob.read { stream in
            for try await buffer in stream {
                try buffer.withUnsafeReadableBytes { bytes in
                    try file.pwriteAll(bytes, at: at)
                    at += Int64(bytes.count)
                    if keepsBytes { kept.append(contentsOf: bytes) }
                }
                guard kept.count <= manifestLimit else {
                    throw TransportError(
                        .invalidImage, "the image's configuration is longer than \(manifestLimit) bytes")
                }
            }
        }
        // What is written a second time is overwritten by what follows.
        if blobs[descriptor.digest] != nil { return (descriptor, kept) }
        guard descriptor.size < Self.sizeLimit else {
            throw TransportError(
                .notSupported,
                "the layer \(descriptor.digest) has \(descriptor.size) bytes, and an archive holds files of less than 8 GiB: "
                    + "copy the image to oci: or dir: instead")
        }
        try write(header(name(descriptor.digest), size: descriptor.size), at: start)
        let padding = (512 - descriptor.size % 512) % 512
        try write([UInt8](repeating: 0, count: Int(padding)), at: at)
        position = at + padding
        blobs[descriptor.digest] = descriptor.size
        return (descriptor, kept)
    }

    mutating func add(_ name: String, _ bytes: [UInt8]) throws {
        let padding = [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
        try append(header(name, size: Int64(bytes.count)) + bytes + padding)
    }

    mutating func addLink(_ name: String, to target: String) throws {
        var entry = TarEntry(path: name, kind: .symbolicLink, mode: 0)
        entry.linkTarget = Array(target.utf8)
        try append(Self.header(of: entry))
    }

    mutating func addDirectory(_ name: String) throws {
        try append(Self.header(of: TarEntry(path: name, kind: .directory)))
    }

    /// Writes the end.
    mutating func finish() throws {
        try append([UInt8](repeating: 0, count: 1024))
        // A blob that was written a second time may reach further.
        try file.truncate(to: position)
    }

    private func header(_ name: String, size: Int64) throws -> [UInt8] {
        var entry = TarEntry(path: name, kind: .file, mode: mode)
        entry.size = size
        return try Self.header(of: entry)
    }

    private static func header(of entry: TarEntry) throws -> [UInt8] {
        let sink = MemorySink()
        try TarWriter(sink).begin(entry)
        return sink.bytes
    }

    private mutating func append(_ bytes: [UInt8]) throws {
        try write(bytes, at: position)
        position += Int64(bytes.count)
    }

    private func write(_ bytes: [UInt8], at offset: Int64) throws {
        try bytes.withUnsafeBytes { try file.pwriteAll($0, at: offset) }
    }
}
