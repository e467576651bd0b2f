import Archive
import Kernel
import Testing

@Suite struct TarWriterTests {
    private func sample() -> [(TarEntry, [UInt8])] {
        var plain = TarEntry(path: "plain", kind: .file, mode: 0o4750)
        plain.uid = 1000
        plain.gid = 2000
        plain.modified = Timestamp(seconds: 1_700_000_000)
        var precise = TarEntry(path: "precise", kind: .file)
        precise.modified = Timestamp(seconds: -2, nanoseconds: 250_000_000)
        precise.uid = 4_000_000_000
        precise.gid = 2_097_152
        precise.attributes = [
            .init(name: Array("user.b".utf8), value: [0, 10, 61, 255]), .init(name: Array("user.a".utf8), value: []),
            .init(name: Array("user.x=y%".utf8), value: Array("v".utf8)),
        ]
        var device = TarEntry(path: "dev", kind: .blockDevice, mode: 0o600)
        device.deviceMajor = 259
        device.deviceMinor = 70000
        let split = String(repeating: "p", count: 120) + "/" + String(repeating: "n", count: 90)
        return [
            directory("d"), (plain, Array("hello".utf8)), (precise, [UInt8](repeating: 7, count: 513)), (device, []),
            link("soft", to: "d/../plain"), link("hard", to: "plain", .hardLink),
            (TarEntry(path: "pipe", kind: .fifo), []), file(split, "split"),
            file(String(repeating: "x", count: 300), "long"), directory(String(repeating: "y", count: 100)),
            link("far", to: String(repeating: "z", count: 150)), file("ünïcode ☃", "u"),
        ]
    }

    @Test func roundTrip() throws {
        let sample = sample()
        let read = try entries(try tar(sample))
        #expect(read.count == sample.count)
        for (got, (wanted, content)) in zip(read, sample) {
            var wanted = wanted
            wanted.size = Int64(content.count)
            wanted.attributes.sort { $0.name.lexicographicallyPrecedes($1.name) }
            var entry = got.entry
            entry.attributes.sort { $0.name.lexicographicallyPrecedes($1.name) }
            #expect(entry == wanted && got.content == content)
        }
    }

    @Test func pythonReadsTheSame() throws {
        let text = try python(
            """
            t = tarfile.open(fileobj=sys.stdin.buffer, mode='r|')
            for m in t:
                c = t.extractfile(m).read() if m.isreg() else b''
                print(m.name, m.type.decode(), oct(m.mode), m.uid, m.gid, m.mtime, m.linkname, m.devmajor, m.devminor, len(c),
                      repr(m.pax_headers.get('SCHILY.xattr.user.b', '')))
            """, input: try tar(sample()))
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 12)
        #expect(lines[1] == "plain 0 0o4750 1000 2000 1700000000  0 0 5 ''")
        #expect(lines[2].hasPrefix("precise 0 0o644 4000000000 2097152 -1.75  0 0 513 '\\x00\\n="))
        #expect(lines[3] == "dev 4 0o600 0 0 0  259 70000 0 ''")
        #expect(lines[7].hasPrefix(String(repeating: "p", count: 120) + "/"))
        #expect(lines[11].hasPrefix("ünïcode ☃ 0"))
    }

    @Test func gnuTarReadsTheSame() throws {
        let directory = try TemporaryDirectory()
        let names = try run("/usr/bin/tar", ["-tf", "-"], in: directory.path, input: try tar(sample())).text
        #expect(names.split(separator: "\n").count == 12)
        // Names longer than a file's may be cannot be extracted.
        let short = sample().filter { $0.0.path.count < 250 }
        try run("/usr/bin/tar", ["-xpf", "-", "--xattrs"], in: directory.path, input: try tar(short))
        #expect(directory.read("plain") == "hello" && directory.read("hard") == "hello")
        #expect(directory.status("precise")?.modified == Timestamp(seconds: -2, nanoseconds: 250_000_000))
    }

    @Test func sizesPastEightGibibytesGoIntoAPAXHeader() throws {
        let sink = MemorySink()
        var entry = TarEntry(path: "big", kind: .file)
        entry.size = 10 << 30
        try TarWriter(sink).begin(entry)
        #expect(try TarReader(MemorySource(sink.bytes)).next()?.size == 10 << 30)
        #expect(String(decoding: sink.bytes[512..<530], as: UTF8.self) == "20 size=1073741824")
    }

    @Test func optionsReplaceTimesAndOwners() throws {
        let options = TarWriteOptions(modified: Timestamp(seconds: 1), owner: (5, 6))
        for (entry, _) in try entries(try tar(sample(), options: options)) {
            #expect(entry.modified == Timestamp(seconds: 1) && entry.uid == 5 && entry.gid == 6)
        }
        let truncated = try entries(try tar(sample(), options: .init(truncatesTimes: true)))
        #expect(truncated[2].entry.modified == Timestamp(seconds: -2))
    }

    @Test func wrongSizesAreErrors() throws {
        let writer = TarWriter(MemorySink())
        var entry = TarEntry(path: "f", kind: .file)
        entry.size = 3
        try writer.begin(entry)
        #expect(throws: ArchiveError.self) { try writer.finish() }
        let other = TarWriter(MemorySink())
        #expect { try other.add(entry, content: MemorySource([1, 2, 3, 4])) } throws: { "\($0)".contains("grew") }
    }
}

