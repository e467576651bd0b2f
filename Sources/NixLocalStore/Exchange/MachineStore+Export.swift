import NixStore

// The stream of `nix-store --export`: for each object a 1, its archive, a magic number, its path, references and
// deriver, and a 0 where a signature once was; a 0 ends it. Numbers have 64 bits, little-endian.
/// "NIXE"
private let exportMagic: UInt64 = 0x4558_494e

extension MachineStore {
    /// Writes valid objects, each after what it refers to.
    public func export(_ paths: Set<StorePath>, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        for path in try sortedByReferences(paths).reversed() {
            let info = try requireInfo(of: path)
            try Self.write(1, to: sink)
            var hash = HashStream(info.narHash.algorithm)
            try archive(of: path) { bytes in
                hash.update(bytes)
                try sink(bytes)
            }
            let found = hash.finish()
            guard found == info.narHash || info.narHash == .zero(info.narHash.algorithm) else {
                throw StoreError(
                    .mismatch,
                    "hash of path '\(directory.print(path))' has changed from "
                        + "'\(info.narHash.text(.nix32, withAlgorithm: true))' to "
                        + "'\(found.text(.nix32, withAlgorithm: true))'!")
            }
            try Self.write(exportMagic, to: sink)
            try Self.write(directory.print(path), to: sink)
            try Self.write(UInt64(info.references.count), to: sink)
            for reference in info.references.sorted() { try Self.write(directory.print(reference), to: sink) }
            try Self.write(info.deriver.map(directory.print) ?? "", to: sink)
            try Self.write(0, to: sink)
        }
        try Self.write(0, to: sink)
    }

    private static func write(_ number: UInt64, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        try withUnsafeBytes(of: number.littleEndian) { try sink($0) }
    }

    private static func write(_ text: String, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        var bytes = Array(text.utf8)
        try write(UInt64(bytes.count), to: sink)
        while !bytes.count.isMultiple(of: 8) { bytes.append(0) }
        try bytes.withUnsafeBytes { try sink($0) }
    }

    /// Takes in what `export` wrote.
    /// - Parameters:
    ///   - temporaryDirectory: where archives are for a moment; the store's own directory by itself.
    ///   - input: gives at most so many bytes; an empty answer is the end.
    /// - Returns: the objects of the stream, in its order.
    public func importObjects(
        checkSignatures: Bool, temporaryDirectory: String? = nil, input: @escaping (Int) throws -> [UInt8]
    ) throws -> [StorePath] {
        var stream = ImportStream(input: input)
        var paths: [StorePath] = []
        while true {
            switch try stream.number() {
            case 0: return paths
            case 1:
                paths.append(
                    try importOne(&stream, checkSignatures: checkSignatures, temporaryDirectory ?? layout.objects))
            default:
                throw StoreError(
                    .badArchive, "input doesn't look like something created by 'nix-store --export'")
            }
        }
    }

    private func importOne(
        _ stream: inout ImportStream, checkSignatures: Bool, _ temporaryDirectory: String
    ) throws -> StorePath {
        // The path comes after the archive: unpacked aside, and then added from there.
        let archive = try stream.archive(in: temporaryDirectory)
        defer { archive.remove() }
        guard try stream.number() == exportMagic else {
            throw StoreError(.badArchive, "Nix archive cannot be imported; wrong format")
        }
        let path = try directory.parse(try stream.text())
        let count = try stream.number()
        var references: Set<StorePath> = []
        for _ in 0..<count { references.insert(try directory.parse(try stream.text())) }
        let deriver = try stream.text()
        var info = PathInfo(path: path, narHash: archive.hash, narSize: archive.size, references: references)
        info.deriver = deriver.isEmpty ? nil : try directory.parse(deriver)
        if try stream.number() == 1 { _ = try stream.text() }
        try archive.withReader { read in try add(info, checkSignatures: checkSignatures, archive: read) }
        return path
    }
}
