import Archive
import Kernel
import Testing

@Suite struct UnpackTests {
    @Test func metadata() throws {
        let target = try TemporaryDirectory()
        var suid = TarEntry(path: "bin/su", kind: .file, mode: 0o4711)
        (suid.uid, suid.gid) = (12, 34)
        suid.modified = Timestamp(seconds: 100, nanoseconds: 5)
        suid.attributes = [
            .init(name: Array("user.k".utf8), value: [1]),
            .init(
                name: Array("security.capability".utf8),
                value: [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ]
        var bin = TarEntry(path: "bin", kind: .directory, mode: 0o1777)
        bin.modified = Timestamp(seconds: 50)
        bin.gid = 9
        var pipe = TarEntry(path: "bin/pipe", kind: .fifo, mode: 0o666)
        pipe.modified = Timestamp(seconds: 60)
        var null = TarEntry(path: "bin/null", kind: .characterDevice, mode: 0o666)
        (null.deviceMajor, null.deviceMinor) = (1, 3)
        var top = TarEntry(path: "./", kind: .directory, mode: 0o711)
        top.modified = Timestamp(seconds: 77)
        let bytes = try tar([(top, []), (bin, []), (suid, [1, 2, 3]), (pipe, []), (null, []), file("bin/0", mode: 0)])
        let result = try unpack(bytes, into: target.descriptor, .overlay)
        #expect(result.entries == 5 && result.bytes == 3 && result.warnings.isEmpty)
        let status = try #require(target.status("bin/su"))
        #expect(status.permissions == 0o4711 && status.userID == 12 && status.groupID == 34 && status.size == 3)
        #expect(status.modified == suid.modified)
        #expect(target.status("bin")?.permissions == 0o1777 && target.status("bin")?.groupID == 9)
        #expect(target.status("bin")?.modified == bin.modified)
        #expect(target.status("bin/pipe")?.permissions == 0o666 && target.status("bin/pipe")?.modified.seconds == 60)
        #expect(target.status("bin/null")?.specialDevice == DeviceNumber(major: 1, minor: 3))
        #expect(target.status("bin/null")?.permissions == 0o666 && target.status("bin/0")?.permissions == 0)
        // New files do not take after their directory's group unless that says so.
        #expect(target.status("bin/0")?.groupID == 0)
        #expect(target.status(".")?.permissions == 0o711 && target.status(".")?.modified.seconds == 77)
        #expect(try shell("getfattr -dm - bin/su", in: target.path).text.contains("security.capability"))
    }

    @Test func directoriesKeepTheirTimesWhateverTheOrder() throws {
        let target = try TemporaryDirectory()
        func dated(_ path: String, _ seconds: Int64) -> (TarEntry, [UInt8]) {
            var entry = TarEntry(path: path, kind: .directory)
            entry.modified = Timestamp(seconds: seconds)
            return (entry, [])
        }
        let bytes = try tar([
            file("late/x"), dated("a", 1), dated("a/b", 2), file("a/b/f"), dated("c", 3), file("a/b/g"), file("a/h"),
            dated("late", 4), file("late/y"), link("c/h", to: "a/h", .hardLink), link("alias", to: "c"),
            file("alias/z"),
        ])
        try unpack(bytes, into: target.descriptor, .overlay)
        #expect(["a", "a/b", "c", "late"].map { target.status($0)?.modified.seconds } == [1, 2, 3, 4])
        #expect(target.status("c/z")?.isRegular == true)
    }

    @Test func setGroupIDDirectories() throws {
        let target = try TemporaryDirectory()
        var shared = TarEntry(path: "shared", kind: .directory, mode: 0o2775)
        shared.gid = 50
        try unpack(try tar([(shared, []), file("shared/f"), directory("shared/d")]), into: target.descriptor)
        #expect(target.status("shared")?.permissions == 0o2775)
        #expect(target.status("shared/f")?.groupID == 0 && target.status("shared/d")?.groupID == 0)
        #expect(target.status("shared/d")?.permissions == 0o755)
    }

    @Test func aFileReplacesADirectoryAndTheOtherWayRound() throws {
        let target = try TemporaryDirectory()
        let first = try tar([
            directory("d"), file("d/inner"), file("f"), link("l", to: "d"), file("same", "old", mode: 0o600),
        ])
        let second = try tar([
            file("d", "now a file"), directory("f"), file("f/new"), directory("l"), file("l/x"), file("same", "new"),
        ])
        try unpack(first, into: target.descriptor, .merge)
        try unpack(second, into: target.descriptor, .merge)
        #expect(try target.listing() == ["d", "f/", "f/new", "l/", "l/x", "same"])
        #expect(target.read("d") == "now a file" && target.read("same") == "new")
        #expect(target.status("same")?.permissions == 0o644)
        // A directory over a directory keeps what is in it, and takes the new metadata.
        try unpack(try tar([directory("f", mode: 0o700)]), into: target.descriptor, .merge)
        #expect(target.status("f/new") != nil && target.status("f")?.permissions == 0o700)
    }

    @Test func writingNeverGoesThroughAHardLink() throws {
        let target = try TemporaryDirectory()
        let bytes = try tar([
            file("a", "one"), link("b", to: "a", .hardLink), file("b", "two"), link("b", to: "a", .hardLink),
        ])
        try unpack(bytes, into: target.descriptor)
        #expect(target.read("a") == "one" && target.read("b") == "one")
        #expect(target.status("a")?.inode == target.status("b")?.inode)
    }

    @Test func deepTreesDoNotRunOutOfDescriptors() throws {
        let target = try TemporaryDirectory()
        let deep = Array(repeating: "d", count: 1500).joined(separator: "/")
        try unpack(
            try tar([file(deep + "/f", "x"), file("d/g"), file(deep + "/h")]), into: target.descriptor, .overlay)
        #expect(target.status(deep + "/f")?.size == 1 && target.status(deep + "/h")?.size == 0)
        #expect { try unpack(try tar([file(deep + "/" + deep)]), into: target.descriptor) } throws: {
            code($0) == .system(.nameTooLong)
        }
    }

    @Test func limits() throws {
        let target = try TemporaryDirectory()
        var options = UnpackOptions.overlay
        options.limits = UnpackLimits(maximumBytes: 10, maximumEntries: 3)
        #expect { try unpack(try tar([file("a", "12345678901")]), into: target.descriptor, options) } throws: {
            code($0) == .limitExceeded && "\($0)".contains("\"a\"") && "\($0)".contains("10 bytes")
        }
        #expect { try unpack(try tar((0..<4).map { file("f\($0)") }), into: target.descriptor, options) } throws: {
            code($0) == .limitExceeded && "\($0)".contains("3 files")
        }
        // Directories made on the way count, too.
        #expect { try unpack(try tar([file("w/x/y/z"), file("w/1")]), into: target.descriptor, options) } throws: {
            code($0) == .limitExceeded
        }
    }

    @Test func ownershipCanBeFixedOrMapped() throws {
        let target = try TemporaryDirectory()
        var options = UnpackOptions()
        options.ownership = .fixed(uid: 3, gid: 4)
        try unpack(try tar([file("a/b")]), into: target.descriptor, options)
        #expect(target.status("a/b")?.userID == 3 && target.status("a")?.groupID == 4)
        options.ownership = .mapped { uid, gid in uid < 10 ? (uid + 100_000, gid + 100_000) : nil }
        try unpack(try tar([file("c")]), into: target.descriptor, options)
        #expect(target.status("c")?.userID == 100_000)
        var foreign = TarEntry(path: "d", kind: .file)
        foreign.uid = 10
        #expect { try unpack(try tar([(foreign, [])]), into: target.descriptor, options) } throws: {
            code($0) == .unsupported
        }
        foreign.uid = 1 << 32
        #expect { try unpack(try tar([(foreign, [])]), into: target.descriptor) } throws: { code($0) == .unsupported }
    }

    @Test func overlayMarksAreNotTakenFromArchives() throws {
        let target = try TemporaryDirectory()
        var entry = TarEntry(path: "d", kind: .directory)
        entry.attributes = [
            .init(name: Array("trusted.overlay.redirect".utf8), value: Array("/etc".utf8)),
            .init(name: Array("trusted.fine".utf8), value: [1]),
        ]
        let result = try unpack(try tar([(entry, [])]), into: target.descriptor, .overlay)
        #expect(result.warnings.count == 1 && result.warnings[0].contains("trusted.overlay.redirect"))
        #expect(try shell("getfattr -dm - d", in: target.path).text.contains("trusted.fine"))
        #expect(try !shell("getfattr -dm - d", in: target.path).text.contains("overlay"))
    }

    @Test func attributesThatAreNotSupportedAreWarnings() throws {
        let target = try TemporaryDirectory()
        // The kernel allows `user` attributes on files and directories only.
        var entry = link("l", to: "x").0
        entry.attributes = [.init(name: Array("user.k".utf8), value: [1])]
        #expect(try unpack(try tar([(entry, [])]), into: target.descriptor).warnings.count == 1)
    }

    @Test func missingEndIsNoticedAfterUnpacking() throws {
        let target = try TemporaryDirectory()
        let bytes = try tar([file("a", "x")])
        #expect { try unpack(Array(bytes.dropLast(1024)), into: target.descriptor) } throws: { code($0) == .truncated }
        var options = UnpackOptions()
        options.endMarkerRequired = false
        try unpack(Array(bytes.dropLast(1024)), into: target.descriptor, options)
    }

    @Test(arguments: [UnpackOptions.Whiteouts.none, .delete, .overlay])
    func unpacksBelowAPath(_ whiteouts: UnpackOptions.Whiteouts) throws {
        let root = try TemporaryDirectory()
        _ = try shell("mkdir -p data/in; ln -s /data abs; mkdir real", in: root.path)
        let unpacker = TarUnpacker(
            into: root.descriptor, at: Array("abs/in".utf8), options: .init(whiteouts: whiteouts))
        _ = try unpacker.unpack(
            MemorySource(try tar([directory("."), file("f"), link("up", to: "/real"), file("up/g")])))
        #expect(root.status("data/in/f") != nil && root.status("real/g") != nil)
    }

    @Test func dockerCopyRules() throws {
        let target = try TemporaryDirectory()
        try unpack(try tar([directory("d"), file("f")]), into: target.descriptor)
        var options = UnpackOptions()
        options.keepsKindOfExisting = true
        #expect { try unpack(try tar([file("d")]), into: target.descriptor, options) } throws: {
            "\($0)".contains("cannot overwrite directory \"d\" with non-directory")
        }
        #expect { try unpack(try tar([directory("f")]), into: target.descriptor, options) } throws: {
            "\($0)".contains("cannot overwrite non-directory \"f\" with directory")
        }
        try unpack(try tar([directory("d"), file("f", "new"), file(".wh.f")]), into: target.descriptor, options)
        #expect(target.read("f") == "new" && target.status(".wh.f") != nil)
    }
}
