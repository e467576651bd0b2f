import Kernel
import NixStore
import Synchronization
import Testing

@testable import NixLocalStore

/// The same store, seen by this module and by Debian's Nix.
@Suite struct AgainstNixTests {
    /// A few objects that refer to each other, with a derivation among them.
    private func fill(_ store: LocalStore, _ fixture: Fixture) throws -> [StorePath] {
        let one = try store.addText(name: "one", contents: Array("1\n".utf8))
        let two = try store.addText(name: "two", contents: Array("see one\n".utf8), references: [one])
        let tree = try store.addTree(name: "tree", path: try fixture.tree())
        let flat = try store.addTree(
            name: "flat", path: try fixture.write("file", "flat\n"), method: .flat, algorithm: .sha512)
        var derivation = Derivation(name: "made")
        derivation.system = "x86_64-linux"
        derivation.builder = "/bin/sh"
        derivation.inputSources = [two, tree]
        derivation.outputs = ["out": .deferred, "dev": .deferred]
        derivation.environment = ["name": "made", "out": "", "dev": ""]
        try derivation.fillOutputPaths(in: store.directory, inputs: NoInputs())
        return [one, two, tree, flat, try store.addDerivation(derivation)]
    }

    @Test func nixAcceptsAStoreMadeHere() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        let paths = try fill(store, fixture)
        let nix = fixture.nix
        _ = try nix.run("nix-store", ["--verify", "--check-contents"])
        _ = try nix.run("nix-store", ["--verify-path"] + paths.map(store.directory.print))
        #expect(try nix.lines("nix-store", ["--dump-db"]).count > 0)
        for path in paths {
            let name = store.directory.print(path)
            let requisites = try nix.lines("nix-store", ["-qR", name])
            #expect(
                try requisites
                    == store.sortedByReferences(store.closure(of: [path])).reversed().map(store.directory.print))
            #expect(
                try nix.lines("nix-store", ["-q", "--referrers", name])
                    == store.sortedByReferences(store.referrers(of: path)).reversed().map(store.directory.print))
            #expect(
                try nix.lines("nix-store", ["-q", "--hash", name])
                    == [store.requireInfo(of: path).narHash.text(.nix32, withAlgorithm: true)])
        }
        let drv = try #require(paths.last)
        #expect(
            try nix.lines("nix-store", ["-q", "--outputs", store.directory.print(drv)])
                == store.outputs(of: drv).values.sorted().map(store.directory.print))
    }

    @Test func bothWriteTheSameRows() throws {
        let (ours, theirs) = (try Fixture(), try Fixture())
        defer { ours.keep() }
        defer { theirs.keep() }
        let store = try ours.open()
        let tree = try ours.tree()
        let file = try ours.write("file", "text\n")
        _ = try store.addTree(name: "tree", path: tree)
        _ = try store.addTree(name: "file", path: file, method: .flat, algorithm: .sha256)
        _ = try store.addTree(name: "file", path: file, method: .flat, algorithm: .md5)
        _ = try store.addTree(name: "tree", path: tree, algorithm: .sha1)
        _ = try theirs.nix.run("nix-store", ["--add", tree])
        _ = try theirs.nix.run("nix-store", ["--add-fixed", "sha256", file])
        _ = try theirs.nix.run("nix-store", ["--add-fixed", "md5", file])
        _ = try theirs.nix.run("nix-store", ["--add-fixed", "--recursive", "sha1", tree])
        #expect(try ours.nix.rows() == theirs.nix.rows())
        #expect(try ours.nix.rows().count == 4)
    }

    @Test func aStoreMadeByNixIsReadHere() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let tree = try fixture.tree()
        let names = try fixture.nix.lines("nix-store", ["--add", tree])
        let store = try fixture.open()
        let path = try store.directory.parse(try #require(names.first))
        #expect(try store.isValid(path))
        #expect(try store.verify(checksContents: true))
        #expect(try store.archiveBytes(of: path) == fixture.nix.run("nix-store", ["--dump", store.layout.file(path)]))
        #expect(try store.isContentAddressed(store.requireInfo(of: path)))
        #expect(try store.addTree(name: "tree", path: tree) == path)
    }

    @Test func bothAddAtTheSameTime() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        var children: [Subprocess] = []
        let rounds = 12
        let shared = try fixture.tree("shared")
        for round in 0..<rounds {
            let own = try fixture.write("own-\(round)", "of nix \(round)\n")
            var configuration = fixture.nix.configuration("nix-store", ["--add", shared, own])
            configuration.descriptors[1] = try FileDescriptor.open("/dev/null", .writeOnly)
            configuration.descriptors[2] = try FileDescriptor.open("/dev/null", .writeOnly)
            children.append(try Subprocess.spawn(configuration))
            _ = try store.addTree(name: "shared", path: shared)
            _ = try store.addText(name: "mine-\(round)", contents: Array("\(round)".utf8))
        }
        for child in children { #expect(try child.wait().isSuccess) }
        #expect(try store.allValidPaths().count == 1 + 2 * rounds)
        _ = try fixture.nix.run("nix-store", ["--verify", "--check-contents"])
        let left = try FileDescriptor.currentDirectory.entries(of: store.layout.objects).map(\.name)
        #expect(left.filter { $0.hasSuffix(".lock") } == [])
    }

    @Test func exportsAreTheSameBytesAndComeBack() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        let paths = try store.closure(of: fill(store, fixture))
        var bytes: [UInt8] = []
        try store.export(paths) { bytes += $0 }
        let theirs = try fixture.nix.run("nix-store", ["--export"] + paths.map(store.directory.print))
        #expect(bytes == theirs)

        let other = try Fixture()
        defer { other.keep() }
        let copy = try other.open()
        var at = 0
        let imported = try copy.importObjects(checkSignatures: false) { count in
            // In small pieces, so that archives end in the middle of one.
            let end = min(at + min(count, 1000), bytes.count)
            defer { at = end }
            return Array(bytes[at..<end])
        }
        #expect(Set(imported) == paths)
        #expect(try copy.verify(checksContents: true))
        _ = try other.nix.run("nix-store", ["--verify", "--check-contents"])

        let third = try Fixture()
        defer { third.keep() }
        _ = try third.nix.run("nix-store", ["--import"], input: bytes)
        #expect(try third.nix.rows() == other.nix.rows())
    }

    @Test func registrationsAreTheSameText() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        _ = try fill(store, fixture)
        let infos = try store.allValidPaths().sorted().map(store.requireInfo)
        let text = ValidityText.write(infos, in: store.directory)
        let theirs = String(decoding: try fixture.nix.run("nix-store", ["--dump-db"]), as: UTF8.self)
        #expect(Set(text.split(separator: "\n")) == Set(theirs.split(separator: "\n")))
        let read = try ValidityText.read(theirs, hasHashes: true, in: store.directory) { _ in
            throw StoreError(.badHash, "hashes are in the text")
        }
        #expect(Set(read.map(\.path)) == Set(infos.map(\.path)))
    }
}
