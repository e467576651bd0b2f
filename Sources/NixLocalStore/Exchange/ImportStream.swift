import Kernel
import NixStore

/// Reads numbers, texts and archives from one stream.
struct ImportStream {
    private let input: (Int) throws -> [UInt8]
    private var buffer: [UInt8] = []

    init(input: @escaping (Int) throws -> [UInt8]) { self.input = input }

    mutating func number() throws -> UInt64 {
        try take(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func text() throws -> String {
        let count = try number()
        guard count <= 65536 else {
            throw StoreError(.badArchive, "a text of \(count) bytes in the imported stream is too long")
        }
        let bytes = try take(Int(count))
        let padding = (8 - Int(count % 8)) % 8
        guard try take(padding).allSatisfy({ $0 == 0 }) else {
            throw StoreError(.badArchive, "non-zero padding in the imported stream")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private mutating func take(_ count: Int) throws -> [UInt8] {
        while buffer.count < count {
            let piece = try input(65536)
            guard !piece.isEmpty else { throw StoreError(.badArchive, "the imported stream ends in the middle") }
            buffer += piece
        }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    /// The next archive, in a file without a name.
    mutating func archive(in directory: String) throws -> KeptArchive {
        let file: FileDescriptor
        do throws(KernelError) {
            file = try FileDescriptor.open(directory, [.readWrite, .temporary], mode: 0o600)
        } catch {
            throw StoreError(.system(error.code.rawValue), "making a temporary file in '\(directory)': \(error)")
        }
        var given: [UInt8] = []
        let first = buffer
        let more = input
        var isFirst = true
        var stream = HashStream(.sha256)
        var size: UInt64 = 0
        // A piece is kept when the next is asked for: of the last, only what belongs to the archive.
        func keep(_ bytes: [UInt8]) throws {
            stream.update(bytes)
            size += UInt64(bytes.count)
            do throws(KernelError) { try file.writeAll(bytes) } catch {
                throw StoreError(.system(error.code.rawValue), "keeping an archive while it is read: \(error.code)")
            }
        }
        let excess = try withoutActuallyEscaping(keep) { keep in
            var reader = NARReader { count in
                try keep(given)
                given = isFirst && !first.isEmpty ? first : try more(count)
                isFirst = false
                return given
            }
            var nobody = NoVisitor()
            try reader.read(&nobody)
            return reader.excess
        }
        buffer = Array(given.suffix(excess))
        try keep(Array(given.dropLast(excess)))
        return KeptArchive(file: file, hash: stream.finish(), size: size)
    }
}

/// An archive in a file without a name.
struct KeptArchive {
    let file: FileDescriptor
    let hash: Hash
    let size: UInt64

    func remove() { try? file.close() }

    func withReader(_ body: ((Int) throws -> [UInt8]) throws -> Void) throws {
        try file.seek(to: 0)
        try body { count in try file.read(count: count) }
    }
}

/// Reads an archive for nothing but its form.
private struct NoVisitor: NARVisitor {
    mutating func enterDirectory(_ path: [ByteString]) {}
    mutating func leaveDirectory(_ path: [ByteString]) {}
    mutating func symlink(_ path: [ByteString], target: [UInt8]) {}
    mutating func beginFile(_ path: [ByteString], isExecutable: Bool, size: UInt64) {}
    mutating func fileBytes(_ bytes: ArraySlice<UInt8>) {}
    mutating func endFile() {}
}
