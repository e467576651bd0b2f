/// What the reader of an archive finds, in order.
public protocol NARVisitor {
    mutating func enterDirectory(_ path: [ByteString]) throws
    mutating func leaveDirectory(_ path: [ByteString]) throws
    mutating func symlink(_ path: [ByteString], target: [UInt8]) throws
    mutating func beginFile(_ path: [ByteString], isExecutable: Bool, size: UInt64) throws
    mutating func fileBytes(_ bytes: ArraySlice<UInt8>) throws
    mutating func endFile() throws
}

/// Reads a Nix archive from a stream, and refuses what is not canonical: names that are out of order, repeated, empty,
/// `.`, `..`, or hold a slash or a zero byte; padding that is not zero; lengths that the stream does not keep.
public struct NARReader {
    /// How deep directories may nest.
    public static let depthLimit = 1024
    /// The longest name, link target or keyword.
    private static let stringLimit: UInt64 = 64 * 1024

    /// Gives at most so many bytes; an empty answer is the end.
    private let input: (Int) throws -> [UInt8]
    private var buffer: [UInt8] = []
    private var at = 0

    public init(input: @escaping (Int) throws -> [UInt8]) { self.input = input }

    /// An archive in memory.
    public init(_ bytes: [UInt8]) {
        self.init { _ in [] }
        buffer = bytes
    }

    /// Reads one archive from its magic to its last parenthesis.
    public mutating func read(_ visitor: inout some NARVisitor) throws {
        guard try string() == Array(NARWriter.magic.utf8) else {
            throw StoreError(.badArchive, "input doesn't look like a Nix archive")
        }
        try node([], &visitor)
    }

    private mutating func node(_ path: [ByteString], _ visitor: inout some NARVisitor) throws {
        guard path.count <= Self.depthLimit else {
            throw StoreError(.badArchive, "archive nests deeper than \(Self.depthLimit) directories")
        }
        try expect("(")
        try expect("type")
        switch try word() {
        case "regular": try file(path, &visitor)
        case "directory": try directory(path, &visitor)
        case "symlink":
            try expect("target")
            let target = try string()
            guard !target.isEmpty, !target.contains(0) else {
                throw StoreError(.badArchive, "bad link target in archive")
            }
            try visitor.symlink(path, target: target)
            try expect(")")
        case let other: throw StoreError(.badArchive, "unknown file type '\(other)' in archive")
        }
    }

    private mutating func file(_ path: [ByteString], _ visitor: inout some NARVisitor) throws {
        var isExecutable = false
        var tag = try word()
        if tag == "executable" {
            isExecutable = true
            try expect("")
            tag = try word()
        }
        guard tag == "contents" else {
            throw StoreError(.badArchive, "expected 'contents' in archive, found '\(tag)'")
        }
        let size = try number()
        try visitor.beginFile(path, isExecutable: isExecutable, size: size)
        var left = size
        while left > 0 {
            if at == buffer.count { try refill() }
            let count = Int(min(left, UInt64(buffer.count - at)))
            try visitor.fileBytes(buffer[at..<at + count])
            at += count
            left -= UInt64(count)
        }
        try padding(after: size)
        try visitor.endFile()
        try expect(")")
    }

    private mutating func directory(_ path: [ByteString], _ visitor: inout some NARVisitor) throws {
        try visitor.enterDirectory(path)
        var previous: ByteString?
        while true {
            let tag = try word()
            if tag == ")" { break }
            guard tag == "entry" else { throw StoreError(.badArchive, "expected 'entry' in archive, found '\(tag)'") }
            try expect("(")
            try expect("name")
            let name = ByteString(try string())
            guard !name.isEmpty, name != ".", name != "..", !name.bytes.contains(UInt8(ascii: "/")),
                !name.bytes.contains(0)
            else { throw StoreError(.badArchive, "archive contains invalid file name '\(name)'") }
            if let previous, name <= previous {
                throw StoreError(.badArchive, "archive's directory is not sorted: '\(name)' after '\(previous)'")
            }
            previous = name
            try expect("node")
            try node(path + [name], &visitor)
            try expect(")")
        }
        try visitor.leaveDirectory(path)
    }

    /// How many bytes after the archive's end have been taken from the input.
    public var excess: Int { buffer.count - at }

    // MARK: The stream

    private mutating func refill() throws {
        buffer = try input(64 * 1024)
        at = 0
        guard !buffer.isEmpty else { throw StoreError(.badArchive, "archive ends in the middle") }
    }

    private mutating func take(_ count: Int) throws -> [UInt8] {
        var result: [UInt8] = []
        while result.count < count {
            if at == buffer.count { try refill() }
            let piece = min(count - result.count, buffer.count - at)
            result.append(contentsOf: buffer[at..<at + piece])
            at += piece
        }
        return result
    }

    private mutating func number() throws -> UInt64 {
        try take(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private mutating func padding(after count: UInt64) throws {
        let remainder = Int(count % 8)
        guard remainder != 0 else { return }
        guard try take(8 - remainder).allSatisfy({ $0 == 0 }) else {
            throw StoreError(.badArchive, "non-zero padding in archive")
        }
    }

    private mutating func string() throws -> [UInt8] {
        let count = try number()
        guard count <= Self.stringLimit else {
            throw StoreError(.badArchive, "a string of \(count) bytes in archive is too long")
        }
        let bytes = try take(Int(count))
        try padding(after: count)
        return bytes
    }

    private mutating func word() throws -> String { String(decoding: try string(), as: UTF8.self) }

    private mutating func expect(_ text: String) throws {
        let found = try word()
        guard found == text else {
            throw StoreError(.badArchive, "expected '\(text)' in archive, found '\(found)'")
        }
    }
}
