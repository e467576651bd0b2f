import Kernel
import NixStore
import Testing

@testable import NixLocalStore

@Suite struct CheckingTests {
    private let here = FileDescriptor.currentDirectory

    private func damage(_ file: String) throws {
        // Not to be seen by its size or mode.
        let status = try here.status(of: file)
        var bytes = try here.readFile(file)
        bytes[0] ^= 1
        try here.changeMode(of: file, to: 0o644)
        try FileDescriptor.open(file, .writeOnly).writeAll(bytes)
        try here.changeMode(of: file, to: status.permissions)
    }

    @Test(arguments: [false, true]) func damageIsFoundAndRepaired(optimises: Bool) throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let tree = try fixture.tree()
        let store = try fixture.open { options in
            // The damaged file is linked to the ones that are equal to it.
            options.optimises = optimises
            options.repairs = { path, store in
                _ = try store.addTree(name: path.name, path: tree, repair: true)
            }
        }
        let path = try store.addTree(name: "tree", path: tree)
        try damage(store.layout.file(path) + "/a")
        #expect(try !store.hasSoundContents(path))
        _ = try fixture.nix.run("nix-store", ["--verify-path", store.directory.print(path)], expectsSuccess: false)
        #expect(try !store.verify(checksContents: true))
        #expect(try store.verify(checksContents: true, repairs: true))
        _ = try fixture.nix.run("nix-store", ["--verify-path", store.directory.print(path)])
    }

    @Test func whatDisappearedIsForgotten() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        let one = try store.addText(name: "one", contents: [1])
        let two = try store.addText(name: "two", contents: [2], references: [one])
        try here.removeTree(store.layout.file(one))
        #expect(try !store.verify())
        #expect(try store.isValid(one))
        try here.removeTree(store.layout.file(two))
        #expect(try store.verify())
        #expect(try store.allValidPaths() == [])
    }

    @Test func equalFilesBecomeOne() throws {
        let (ours, theirs) = (try Fixture(), try Fixture())
        defer { ours.keep() }
        defer { theirs.keep() }
        var counts: [[UInt32]] = []
        for (fixture, isOurs) in [(ours, true), (theirs, false)] {
            let store = try fixture.open()
            let one = try store.addTree(name: "one", path: try fixture.tree())
            let two = try store.addTree(name: "two", path: try fixture.tree("second"))
            if isOurs {
                let result = try store.optimise()
                #expect(result.linkedFiles == 4)
                // A second time there is nothing to do.
                #expect(try store.optimise().linkedFiles == 0)
            } else {
                _ = try fixture.nix.run("nix-store", ["--optimise"])
            }
            counts.append(
                try [one, two].flatMap { path in
                    try ["a", "bin/run", "empty/.keep", "link"].map { name in
                        try here.status(of: store.layout.file(path) + "/" + name).linkCount
                    }
                })
            let folder = try here.status(of: store.layout.file(two) + "/bin")
            #expect(folder.permissions == 0o555)
            #expect(folder.modified == Timestamp(seconds: 1))
            #expect(try store.verify(checksContents: true))
        }
        #expect(counts[0] == counts[1])
        let links = try [ours, theirs].map { fixture in
            try here.entries(of: fixture.layout.links).map(\.name).sorted()
        }
        #expect(links[0] == links[1])
    }

    @Test func aDamagedDatabaseIsNamedAndRescued() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        var paths: [StorePath] = []
        do {
            let store = try fixture.open()
            for index in 0..<200 {
                paths.append(
                    try store.addText(
                        name: "t\(index)", contents: Array("\(index)".utf8), references: Set(paths.suffix(1))))
            }
        }
        let file = fixture.layout.database + "/db.sqlite"
        // Closing has written everything to the one file; some pages in its middle go.
        let size = try here.status(of: file).size
        let descriptor = try FileDescriptor.open(file, .readWrite)
        let junk = [UInt8](repeating: 0xA5, count: 8192)
        try junk.withUnsafeBytes { buffer in
            try descriptor.pwriteAll(buffer, at: (size / 2) & ~4095)
        }
        #expect(DatabaseRescue.isNeeded(fixture.layout))
        do {
            let store = try fixture.open()
            let error = #expect(throws: StoreError.self) { try store.verify() }
            #expect(error?.reason.contains(file) == true)
            #expect(error?.reason.contains("verify --repair") == true)
        }
        let result = try DatabaseRescue.run(fixture.layout)
        #expect(here.exists(result.kept))
        #expect(!DatabaseRescue.isNeeded(fixture.layout))
        let store = try fixture.open()
        #expect(try store.allValidPaths().count == result.registered)
        #expect(result.registered + result.lost == 200)
        #expect(try store.verify(checksContents: true))
        _ = try fixture.nix.run("nix-store", ["--verify", "--check-contents"])
    }

    @Test func aFileThatIsNoDatabaseIsNamed() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        _ = try fixture.open()
        try here.writeFile(fixture.layout.database + "/db.sqlite", String(repeating: "no database ", count: 1000))
        let error = #expect(throws: StoreError.self) { try fixture.open() }
        #expect(error?.reason.contains("db.sqlite") == true)
        try here.writeFile(fixture.layout.database + "/schema", "11")
        #expect(throws: StoreError.self) { try fixture.open() }
    }

    @Test func profilesHaveGenerations() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        let paths = try (0..<3).map { try store.addText(name: "p\($0)", contents: [UInt8($0)]) }
        let profile = Profile(store.layout.profiles + "/mine", in: store)
        for path in paths { try profile.add(path) }
        try profile.add(paths[2])
        #expect(try profile.generations().all.map(\.number) == [1, 2, 3])
        #expect(try profile.switchTo(nil).to == 2)
        #expect(try here.readLinkText(profile.link) == "mine-2-link")
        #expect(throws: StoreError.self) { try profile.delete([2]) }
        #expect(try store.profiles().map(\.link) == [profile.link])
        #expect(try profile.deleteOld() == [1, 3])
        #expect(throws: StoreError.self) { try profile.switchTo(nil) }
        #expect(throws: StoreError.self) { try profile.switchTo(7) }
        #expect(try profile.add(paths[0]).number == 3)
    }

    @Test func profilesMayHaveAnyNameAndPlace() throws {
        let fixture = try Fixture()
        defer { fixture.keep() }
        let store = try fixture.open()
        let paths = try (0..<3).map { try store.addText(name: "p\($0)", contents: [UInt8($0)]) }
        let elsewhere = fixture.path + "/elsewhere"
        try here.makeDirectory(elsewhere)
        try here.makeSymbolicLink(store.layout.profiles + "/linked", to: elsewhere)
        for link in [
            store.layout.profiles + "/wörk", store.layout.profiles + "/linked/mine",
            store.layout.profiles + "/../outside",
        ] {
            let profile = Profile(link, in: store)
            for path in paths { try profile.add(path) }
            #expect(try profile.generations().all.map(\.number) == [1, 2, 3], "\(link)")
        }
        // Found by one way or another: through their own folder, or through a link in `gcroots`.
        let links = try store.roots().values.flatMap { $0 }
        for end in ["wörk-2-link", "mine-2-link", "outside-2-link"] {
            #expect(links.contains { $0.hasSuffix(end) }, "\(end): \(links)")
        }
        let last = Profile(store.layout.profiles + "/last", in: store)
        try here.makeSymbolicLink(last.link + "-\(Int.max)-link", to: store.directory.print(paths[0]))
        #expect(try last.add(paths[1]).number == 1)
    }
}
