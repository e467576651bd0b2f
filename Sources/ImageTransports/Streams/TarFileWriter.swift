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
        // That of 8 GiB and more does not fit into the place that was kept for it.
        let header = try header(name(descriptor.digest), size: descriptor.size)
        let content = start + Int64(header.count)
        if content > start + 512 { try file.moveBytes(at: start + 512, count: descriptor.size, to: content) }
        try write(header, at: start)
        let padding = (512 - descriptor.size % 512) % 512
        try write([UInt8](repeating: 0, count: Int(padding)), at: content + descriptor.size)
        position = content + descriptor.size + padding
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
        var options = TarWriteOptions()
        options.writesExtendedHeadersAsGo = true
        try TarWriter(sink, options: options).begin(entry)
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

extension FileDescriptor {
    /// Moves bytes towards the end, from the last to the first, so that none is overwritten before it is read.
    func moveBytes(at start: Int64, count: Int64, to target: Int64) throws {
        var left = count
        while left > 0 {
            let piece = min(left, Int64(pieceSize))
            let bytes = try pread(count: Int(piece), at: start + left - piece)
            guard bytes.count == piece else {
                throw TransportError(.system, "a file that is being written became shorter meanwhile")
            }
            try bytes.withUnsafeBytes { try pwriteAll($0, at: target + left - piece) }
            left -= piece
        }
    }
}
