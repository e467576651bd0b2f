import Archive
import Kernel
import Synchronization
import Testing

@Suite struct WhiteoutTests {
    @Test func mergeDeletesWhatLowerLayersHad() throws {
        let target = try TemporaryDirectory()
        try unpack(
            try tar([
                directory("a"), file("a/gone"), file("a/kept"), directory("a/tree"), file("a/tree/f"), directory("o"),
                file("o/old"), directory("o/sub"), file("o/sub/old"), directory("r"), file("r/old"), file("top"),
            ]), into: target.descriptor, .merge)
        try unpack(
            try tar([
                directory("a"), file("a/.wh.gone"), file("a/.wh.tree"), file("a/.wh.never-there"), file(".wh.top"),
                // What the layer itself brings stays, whether it comes before or after the mark.
                file("o/before"), file("o/sub/new"), file("o/.wh..wh..opq"), file("o/after"), file("r/new"),
                file(".wh.r"),
                directory(".wh..wh.plnk"), file(".wh..wh.plnk/1.2"), file(".wh..wh.aufs"),
            ]), into: target.descriptor, .merge)
        #expect(
            try target.listing() == [
                "a/", "a/kept", "o/", "o/after", "o/before", "o/sub/", "o/sub/new", "r/", "r/new",
            ])
    }

    @Test func overlayKeepsMarks() throws {
        let target = try TemporaryDirectory()
        try unpack(
            try tar([
                file("a/.wh.gone"), file("o/.wh..wh..opq"), file("o/new"), file(".wh.d"), directory("d"), file("d/x"),
                directory("e"), file(".wh.e"), file(".wh.f"), file("f", "new"), file(".wh.g"), file("g/h"),
                file("k"), file(".wh.k"),
            ]), into: target.descriptor, .overlay)
        let mark = try #require(target.status("a/gone"))
        #expect(mark.type == .characterDevice && mark.specialDevice == DeviceNumber(major: 0, minor: 0))
        // A directory that is deleted and made anew in one layer hides what it had.
        for name in ["o", "d", "e", "g"] {
            let value = try target.descriptor.open(name, [.readOnly, .directory]).extendedAttribute(
                "trusted.overlay.opaque")
            #expect(value == Array("y".utf8), "\(name)")
        }
        #expect(target.read("f") == "new" && target.status("k")?.isRegular == true)
        #expect(target.status("g/h")?.isRegular == true && target.status(".wh..wh..opq") == nil)
        #expect {
            try unpack(try tar([file(".wh.w"), link("n", to: "w", .hardLink)]), into: target.descriptor, .overlay)
        } throws: { code($0) == .corrupt }
    }

    @Test func userAttributesInsteadOfTrusted() throws {
        let target = try TemporaryDirectory()
        var options = UnpackOptions.overlay
        options.overlayUsesUserAttributes = true
        try unpack(try tar([file("o/.wh..wh..opq")]), into: target.descriptor, options)
        #expect(
            try target.descriptor.open("o", [.readOnly, .directory]).extendedAttribute("user.overlay.opaque") == [0x79])
    }

    @Test(arguments: Compression.allCases) func onePass(_ compression: Compression) throws {
        let target = try TemporaryDirectory()
        // The diffID covers what follows the end marker, too.
        let bytes =
            try tar((0..<200).map { file("d\($0 % 7)/f\($0)", String(repeating: "x", count: $0 * 50)) })
            + [UInt8](repeating: 0, count: 9000)
        let sink = MemorySink()
        let compressor = try CompressingSink(sink, compression)
        try compressor.write(bytes)
        try compressor.finish()
        let seen = Mutex<[UInt8]>([])
        let result = try LayerPass.unpack(dribble(sink.bytes, 5000), into: target.descriptor, options: .overlay) {
            piece in
            seen.withLock { $0.append(contentsOf: piece) }
        }
        #expect(result.entries == 207 && result.bytes == (0..<200).reduce(0) { $0 + $1 * 50 })
        #expect(seen.withLock { $0 } == bytes)
        #expect(target.status("d6/f195")?.size == 9_750)
    }
}

@Suite struct LayerDiffTests {
    private func layer(_ diff: LayerDiff) throws -> [UInt8] {
        let sink = MemorySink()
        let writer = TarWriter(sink)
        try diff.write(to: writer)
        try writer.finish()
        return sink.bytes
    }

    private func text(_ changes: [TreeChange]) -> [String] {
        changes.map { "\(["C", "A", "D"][$0.kind.rawValue]) \(String(decoding: $0.path, as: UTF8.self))" }
    }

    private static let lower = """
        mkdir -p lower/etc/app lower/var/cache/x lower/re/placed lower/same; echo a >lower/etc/a; echo b >lower/etc/b
        echo c >lower/var/cache/x/c; echo p >lower/re/placed/p; ln -s a lower/etc/link; echo m >lower/etc/app/mode
        """
    private static let change = """
        echo new >etc/new; rm etc/b; rm -r var/cache; mkdir var/cache; echo y >var/cache/y; rm -r re/placed; echo f >re/placed
        chmod 600 etc/app/mode; ln -sfn b etc/link; mkdir -p deep/er; ln etc/new deep/er/hard; mknod deep/dev c 1 5
        """
    private static let expected = [
        "A deep", "A deep/dev", "A deep/er", "A deep/er/hard", "C etc", "C etc/app", "C etc/app/mode", "D etc/b",
        "C etc/link", "A etc/new", "C re", "C re/placed", "C var", "C var/cache", "D var/cache/x", "A var/cache/y",
    ]

