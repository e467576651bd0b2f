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
}
