import Archive
import Kernel
import OCI
import Registry

/// Where the files of a tar archive lie in it, so that they can be read in any order.
///
/// Nothing is unpacked: names are only compared, so that one that climbs or is absolute finds nothing.
struct TarIndex: Sendable {
    struct Part: Sendable {
        var offset: Int64
        var size: Int64
    }

    private enum Entry: Sendable {
        case file(Part)
        /// To another entry.
        case link(String)
    }

    let file: FileDescriptor
    private var entries: [String: Entry] = [:]

    /// Far more than any image has parts.
    private static let limit = 1 << 16

    /// Reads the whole archive once; one that is compressed is first decompressed into a file without a name. Blocks.
    init(_ path: String) throws {
        var file = try FileDescriptor.open(path)
        guard try file.status().type == .regular else {
            throw TransportError(.invalidInput, "\(path) is no regular file: an archive is read in no certain order")
        }
        let head = try file.pread(count: Compression.detectionLength, at: 0)
        if head.withUnsafeBytes({ Compression(detecting: $0) }) != .none {
            let plain = try SpoolFile.unnamedFile()
            let sink = DescriptorSink(plain)
            try DecompressingSource(DescriptorSource(file)).copy(to: sink)
            try sink.finish()
            file = plain
        }
        self.file = file
        let source = CountingSource(file)
        let reader = TarReader(source)
        while let entry = try reader.next() {
            let name = Self.cleaned(entry.name)
            switch entry.kind {
            case .file:
                guard entry.extents == nil else {
                    throw TransportError(
                        .notSupported, "\(path): \"\(entry.name)\" is a sparse file, which images do not hold")
                }
                entries[name] = .file(Part(offset: source.given - Int64(reader.bufferedCount), size: entry.size))
            case .symbolicLink:
                let folder = name.split(separator: "/").dropLast().joined(separator: "/")
                entries[name] = .link(Self.cleaned("\(folder)/\(entry.linkName)"))
            case .hardLink: entries[name] = .link(Self.cleaned(entry.linkName))
            default: break
            }
            guard entries.count <= Self.limit else {
                throw TransportError(.invalidImage, "\(path) has more than \(Self.limit) parts: it holds no image")
            }
        }
    }

    /// The file of a name, also through links.
    func part(_ name: String) -> Part? {
        var name = Self.cleaned(name)
        for _ in 0..<8 {
            switch entries[name] {
            case .file(let part): return part
            case .link(let target): name = target
            case nil: return nil
            }
        }
        return nil
    }

    /// A small file's content.
    func bytes(_ name: String, limit: Int) throws -> [UInt8]? {
        guard let part = part(name) else { return nil }
        guard part.size <= limit else {
            throw TransportError(.invalidImage, "\"\(name)\" has \(part.size) bytes, and may have \(limit)")
        }
        var bytes: [UInt8] = []
        while bytes.count < part.size {
            let more = try file.pread(count: Int(part.size) - bytes.count, at: part.offset + Int64(bytes.count))
            if more.isEmpty { throw TransportError(.contentMismatch, "\"\(name)\" is cut off") }
            bytes += more
        }
        return bytes
    }

    func stream(_ part: Part, from offset: Int64 = 0) -> BlobStream {
        .of(file, from: part.offset + offset, to: part.offset + part.size)
    }

    /// Without `.` and empty parts, and with `..` taken back, as far as there is something to take.
    private static func cleaned(_ name: String) -> String {
        var parts: [Substring] = []
        for part in name.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }
}

/// Reads a file from its beginning, and counts what it gave.
private final class CountingSource: ChunkSource {
    private let source: BufferedSource
    private(set) var given: Int64 = 0

    init(_ file: FileDescriptor) {
        var offset: Int64 = 0
        source = BufferedSource(
            ClosureSource { buffer in
                let count = try file.pread(into: buffer, at: offset)
                offset += Int64(count)
                return count
            })
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = try source.read(into: buffer)
        given += Int64(count)
        return count
    }

    func nextChunk() throws -> UnsafeRawBufferPointer {
        let chunk = try source.nextChunk()
        given += Int64(chunk.count)
        return chunk
    }
}
