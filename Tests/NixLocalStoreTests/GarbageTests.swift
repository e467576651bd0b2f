import Kernel
import NixStore
import Testing

@testable import NixLocalStore

@Suite struct GarbageTests {
    /// `count` texts, each naming the one before.
    private func chain(_ store: LocalStore, _ name: String, _ count: Int) throws -> [StorePath] {
        var paths: [StorePath] = []
        for index in 0..<count {
            paths.append(
                try store.addText(
                    name: "\(name)-\(index)", contents: Array("\(name) \(index)".utf8),
                    references: Set(paths.suffix(1))))
        }
        return paths
    }

    /// The store as another process sees it, without this one's temporary roots.
    private func reopened(_ fixture: Fixture, _ body: (LocalStore) throws -> Void) throws -> LocalStore {
        do {
            let store = try fixture.open()
            try withExtendedLifetime(store) { try body(store) }
        }
        return try fixture.open()
    }

    @Test func whatRootsKeepStays() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        var (kept, dead): ([StorePath], [StorePath]) = ([], [])
        let store = try reopened(fixture) { store in
            kept = try chain(store, "kept", 4)
            dead = try chain(store, "dead", 4)
            try store.addRoot(fixture.path + "/result", to: kept[3])
        }
        let nix = fixture.nix
        let printed = { (paths: [StorePath]) in paths.map(store.directory.print).sorted() }
        #expect(try nix.lines("nix-store", ["--gc", "--print-dead"]).sorted() == printed(dead))
        #expect(try store.collect(GarbageCollection(.findDead)).paths.sorted() == printed(dead))
        #expect(try nix.lines("nix-store", ["--gc", "--print-live"]).sorted() == printed(kept))
        #expect(try store.collect(GarbageCollection(.findLive)).paths.sorted() == printed(kept))
        #expect(throws: StoreError.self) {
            try store.collect(GarbageCollection(.delete([kept[0]], ignoringLiveness: false)))
        }
        #expect(try store.collect(GarbageCollection(.deleteDead)).paths.sorted() == printed(dead))
        #expect(try store.allValidPaths() == Set(kept))
        try FileDescriptor.currentDirectory.unlink(fixture.path + "/result")
        _ = try store.collect(GarbageCollection(.deleteDead))
        #expect(try store.allValidPaths() == [])
        let left = try FileDescriptor.currentDirectory.entries(of: store.layout.objects).map(\.name)
        #expect(left == [".links"])
    }

    @Test func bothFindTheSameRoots() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try reopened(fixture) { store in
            let paths = try chain(store, "p", 3)
            let profile = Profile(store.layout.profiles + "/mine", in: store)
            try profile.add(paths[0])
            try profile.add(paths[1])
            try store.addRoot(fixture.path + "/result", to: paths[2])
        }
        let theirs = Set(try fixture.nix.lines("nix-store", ["--gc", "--print-roots"]))
        let ours = try store.roots().flatMap { path, links in
            links.map { "\($0) -> \(store.directory.print(path))" }
        }
        #expect(Set(ours) == theirs)
        #expect(theirs.count == 3)
    }

    @Test func temporaryRootsHoldBothCollectorsOff() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        try withExtendedLifetime(store) {
            let paths = try chain(store, "new", 3)
            _ = try fixture.nix.run("nix-store", ["--gc"])
            #expect(try store.allValidPaths() == Set(paths))
            _ = try store.collect(GarbageCollection(.deleteDead))
            #expect(try store.allValidPaths() == Set(paths))
        }
    }

    @Test func garbageOfKilledProcessesGoes() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        let here = FileDescriptor.currentDirectory
        try here.makeDirectory(store.layout.objects + "/00000000000000000000000000000000-half", mode: 0o700)
        try here.writeFile(
            store.layout.objects + "/00000000000000000000000000000000-half/file", "x", creating: true)
        try here.changeMode(of: store.layout.objects + "/00000000000000000000000000000000-half", to: 0o555)
        try here.writeFile(store.layout.objects + "/.tmp-link-1-2", "x", creating: true)
        try here.writeFile(
            store.layout.objects + "/00000000000000000000000000000000-half.lock", "", creating: true)
        _ = try store.collect(GarbageCollection(.deleteDead))
        #expect(try here.entries(of: store.layout.objects).map(\.name) == [".links"])
    }

    @Test func theLimitStopsACollection() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try reopened(fixture) { store in
            for index in 0..<5 { _ = try store.addText(name: "t\(index)", contents: Array(repeating: 65, count: 1000)) }
        }
        var collection = GarbageCollection(.deleteDead)
        collection.byteLimit = 1500
        let result = try store.collect(collection)
        #expect(result.paths.count == 2)
        #expect(try store.allValidPaths().count == 3)
    }

    @Test func addingWhileOthersCollectLosesNothing() async throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        let nix = fixture.nix
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<3 {
                group.addTask {
                    for round in 0..<25 {
                        let low = try store.addText(name: "low-\(writer)-\(round)", contents: [1, 2, 3])
                        let high = try store.addText(
                            name: "high-\(writer)-\(round)", contents: [4], references: [low])
                        #expect(try store.isValid(low) && store.isValid(high))
                    }
                }
            }
            group.addTask {
                for _ in 0..<6 {
                    _ = try store.collect(GarbageCollection(.deleteDead))
                    _ = try nix.run("nix-store", ["--gc"])
                }
            }
            try await group.waitForAll()
        }
        #expect(try store.allValidPaths().count == 150)
        #expect(try store.verify(checksContents: true))
    }

    @Test func keepingOutputsAndDerivations() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        var (derivation, output): (StorePath?, StorePath?)
        let store = try reopened(fixture) { store in
            var made = Derivation(name: "made")
            made.builder = "/bin/sh"
            made.system = "x86_64-linux"
            made.outputs = ["out": .deferred]
            made.environment = ["out": ""]
            try made.fillOutputPaths(in: store.directory, inputs: NoInputs())
            let path = try store.addDerivation(made)
            let out = try #require(try made.path(of: "out", in: store.directory))
            // As a builder would leave it.
            let bytes = try store.archiveBytes(of: path)
            var info = try store.requireInfo(of: path)
            info.path = out
            info.references = []
            info.contentAddress = nil
            info.deriver = path
            try store.add(info, bytes: bytes)
            (derivation, output) = (path, out)
        }
        let (drv, out) = (try #require(derivation), try #require(output))
        #expect(try store.derivers(of: out) == [drv])
        try store.addRoot(fixture.path + "/result", to: out)
        // That made a temporary root of it, too; the derivation is kept by the output alone.
        #expect(try store.collect(GarbageCollection(.findDead)).paths == [])
        var collection = GarbageCollection(.findDead)
        collection.keepsDerivations = false
        #expect(try store.collect(collection).paths == [store.directory.print(drv)])
        #expect(
            try fixture.nix.lines("nix-store", ["--gc", "--print-dead", "--option", "keep-derivations", "false"])
                == [store.directory.print(drv)])
        try store.addRoot(fixture.path + "/result", to: drv)
    }
}
