import Archive
import Kernel
import Testing

/// Archives that try to write outside. Each is unpacked in every mode into `target`, beside a file that must not change.
@Suite struct HostileUnpackTests {
    private struct Site {
        let top: TemporaryDirectory
        let target: FileDescriptor

        init() throws {
            top = try TemporaryDirectory()
            target = try top.make("target")
            _ = try top.make("outside")
            try top.write("outside/secret", "untouched")
        }

        func isIntact() throws -> Bool {
            let names = Set(try top.descriptor.entries(of: ".").map(\.name))
            let outside = try top.descriptor.entries(of: "outside").map(\.name)
            return top.read("outside/secret") == "untouched" && top.status("outside/secret")?.linkCount == 1
                && top.status("outside/secret")?.permissions == 0o644 && names == ["target", "outside"]
                && top.status("target")?.isDirectory == true
                && outside == ["secret"]
        }
    }

    static let modes: [UnpackOptions.Whiteouts] = [.none, .delete, .overlay]

    static let escapes: [[(TarEntry, [UInt8])]] = [
        [file("../outside/secret", "bad")],
        [file("../../etc/passwd", "bad")],
        [file("a/../../outside/secret", "bad")],
        [file("/../outside/secret", "bad")],
        [directory("..")],
        [file(".."), file("x")],
        [file(".", "not a directory")],
        [link("x", to: "../outside"), file("x/secret", "bad")],
        [link("x", to: "/outside-that-is-not-there"), file("x/secret", "bad")],
        [link("x", to: "/nowhere"), directory("x/sub"), file("x/sub/secret")],
        [directory("d"), link("d", to: "../outside"), file("d/secret", "bad")],
        [directory("d"), file("d/1"), link("d", to: "../outside"), file("d/secret", "bad")],
        [link("h", to: "../outside/secret", .hardLink), file("h", "bad")],
        [link("h", to: "/../outside/secret", .hardLink)],
        [link("x", to: "../outside"), link("h", to: "x/secret", .hardLink), file("h", "bad")],
        [link("h", to: "missing", .hardLink)],
        [link("x", to: "x"), file("x/y")],
        [link("x", to: "y"), link("y", to: "x"), file("x/y")],
        [file("f"), file("f/g")],
        [file("f"), link("f", to: "f", .hardLink)],
    ]