    /// Changes a tree through a real overlay, and applies the layer made of it to a copy of the lower tree.
    @Test func overlay() throws {
        let site = try TemporaryDirectory()
        _ = try shell("\(Self.lower); mkdir upper work merged copy; cp -a lower/. copy", in: site.path)
        do {
            _ = try shell(
                "mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged", in: site.path)
        } catch { return }  // Where overlays cannot be mounted there are none to read.
        defer { _ = try? shell("umount merged", in: site.path) }
        _ = try shell(Self.change, in: site.path + "/merged")
        let diff = LayerDiff.overlay(
            upper: try site.descriptor.open("upper"), lowers: [try site.descriptor.open("lower")])
        #expect(
            try text(diff.changes())
                == Self.expected.sorted { $0.dropFirst(2).utf8.lexicographicallyPrecedes($1.dropFirst(2).utf8) })
        let bytes = try layer(diff)
        #expect(try layer(diff) == bytes)
        let names = try entries(bytes).map(\.entry.name)
        #expect(names.contains("var/cache/.wh..wh..opq") && names.contains("etc/.wh.b") && !names.contains("same"))
        try unpack(bytes, into: try site.descriptor.open("copy"), .merge)
        _ = try shell("diff -r -x dev --no-dereference merged copy", in: site.path)
        #expect(site.status("copy/deep/dev")?.specialDevice == DeviceNumber(major: 1, minor: 5))
        #expect(site.status("copy/deep/er/hard")?.inode == site.status("copy/etc/new")?.inode)
        // And as an overlay's lower directory it shows the same.
        let unpacked = try site.make("layer")
        try unpack(bytes, into: unpacked, .overlay)
        _ = try shell(
            """
            mkdir again; mount -t overlay overlay -o lowerdir=layer:lower again
            trap 'umount again' EXIT
            diff -r -x dev --no-dereference merged again
            """, in: site.path)
    }

    @Test func trees() throws {
        let site = try TemporaryDirectory()
        _ = try shell("\(Self.lower); cp -a lower new; cp -a lower copy; cd new; \(Self.change)", in: site.path)
        let diff = LayerDiff.trees(old: try site.descriptor.open("lower"), new: try site.descriptor.open("new"))
        #expect(
            try text(diff.changes())
                == Self.expected.sorted { $0.dropFirst(2).utf8.lexicographicallyPrecedes($1.dropFirst(2).utf8) })
        let bytes = try layer(diff)
        try unpack(bytes, into: try site.descriptor.open("copy"), .merge)
        _ = try shell("diff -r -x dev --no-dereference new copy", in: site.path)
        #expect(
            try LayerDiff.trees(old: site.descriptor.open("new"), new: site.descriptor.open("new")).changes().isEmpty)
        #expect(
            try LayerDiff.trees(old: site.descriptor.open("new"), new: site.descriptor.open("copy")).changes().isEmpty)
    }

    @Test func renamedDirectoriesNeedTheMergedTree() throws {
        let site = try TemporaryDirectory()
        _ = try shell(
            "mkdir -p upper/d merged/d/sub; echo x >merged/d/sub/f; setfattr -n trusted.overlay.redirect -v "
                + "/old upper/d",
            in: site.path)
        let upper = try site.descriptor.open("upper")
        #expect { _ = try layer(.overlay(upper: upper, lowers: [])) } throws: {
            code($0) == .unsupported && "\($0)".contains("\"d\"")
        }
        let bytes = try layer(.overlay(upper: upper, lowers: [], merged: try site.descriptor.open("merged")))
        #expect(try entries(bytes).map(\.entry.name) == ["d", "d/.wh..wh..opq", "d/sub", "d/sub/f"])
    }

    // Containers can make such a tree; a walk of it must not overflow the stack.
    @Test func treesDeeperThanPathsAreRefused() throws {
        let site = try TemporaryDirectory()
        var directory = try site.make("upper")
        for _ in 0..<5000 {
            try directory.makeDirectory("d")
            directory = try directory.open("d", [.readOnly, .directory])
        }
        let (upper, empty) = (try site.descriptor.open("upper"), try site.make("empty"))
        // For the length of the path, or for want of descriptors where few are allowed.
        for diff in [LayerDiff.overlay(upper: upper, lowers: []), .trees(old: empty, new: upper)] {
            #expect(throws: ArchiveError.self) { _ = try layer(diff) }
            #expect(throws: ArchiveError.self) { _ = try diff.changes() }
        }
        let writer = TarWriter(MemorySink())
        #expect(throws: ArchiveError.self) { try TreePacker().packContents(of: upper, into: writer) }
    }

    @Test func severalLowers() throws {
        let site = try TemporaryDirectory()
        _ = try shell(
            """
            mkdir -p bottom/d top/d upper/d; touch bottom/d/hidden bottom/d/shown bottom/f; mknod top/d/hidden c 0 0
            mknod top/f c 0 0; touch upper/d/hidden upper/d/shown upper/f; mknod upper/d/never c 0 0
            """, in: site.path)
        let lowers = [try site.descriptor.open("top"), try site.descriptor.open("bottom")]
        let diff = LayerDiff.overlay(upper: try site.descriptor.open("upper"), lowers: lowers)
        #expect(try text(diff.changes()) == ["C d", "A d/hidden", "C d/shown", "A f"])
    }
}
