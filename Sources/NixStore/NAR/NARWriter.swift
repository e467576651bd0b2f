/// Writes a tree as a Nix archive: a canonical form with names in order, no times, no owners, and of the permissions
/// only whether a file is executable.
///
/// A string is its length in 64 bits, little-endian, its bytes, and zeros up to the next multiple of eight.
public struct NARWriter {
    /// The first string of every archive.
    public static let magic = "nix-archive-1"

    private let source: any NARSource
    /// Says whether a path is to be in the archive; the root is not asked about. Bytes that are not UTF-8 are replaced.
    private let accepts: (String) throws -> Bool
    private let output: (UnsafeRawBufferPointer) throws -> Void

    public init(
        source: any NARSource, accepts: @escaping (String) throws -> Bool = { _ in true },
        output: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) {
        self.source = source
        self.accepts = accepts
        self.output = output
    }

    public func write(_ path: String) throws { try write(ByteString(path)) }

    public func write(_ path: ByteString) throws {
        try write(string: Self.magic)
        try writeNode(path)
    }

    private func writeNode(_ path: ByteString) throws {
        try write(string: "(")
        switch try source.kind(of: path) {
        case .regular: try writeFile(path)
        case .directory:
            try write(strings: ["type", "directory"])
            for name in try source.names(in: path).sorted() {
                let below = path.appending(name)
                guard try accepts(below.description) else { continue }
                try write(strings: ["entry", "(", "name"])
                try write(bytes: name.bytes)
                try write(string: "node")
                try writeNode(below)
                try write(string: ")")
            }
        case .symlink:
            try write(strings: ["type", "symlink", "target"])
            try write(bytes: try source.target(ofLink: path))
        case .other: throw StoreError(.badArchive, "file '\(path)' has an unsupported type")
        }
        try write(string: ")")
    }

    private func writeFile(_ path: ByteString) throws {
        try write(strings: ["type", "regular"])
        if try source.isExecutable(path) { try write(strings: ["executable", ""]) }
        try write(string: "contents")
        var announced: UInt64 = 0
        var written: UInt64 = 0
        var failure: (any Error)?
        try source.read(
            path,
            size: { size in
                announced = size
                do { try write(number: size) } catch { failure = error }
            },
            body: { bytes in
                guard failure == nil else { return }
                written += UInt64(bytes.count)
                do { try output(bytes) } catch { failure = error }
            })
        if let failure { throw failure }
        guard written == announced else {
            throw StoreError(
                .badArchive, "file '\(path)' changed while it was read: \(announced) bytes became \(written)")
        }
        try pad(Int(written % 8))
    }

    private func write(number: UInt64) throws {
        try withUnsafeBytes(of: number.littleEndian) { try output($0) }
    }

    private func write(bytes: [UInt8]) throws {
        var record: [UInt8] = []
        record.reserveCapacity(16 + bytes.count)
        withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { record.append(contentsOf: $0) }
        record.append(contentsOf: bytes)
        while !record.count.isMultiple(of: 8) { record.append(0) }
        try record.withUnsafeBytes { try output($0) }
    }

    private func write(string: String) throws { try write(bytes: Array(string.utf8)) }

    private func write(strings: [String]) throws {
        for string in strings { try write(string: string) }
    }

    private func pad(_ remainder: Int) throws {
        guard remainder != 0 else { return }
        try [UInt8](repeating: 0, count: 8 - remainder).withUnsafeBytes { try output($0) }
    }
}
