import NixStore
import Testing

/// A tree in memory.
struct TreeSource: NARSource {
    indirect enum Node {
        case file([UInt8], isExecutable: Bool)
        case directory([String: Node])
        case link(String)
    }

    let root: Node

    private func node(_ path: ByteString) -> Node {
        path.description.split(separator: "/").reduce(root) { node, name in
            if case .directory(let entries) = node { entries[String(name)]! } else { node }
        }
    }

    func kind(of path: ByteString) -> FileKind {
        switch node(path) {
        case .file: .regular
        case .directory: .directory
        case .link: .symlink
        }
    }

    func isExecutable(_ path: ByteString) -> Bool {
        if case .file(_, let isExecutable) = node(path) { isExecutable } else { false }
    }

    func target(ofLink path: ByteString) -> [UInt8] {
        if case .link(let target) = node(path) { Array(target.utf8) } else { [] }
    }

    func names(in path: ByteString) -> [ByteString] {
        if case .directory(let entries) = node(path) { entries.keys.map { ByteString($0) } } else { [] }
    }

    func read(_ path: ByteString, size: (UInt64) -> Void, body: (UnsafeRawBufferPointer) -> Void) {
        guard case .file(let bytes, _) = node(path) else { return }
        size(UInt64(bytes.count))
        bytes.withUnsafeBytes(body)
    }
}

/// Writes down what a reader finds.
struct Recorder: NARVisitor {
    var events: [String] = []
    var bytes: [UInt8] = []

    private func name(_ path: [ByteString]) -> String { path.map(\.description).joined(separator: "/") }
    mutating func enterDirectory(_ path: [ByteString]) { events.append("dir \(name(path))") }
    mutating func leaveDirectory(_ path: [ByteString]) { events.append("end \(name(path))") }
    mutating func symlink(_ path: [ByteString], target: [UInt8]) {
        events.append("link \(name(path)) \(String(decoding: target, as: UTF8.self))")
    }
    mutating func beginFile(_ path: [ByteString], isExecutable: Bool, size: UInt64) {
        events.append("file \(name(path)) \(isExecutable) \(size)")
    }
    mutating func fileBytes(_ bytes: ArraySlice<UInt8>) { self.bytes += bytes }
    mutating func endFile() {}
}

func archive(_ root: TreeSource.Node) throws -> [UInt8] {
    final class Sink { var bytes: [UInt8] = [] }
    let sink = Sink()
    try NARWriter(source: TreeSource(root: root)) { sink.bytes.append(contentsOf: $0) }.write("/")
    return sink.bytes
}

@Suite struct NARTests {
    private let tree = TreeSource.Node.directory([
        "b": .file(Array("hello".utf8), isExecutable: true),
        "a": .directory(["x": .link("../b")]),
        "B": .file([], isExecutable: false),
    ])

    @Test func readsWhatItWrites() throws {
        var recorder = Recorder()
        var reader = NARReader(try archive(tree))
        try reader.read(&recorder)
        #expect(
            recorder.events == [
                "dir ", "file B false 0", "dir a", "link a/x ../b", "end a", "file b true 5", "end ",
            ])
        #expect(recorder.bytes == Array("hello".utf8))
    }

    @Test func readsFromAStreamOfSmallPieces() throws {
        final class Source {
            var rest: ArraySlice<UInt8>
            init(_ bytes: [UInt8]) { rest = bytes[...] }
            func next(_ count: Int) -> [UInt8] {
                defer { rest = rest.dropFirst(3) }
                return Array(rest.prefix(3))
            }
        }
        let source = Source(try archive(tree))
        var recorder = Recorder()
        var reader = NARReader(input: source.next)
        try reader.read(&recorder)
        #expect(recorder.events.count == 7)
    }

    @Test func endsCutShortAreErrors() throws {
        let whole = try archive(tree)
        for length in stride(from: 0, to: whole.count, by: 8) {
            var recorder = Recorder()
            var reader = NARReader(Array(whole[..<length]))
            #expect(throws: StoreError.self) { try reader.read(&recorder) }
        }
    }

    /// An archive with one name in it replaced by another of the same length.
    private func renamed(_ entries: [String: TreeSource.Node], _ from: String, _ to: String) throws -> [UInt8] {
        var bytes = try archive(.directory(entries))
        let pattern = Array(from.utf8)
        let at = bytes.indices.first { bytes[$0...].starts(with: pattern) }!
        bytes.replaceSubrange(at..<at + pattern.count, with: Array(to.utf8))
        return bytes
    }

    @Test func refusesWhatIsNotCanonical() throws {
        let file = TreeSource.Node.file([1], isExecutable: false)
        let hostile = [
            try renamed(["XX": file], "XX", ".."), try renamed(["X": file], "X", "."),
            try renamed(["XXX": file], "XXX", "a/b"), try renamed(["XXX": file], "XXX", "a\0b"),
            try renamed(["QQ": file, "RR": file], "RR", "QQ"), try renamed(["QQ": file, "RR": file], "RR", "AA"),
            try renamed(["a": file], "regular", "regulax"), try renamed(["a": file], "nix-archive-1", "nix-archive-2"),
        ]
        for bytes in hostile {
            var recorder = Recorder()
            var reader = NARReader(bytes)
            #expect(throws: StoreError.self) { try reader.read(&recorder) }
        }
        // Padding that is not zero.
        var padded = try archive(file)
        padded[padded.lastIndex(of: 1)! + 1] = 7
        var recorder = Recorder()
        var reader = NARReader(padded)
        #expect(throws: StoreError.self) { try reader.read(&recorder) }
    }

    @Test func refusesToNestWithoutEnd() throws {
        var node = TreeSource.Node.directory([:])
        for _ in 0..<NARReader.depthLimit + 1 { node = .directory(["d": node]) }
        var recorder = Recorder()
        var reader = NARReader(try archive(node))
        #expect(throws: StoreError.self) { try reader.read(&recorder) }
    }
}