@Suite struct TreePackerTests {
    private func pack(_ directory: FileDescriptor, _ options: PackOptions = .init()) throws -> [UInt8] {
        let sink = MemorySink()
        let writer = TarWriter(sink)
        try TreePacker(options).packContents(of: directory, into: writer)
        try writer.finish()
        return sink.bytes
    }

    private static let tree = """
        mkdir -p b/c a; echo 1 >b/c/one; ln b/c/one a/hard; ln -s target a/link; mkfifo a/pipe; mknod a/null c 1 3
        setfattr -n user.note -v hi b/c/one; setfattr -n trusted.keep -v yes a; setfattr -n trusted.overlay.opaque -v y b
        setcap cap_net_raw=ep b/c/one 2>/dev/null || setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 b/c/one
        chmod 2750 a; chown -h 7:8 a/link; touch -h -d @1000000000.5 b/c/one a/link; chmod 4755 b/c/one
        python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("a/socket")'
        """

    @Test func packAndUnpackGiveTheSameTree() throws {
        let (one, two) = (try TemporaryDirectory(), try TemporaryDirectory())
        _ = try shell(Self.tree, in: one.path)
        let bytes = try pack(one.descriptor)
        #expect(
            try entries(bytes).map(\.entry.name) == [
                "a", "a/hard", "a/link", "a/null", "a/pipe", "b", "b/c", "b/c/one",
            ])
        try unpack(bytes, into: two.descriptor)
        #expect(try pack(two.descriptor) == bytes)
        #expect(two.status("a/hard")?.inode == two.status("b/c/one")?.inode)
        #expect(two.status("a")?.permissions == 0o2750 && two.status("b/c/one")?.permissions == 0o4755)
        #expect(two.status("a/link")?.userID == 7 && two.status("a/link")?.groupID == 8)
        #expect(two.status("a/link")?.modified == Timestamp(seconds: 1_000_000_000, nanoseconds: 500_000_000))
        let attributes = try shell("getfattr -dm - --absolute-names b/c/one a b", in: two.path).text
        #expect(attributes.contains("security.capability=") && attributes.contains("user.note=\"hi\""))
        #expect(attributes.contains("trusted.keep=\"yes\"") && !attributes.contains("overlay"))
        #expect(two.status("a")?.modified == one.status("a")?.modified)
    }

    @Test func theOrderOfCreationDoesNotShow() throws {
        let trees = try (0..<3).map { seed in
            let directory = try TemporaryDirectory()
            var generator = SeededGenerator(state: UInt64(seed))
            for name in (0..<50).shuffled(using: &generator) { try directory.write("f\(name)", "\(name)") }
            _ = try shell("touch -d @5 *", in: directory.path)
            return try pack(directory.descriptor)
        }
        #expect(trees[0] == trees[1] && trees[1] == trees[2])
    }

    @Test func agreesWithGNUTar() throws {
        let (one, two) = (try TemporaryDirectory(), try TemporaryDirectory())
        _ = try shell(Self.tree, in: one.path)
        try run("/usr/bin/tar", ["-xpf", "-", "--numeric-owner"], in: two.path, input: try pack(one.descriptor))
        // What GNU tar finds different, but for attributes that it leaves alone here.
        _ = try shell("rm a/socket; tar -cf - . | tar -C \(two.path) -df -", in: one.path)
    }

    @Test func filters() throws {
        let one = try TemporaryDirectory()
        _ = try shell("mkdir -p keep/x drop/y", in: one.path)
        let options = PackOptions { !$0.starts(with: "drop".utf8) }
        #expect(try entries(try pack(one.descriptor, options)).map(\.entry.name) == ["keep", "keep/x"])
    }

    @Test func onePathUnderAnotherName() throws {
        let one = try TemporaryDirectory()
        _ = try shell(
            "mkdir -p etc/app real; echo x >etc/app/f; ln -s /etc/app link; ln -s f etc/app/inner; echo r >etc/hosts",
            in: one.path)
        func names(_ path: String, _ name: String, follow: Bool = false) throws -> [String] {
            let sink = MemorySink()
            let writer = TarWriter(sink)
            try TreePacker().pack(
                Array(path.utf8), in: one.descriptor, as: Array(name.utf8), followsLastLink: follow, into: writer)
            try writer.finish()
            return try entries(sink.bytes).map { "\($0.entry.name)\($0.entry.kind == .symbolicLink ? "@" : "")" }
        }
        #expect(try names("/etc/app", "renamed") == ["renamed", "renamed/f", "renamed/inner@"])
        #expect(try names("link", "link") == ["link@"])
        // Absolute links lead to the root that was given.
        #expect(try names("link", "x", follow: true) == ["x", "x/f", "x/inner@"])
        #expect(try names("link/f", "file") == ["file"])
        #expect(try names("/etc/../../../etc/hosts", "h") == ["h"])
        #expect(try names("etc/app/.", "dot") == ["dot", "dot/f", "dot/inner@"])
        #expect(try names("etc/app/inner", "deref", follow: true) == ["deref"])
        #expect { _ = try names("/nowhere/x", "n") } throws: { code($0) == .system(.notFound) }
        #expect { _ = try names("/etc/nothing", "n") } throws: { code($0) == .system(.notFound) }
    }
}