    @Test(arguments: modes, 0..<20) func refused(_ mode: UnpackOptions.Whiteouts, _ index: Int) throws {
        let site = try Site()
        let bytes = try tar(Self.escapes[index])
        #expect("\(mode) \(index)") {
            try unpack(bytes, into: site.target, .init(whiteouts: mode))
        } throws: { error in
            guard let error = error as? ArchiveError else { return false }
            return error.message.contains("\"")
        }
        #expect(try site.isIntact())
    }

    @Test func theReasonIsNamed() throws {
        let site = try Site()
        for (archive, words) in [
            ([file("../../etc/passwd")], ["../../etc/passwd", "outside"]),
            ([link("x", to: "../outside"), file("x/secret")], ["symbolic link \"x\"", "refused"]),
            ([link("h", to: "../outside/secret", .hardLink)], ["../outside/secret", "outside"]),
        ] {
            #expect { try unpack(try tar(archive), into: site.target, .overlay) } throws: { error in
                code(error) == .breakout && words.allSatisfy { "\(error)".contains($0) }
            }
        }
    }

    /// Names and links that look dangerous and are not: all ends up inside, as in a chroot.
    @Test(arguments: modes) func harmless(_ mode: UnpackOptions.Whiteouts) throws {
        let site = try Site()
        let bytes = try tar([
            directory("usr/lib"), link("lib", to: "/usr/lib"), file("lib/a"), link("up", to: "../../../../usr"),
            file("up/b"), file("/absolute", "x"), file("./c/../d"), link("dangling", to: "/outside/secret"),
            link("climb", to: "../outside/secret"), file("climb", "replaced"), link("hard", to: "/usr/b", .hardLink),
            link("hard2", to: "lib/a", .hardLink), link("l2", to: "lib"), file("l2/e"), file("dangling", "replaced"),
        ])
        try unpack(bytes, into: site.target, .init(whiteouts: mode))
        #expect(try site.isIntact())
        #expect(
            try site.top.listing("target") == [
                "absolute", "climb", "d", "dangling", "hard", "hard2", "l2", "lib", "up", "usr/", "usr/b", "usr/lib/",
                "usr/lib/a", "usr/lib/e",
            ])
    }

    /// What was there before is as untrusted as the archive: links of lower layers.
    @Test(arguments: modes) func linksThatWereThereBefore(_ mode: UnpackOptions.Whiteouts) throws {
        let site = try Site()
        _ = try shell(
            "ln -s ../outside up; ln -s \(site.top.path)/outside abs; mkdir real", in: site.top.path + "/target")
        for name in ["up", "abs"] {
            #expect(throws: ArchiveError.self) {
                try unpack(try tar([file("\(name)/secret", "bad")]), into: site.target, .init(whiteouts: mode))
            }
            #expect(throws: ArchiveError.self) {
                try unpack(try tar([file("\(name)/.wh.secret")]), into: site.target, .init(whiteouts: mode))
            }
            #expect(throws: ArchiveError.self) {
                try unpack(try tar([file("\(name)/.wh..wh..opq")]), into: site.target, .init(whiteouts: mode))
            }
        }
        #expect(try site.isIntact())
    }

    @Test(arguments: [".wh.", ".wh..", ".wh...", "d/.wh.."]) func whiteoutsOfNothing(_ name: String) throws {
        for mode in [UnpackOptions.merge, .overlay] {
            let site = try Site()
            #expect { try unpack(try tar([file(name)]), into: site.target, mode) } throws: { code($0) == .breakout }
            #expect(try site.isIntact())
        }
    }

    @Test(arguments: modes) func hostileNames(_ mode: UnpackOptions.Whiteouts) throws {
        let site = try Site()
        let component = String(repeating: "n", count: 256)
        #expect { try unpack(try tar([file(component)]), into: site.target, .init(whiteouts: mode)) } throws: {
            code($0) == .system(.nameTooLong)
        }
        var raw = TarEntry(path: [0xFF, 0xFE, 0x0A, 0x1B], kind: .file)
        raw.modified = Timestamp(seconds: 1)
        try unpack(try tar([(raw, [])]), into: site.target, .init(whiteouts: mode))
        #expect(try site.target.entries(of: ".").map(\.bytes) == [[0xFF, 0xFE, 0x0A, 0x1B]])
    }

    /// Random archives of names, links and whiteouts over few names: whatever they do, they do it inside.
    @Test func fuzz() throws {
        var generator = SeededGenerator(state: 99)
        let names = [
            "a", "b", "a/b", "b/a", "a/b/c", "../a", "/a", "a/../b", ".wh.a", "a/.wh.b", "a/.wh..wh..opq", "b/.wh.a",
            "./", "a/..", "b/../../outside/x",
        ]
        let targets = [
            "a", "../outside", "/", "../..", "b/a", "/outside", "../outside/secret", ".", "b", "../target/a",
        ]
        let site = try Site()
        var successes = 0
        for round in 0..<600 {
            let entries = (0..<Int.random(in: 1...8, using: &generator)).map { _ in
                let name = names.randomElement(using: &generator) ?? "a"
                let target = targets.randomElement(using: &generator) ?? "a"
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: return file(name, "fuzz")
                case 1: return directory(name)
                case 2: return link(name, to: target)
                default: return link(name, to: target, .hardLink)
                }
            }
            do {
                try unpack(try tar(entries), into: site.target, .init(whiteouts: Self.modes[round % 3]))
                successes += 1
            } catch { #expect(error is ArchiveError) }
            if round % 20 == 0 { try site.target.open(".", [.readOnly, .directory]).removeContents() }
        }
        #expect(successes > 50)
        #expect(try site.isIntact())
    }
}
