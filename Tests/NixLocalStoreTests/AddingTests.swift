import Kernel
import NixStore
import Testing

@testable import NixLocalStore

@Suite struct AddingTests {
    @Test func textIsRegisteredWithItsReferences() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        let one = try store.addText(name: "one", contents: Array("1".utf8))
        let two = try store.addText(name: "two", contents: Array("2".utf8), references: [one])
        let info = try store.requireInfo(of: two)
        #expect(info.references == [one])
        #expect(info.contentAddress?.hasPrefix("text:sha256:") == true)
        #expect(try store.referrers(of: one) == [two])
        #expect(try store.path(fromHashPart: one.hashPart) == one)
        #expect(try store.closure(of: [two]) == [one, two])
        #expect(try store.sortedByReferences([one, two]) == [two, one])
    }

    @Test func filesAreCanonical() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        let path = try store.addTree(name: "tree", path: try fixture.tree())
        let here = FileDescriptor.currentDirectory
        for (name, mode) in [("", 0o555), ("/a", 0o444), ("/bin/run", 0o555)] as [(String, UInt32)] {
            let status = try here.status(of: store.layout.file(path) + name)
            #expect(status.permissions == mode, "\(name)")
            #expect(status.modified == Timestamp(seconds: 1), "\(name)")
        }
        #expect(try here.readLinkText(store.layout.file(path) + "/link") == "bin/run")
    }

    @Test func damagedArchivesLeaveNothing() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        let tree = try store.addTree(name: "tree", path: try fixture.tree())
        let bytes = try store.archiveBytes(of: tree)
        var info = try store.requireInfo(of: tree)
        info.path = try StorePath("00000000000000000000000000000000-copy")
        info.contentAddress = nil
        var flipped = bytes
        flipped[bytes.count / 2] ^= 1
        for damaged in [flipped, Array(bytes.dropLast(8)), bytes + [UInt8](repeating: 0, count: 8), []] {
            #expect(throws: StoreError.self) { try store.add(info, bytes: damaged) }
            #expect(!FileDescriptor.currentDirectory.exists(store.layout.file(info.path)))
            #expect(try !store.isValid(info.path))
        }
        var missing = info
        missing.references = [try StorePath("11111111111111111111111111111111-missing")]
        #expect(throws: StoreError.self) { try store.add(missing, bytes: bytes) }
        #expect(!FileDescriptor.currentDirectory.exists(store.layout.file(info.path)))
        #expect(throws: StoreError.self) { try store.add(info, bytes: bytes, checkSignatures: true) }
        try store.add(info, bytes: bytes)
        #expect(try store.archiveBytes(of: info.path) == bytes)
    }

    @Test func locksExcludeEachOther() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        let path = try StorePath("00000000000000000000000000000000-x")
        let held = try store.lock([path])
        try withExtendedLifetime(held) {
            let other = try PathLocks.ifFree([path], in: store.layout)
            #expect(other == nil)
        }
    }

    @Test func hostileArchivesAreRefused() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        let file = ["(", "type", "regular", "contents", "x", ")"]
        func directory(_ entries: [(String, [String])]) -> [String] {
            ["(", "type", "directory"]
                + entries.flatMap { ["entry", "(", "name", $0.0, "node"] + $0.1 + [")"] } + [")"]
        }
        let outside = fixture.path + "/outside"
        let link = ["(", "type", "symlink", "target", fixture.path, ")"]
        let hostile: [[String]] = [
            directory([("..", file)]), directory([(".", file)]), directory([("a/b", file)]),
            directory([("", file)]), directory([("a", file), ("a", file)]), directory([("b", file), ("a", file)]),
            // A link, and then something through it.
            directory([("a", link), ("a", directory([("outside", file)]))]),
            ["(", "type", "device", ")"], ["(", "type", "symlink", "target", "", ")"],
        ]
        for (index, words) in hostile.enumerated() {
            var bytes: [UInt8] = []
            for word in [NARWriter.magic] + words {
                bytes += withUnsafeBytes(of: UInt64(word.utf8.count).littleEndian) { Array($0) }
                bytes += Array(word.utf8)
                while !bytes.count.isMultiple(of: 8) { bytes.append(0) }
            }
            let info = PathInfo(
                path: try StorePath("00000000000000000000000000000000-hostile"),
                narHash: Hash(.sha256, of: bytes), narSize: UInt64(bytes.count))
            #expect(throws: StoreError.self, "\(index)") { try store.add(info, bytes: bytes) }
            #expect(try !store.isValid(info.path))
            #expect(!FileDescriptor.currentDirectory.exists(store.layout.file(info.path)))
            #expect(!FileDescriptor.currentDirectory.exists(outside))
        }
    }

    @Test func whatOnlyRootMayGiveIsTaken() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let here = FileDescriptor.currentDirectory
        let file = try fixture.write("made/file", "x", mode: 0o4755)
        try ExtendedAttributes.set("user.secret", [1], of: file)
        var metadata = CanonicalMetadata()
        try metadata.apply(to: fixture.path + "/made")
        #expect(try here.status(of: file).permissions == 0o555)
        #expect(try ExtendedAttributes.list(of: file) == [])
        // Another user's file among them could be changed by that user later.
        try here.changeOwner(of: file, userID: 65534, groupID: 65534)
        #expect(throws: StoreError.self) { try metadata.apply(to: fixture.path + "/made") }
        try here.changeOwner(of: file, userID: 0, groupID: 0)
        try here.changeMode(of: fixture.path + "/made", to: 0o755)
        try here.makeNode(fixture.path + "/made/fifo", type: .fifo, mode: 0o644)
        #expect(throws: StoreError.self) { try metadata.apply(to: fixture.path + "/made") }
    }

    @Test func storesAreNamedAsInNix() throws {
        #expect(try StoreLayout.named("/x/y/", environment: { _ in nil }) == .chroot("/x/y"))
        #expect(try StoreLayout.named("local?root=/x", environment: { _ in nil }) == .chroot("/x"))
        #expect(try StoreLayout.named("local", environment: { _ in nil }) == .system)
        #expect(
            try StoreLayout.named("auto", environment: { $0 == "NIX_STORE_DIR" ? "/s" : nil }).objects == "/s")
        #expect(throws: StoreError.self) { try StoreLayout.named("https://cache", environment: { _ in nil }) }
        #expect(throws: StoreError.self) { try StoreLayout.named("local?root", environment: { _ in nil }) }
    }

    @Test func aChangingTreeIsRefused() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        let tree = try fixture.tree()
        let source = ChangingSource(file: tree + "/a")
        #expect(throws: StoreError.self) { try store.addTree(name: "tree", path: tree, from: source) }
        #expect(try store.allValidPaths() == [])
        let left = try FileDescriptor.currentDirectory.entries(of: store.layout.objects).map(\.name)
        #expect(left == [".links"])
    }

    /// Says something else of one file each time.
    private final class ChangingSource: NARSource {
        private let files = DirectorySource()
        private let file: String
        private var reads = 0

        init(file: String) { self.file = file }

        func kind(of path: ByteString) throws -> FileKind { try files.kind(of: path) }
        func isExecutable(_ path: ByteString) throws -> Bool { try files.isExecutable(path) }
        func target(ofLink path: ByteString) throws -> [UInt8] { try files.target(ofLink: path) }
        func names(in path: ByteString) throws -> [ByteString] { try files.names(in: path) }
        func read(_ path: ByteString, size: (UInt64) -> Void, body: (UnsafeRawBufferPointer) -> Void) throws {
            guard path.description == file else { return try files.read(path, size: size, body: body) }
            reads += 1
            let bytes = Array("\(reads)".utf8)
            size(UInt64(bytes.count))
            bytes.withUnsafeBytes(body)
        }
    }
}
