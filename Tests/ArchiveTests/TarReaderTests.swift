import Archive
import Kernel
import Testing

@Suite struct TarReaderTests {
    /// A tree with one of everything, made and archived by GNU tar.
    private func gnuTar(_ format: String) throws -> [UInt8] {
        let directory = try TemporaryDirectory()
        return try shell(
            """
            mkdir -p d/sub empty; echo hello >d/file; chmod 4755 d/file; ln d/file d/hard; ln -s ../target d/soft
            mkfifo fifo; mknod char c 1 3; mknod block b 259 70000
            mkdir -p \(String(repeating: "long-directory-name/", count: 4)); touch \(String(repeating: "long-directory-name/", count: 4))f
            touch -d '2001-02-03 04:05:06.123456789' d/file; chown 1234:5678 d/sub
            tar --format=\(format) --sort=name -cf - .
            """, in: directory.path
        ).bytes
    }

    @Test(arguments: ["v7", "oldgnu", "gnu", "ustar", "posix"]) func readsGNUTarsFormats(_ format: String) throws {
        // v7 knows no devices, which GNU tar says by failing.
        let bytes: [UInt8]
        do { bytes = try gnuTar(format) } catch { return #expect(format == "v7") }
        let all = try entries(bytes)
        let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.entry.name, $0) })
        let file = try #require(byName["./d/file"])
        #expect(file.entry.kind == .file && file.entry.mode == 0o4755 && file.content == Array("hello\n".utf8))
        #expect(file.entry.modified.seconds == 981_173_106)
        #expect(file.entry.modified.nanoseconds == (format == "posix" ? 123_456_789 : 0))
        #expect(byName["./d/hard"]?.entry.kind == .hardLink && byName["./d/hard"]?.entry.linkName == "./d/file")
        #expect(byName["./d/soft"]?.entry.kind == .symbolicLink && byName["./d/soft"]?.entry.linkName == "../target")
        #expect(byName["./fifo"]?.entry.kind == .fifo && byName["./empty"]?.entry.kind == .directory)
        #expect(byName["./char"]?.entry.kind == .characterDevice)
        #expect(byName["./block"]?.entry.deviceMajor == 259 && byName["./block"]?.entry.deviceMinor == 70000)
        #expect(byName["./d/sub"]?.entry.uid == 1234 && byName["./d/sub"]?.entry.gid == 5678)
        #expect(byName["./" + String(repeating: "long-directory-name/", count: 4) + "f"] != nil)
        #expect(byName["."]?.entry.kind == .directory)
    }

    @Test(arguments: ["PAX", "GNU"]) func longNamesAndLargeNumbers(_ format: String) throws {
        let long = String(repeating: "é/", count: 300) + "end"
        let bytes = try python(
            """
            t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.\(format)_FORMAT)
            i = tarfile.TarInfo('é/' * 300 + 'end'); i.type = tarfile.SYMTYPE; i.linkname = 'x' * 200
            i.uid = 3000000000; i.gid = 2**31; t.addfile(i)
            i = tarfile.TarInfo('old'); i.mtime = -1.5 if '\(format)' == 'PAX' else -2; t.addfile(i)
            t.close()
            """)
        let all = try entries(bytes)
        #expect(all[0].entry.name == long && all[0].entry.linkName == String(repeating: "x", count: 200))
        #expect(all[0].entry.uid == 3_000_000_000 && all[0].entry.gid == 1 << 31)
        #expect(
            all[1].entry.modified == Timestamp(seconds: -2, nanoseconds: format == "PAX" ? 500_000_000 : 0))
    }

    @Test func sizesPastEightGibibytes() throws {
        // Only the headers: the content is not there, so the archive is truncated, but the entry is read first.
        for format in ["PAX", "GNU"] {
            let bytes = try python(
                """
                i = tarfile.TarInfo('big'); i.size = 2**40 + 5
                sys.stdout.buffer.write(i.tobuf(tarfile.\(format)_FORMAT))
                """)
            let reader = TarReader(MemorySource(bytes))
            #expect(try reader.next()?.size == 1_099_511_627_781)
            #expect { _ = try reader.next() } throws: { code($0) == .truncated }
        }
    }

    @Test func paxRecordsGlobalAndLocal() throws {
        let bytes = try python(
            """
            t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.PAX_FORMAT,
                             pax_headers={'uname': 'everyone', 'mtime': '12.5'})
            i = tarfile.TarInfo('a'); i.pax_headers = {'SCHILY.xattr.user.k': 'v=1\\n2', 'atime': '7.25', 'uid': '77',
                'LIBARCHIVE.xattr.user.a%3Db': 'aGVsbG8='}
            t.addfile(i)
            i = tarfile.TarInfo('b'); i.pax_headers = {'mtime': '99', 'gname': 'g' * 50}; t.addfile(i)
            t.close()
            """)
        let all = try entries(bytes).map(\.entry)
        #expect(
            all[0].userName == Array("everyone".utf8)
                && all[0].modified == Timestamp(seconds: 12, nanoseconds: 500_000_000))
        #expect(all[0].accessed == Timestamp(seconds: 7, nanoseconds: 250_000_000) && all[0].uid == 77)
        #expect(
            all[0].attributes == [
                .init(name: Array("user.k".utf8), value: Array("v=1\n2".utf8)),
                .init(name: Array("user.a=b".utf8), value: Array("hello".utf8)),
            ])
        #expect(all[1].modified.seconds == 99 && all[1].groupName.count == 50 && all[1].attributes.isEmpty)
    }

    @Test(arguments: ["gnu", "posix --sparse-version=0.0", "posix --sparse-version=0.1", "posix --sparse-version=1.0"])
    func sparseFiles(_ format: String) throws {
        let directory = try TemporaryDirectory()
        // More pieces than fit the header of the old format, with a hole at either end.
        let script = """
            truncate -s 3000000 sparse
            for i in $(seq 1 30); do echo "piece $i" | dd of=sparse bs=1 seek=$((i * 90000)) conv=notrunc status=none; done
            truncate -s 1000000 hole; echo after >after
            sha256sum sparse hole | cut -c1-64
            """
        let sums = try shell(script, in: directory.path).text.split(separator: "\n").map(String.init)
        let bytes = try shell("tar --format=\(format) -S -cf - sparse hole after", in: directory.path).bytes
        #expect(bytes.count < 500_000)
        let all = try entries(bytes)
        #expect(all.map(\.entry.name) == ["sparse", "hole", "after"])
        #expect(all[0].entry.extents != nil && all[0].entry.size == 3_000_000)
        for (index, sum) in sums.enumerated() {
            #expect(try shell("sha256sum | cut -c1-64", input: all[index].content).text == sum + "\n")
        }
        #expect(all[2].content == Array("after\n".utf8))
        // Unpacked, they have their holes again.
        let target = try TemporaryDirectory()
        try unpack(bytes, into: target.descriptor)
        #expect(
            try shell("sha256sum sparse hole | cut -c1-64", in: target.path).text == sums.joined(separator: "\n") + "\n"
        )
        #expect(try #require(target.status("sparse")).blocks * 512 < 1_500_000)
        #expect(try #require(target.status("hole")).blocks == 0)
    }

    @Test func everyTruncationIsNoticed() throws {
        var entry = TarEntry(path: String(repeating: "n", count: 150), kind: .file)
        entry.attributes = [.init(name: Array("user.x".utf8), value: [1, 2, 3])]
        let whole = try tar([
            directory("d"), file("d/a", String(repeating: "x", count: 1300)), (entry, [1]), file("z", "z"),
        ])
        let end = whole.count - 1024
        for length in 0..<whole.count {
            // A lone block of zeros at the end is let pass, as everyone does.
            if length == end + 512 || length == whole.count { continue }
            if length % 512 != 0 && length % 101 != 0 { continue }
            #expect("cut to \(length)") { _ = try entries(Array(whole[..<length])) } throws: { code($0) == .truncated }
        }
        // Between entries, without the end marker, only where that is asked for.
        #expect(try entries(Array(whole[..<end]), endMarkerRequired: false).count == 4)
        #expect { _ = try entries(Array(whole[..<(end - 512)]), endMarkerRequired: false) } throws: {
            code($0) == .truncated
        }
        #expect { _ = try entries([]) } throws: { code($0) == .truncated && "\($0)".contains("empty") }
    }

    @Test func nonsenseIsRefused() throws {
        let good = try tar([file("a", "x")])
        #expect { _ = try entries([UInt8](repeating: 65, count: 2048)) } throws: {
            code($0) == .corrupt && "\($0)".contains("no tar archive")
        }
        var bad = good
        bad[3] ^= 1
        #expect { _ = try entries(bad) } throws: { code($0) == .corrupt }
        // A block of zeros between entries.
        #expect { _ = try entries(Array(good[..<1024]) + [UInt8](repeating: 0, count: 512) + good) } throws: {
            code($0) == .corrupt
        }
        // Old tars summed their bytes as signed ones.
        let signed = try python(
            """
            b = bytearray(tarfile.TarInfo('caf\\u00e9').tobuf(tarfile.GNU_FORMAT, 'latin-1', 'strict')); b[148:156] = b' ' * 8
            s = sum(x - 256 if x > 127 else x for x in b); b[148:156] = b'%06o\\0 ' % s
            sys.stdout.buffer.write(bytes(b) + bytes(1024))
            """)
        #expect(try entries(signed).first?.entry.path == [0x63, 0x61, 0x66, 0xE9])
    }

    private func withHeader(_ change: String, _ content: String = "b''") throws -> [UInt8] {
        try python(
            """
            i = tarfile.TarInfo('victim'); b = bytearray(i.tobuf(tarfile.GNU_FORMAT))
            \(change)
            b[148:156] = b' ' * 8; b[148:156] = b'%06o\\0 ' % sum(b)
            content = \(content); content += bytes(-len(content) % 512)
            sys.stdout.buffer.write(bytes(b) + content + tarfile.TarInfo('next').tobuf() + bytes(1024))
            """)
    }

    @Test(arguments: [
        "b[124:136] = b'\\xff' * 12",  // size -1
        "b[124:136] = b'\\x80' + b'\\xff' * 11",  // past 2^63
        "b[124:136] = b'-0000000001\\0'", "b[124:136] = b'99999999999\\0'", "b[108:116] = b'xyz\\0    '",
        "b[0:100] = bytes(100)",  // no name
        "b[156:157] = b'2'",  // a link without a target
        "b[156:157] = b'M'",
        "b[156:157] = b'x'; b[124:136] = b'10000000000\\0'",  // 1 GiB of PAX header
        "b[156:157] = b'L'; b[124:136] = b'10000000000\\0'",
    ]) func hostileHeaders(_ change: String) throws {
        #expect(throws: ArchiveError.self) { _ = try entries(try withHeader(change)) }
    }

    @Test(arguments: [
        "b'99 path=x\\n'", "b'5 path=x\\n'", "b'9 path=x'", "b'0 =x\\n'", "b'6 p=\\n'", "b'-9 path=x\\n'",
        "b'99999999999999999999999 path=x\\n'", "b'path=x\\n'", "b'11 size=-1\\n'", "b'12 mtime=1x\\n'",
        "b'11 path=a\\0\\n'", "b'23 size=18446744073709\\n'", "b'9 uid=x\\n'",
        "b'22 GNU.sparse.major=1\\n22 GNU.sparse.minor=0\\n'",
    ]) func hostilePAX(_ records: String) throws {
        let bytes = try withHeader(
            "content = \(records)\nb[156:157] = b'x'; b[124:136] = b'%011o\\0' % len(content)", records)
        #expect(throws: ArchiveError.self) { _ = try entries(bytes) }
    }

    @Test(arguments: [
        "0,1,0,1", "5,10,0,5", "0,600", "-5,10", "0", "0,9223372036854775807,1,1", "100,512", "x,y",
    ]) func hostileSparseMaps(_ map: String) throws {
        let bytes = try python(
            """
            t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.PAX_FORMAT)
            i = tarfile.TarInfo('s'); i.size = 512
            i.pax_headers = {'GNU.sparse.map': '\(map)', 'GNU.sparse.size': '512', 'GNU.sparse.name': 's'}
            t.addfile(i, io.BytesIO(bytes(512))); t.close()
            """)
        #expect { _ = try entries(bytes) } throws: { code($0) == .corrupt }
    }

    // A header holds a MiB: neither its attributes nor its global records may be looked through for each other.
    @Test(arguments: ["x", "g"]) func manyRecordsTakeNoTime(_ type: String) throws {
        let prefix = type == "x" ? "SCHILY.xattr." : "k"
        let bytes = try withHeader(
            "content = b''.join(b'%d %s%05d=\\n' % (len('\(prefix)') + 10, b'\(prefix)', i) for i in range(40000))\n"
                + "b[156:157] = b'\(type)'; b[124:136] = b'%011o\\0' % len(content)", "content")
        let begin = Timestamp.monotonic
        if type == "x" {
            #expect(try entries(bytes).first?.entry.attributes.count == 40_000)
        } else {
            #expect { _ = try entries(bytes) } throws: { code($0) == .corrupt && "\($0)".contains("1024") }
        }
        #expect(Timestamp.monotonic.seconds - begin.seconds < 30)
    }

    @Test func vendorTypesAreNamedAndTheirContentSkipped() throws {
        let all = try entries(
            try withHeader("content=b'q'*600\nb[156:157] = b'Q'; b[124:136] = b'%011o\\0' % 600", "b'q'*600"))
        #expect(all.map(\.entry.kind) == [.other(UInt8(ascii: "Q")), .file] && all[0].content.count == 600)
    }

    /// Rubbish never traps, and never runs on.
    @Test func fuzz() throws {
        var generator = SeededGenerator(state: 42)
        var entry = TarEntry(path: String(repeating: "n", count: 150), kind: .file)
        entry.attributes = [.init(name: Array("user.x".utf8), value: [1, 2, 3])]
        let sparse = try python(
            """
            t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.PAX_FORMAT)
            i = tarfile.TarInfo('s'); i.size = 1024
            i.pax_headers = {'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9999'}
            t.addfile(i, io.BytesIO(b'1\\n100\\n512\\n' + bytes(1014))); t.close()
            """)
        let seeds = [
            try tar([directory("d"), file("d/a", "content"), (entry, [1]), link("l", to: "d/a", .hardLink)]), sparse,
        ]
        for round in 0..<3000 {
            var bytes = seeds[round % 2]
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[place] = UInt8.random(in: 0...255, using: &generator)
            }
            // Most changes must get past the checksum to do harm.
            for block in stride(from: 0, to: bytes.count, by: 512)
            where bytes[block..<block + 512].contains(where: { $0 != 0 }) {
                if Bool.random(using: &generator) { continue }
                var sum = 8 * 32
                for offset in 0..<512 where !(148..<156).contains(offset) { sum += Int(bytes[block + offset]) }
                let digits = String(sum, radix: 8)
                let field = String(repeating: "0", count: 6 - digits.count) + digits + "\0 "
                bytes.replaceSubrange(block + 148..<block + 156, with: field.utf8)
            }
            let reader = TarReader(dribble(bytes, Int.random(in: 1...2000, using: &generator)))
            do {
                var count = 0
                while let entry = try reader.next() {
                    count += 1
                    #expect(count <= bytes.count / 512)
                    if entry.size < 1 << 20 { _ = try reader.content.drain() }
                }
            } catch { #expect(error is ArchiveError) }
        }
    }

    @Test func contentIsOnlyValidUntilTheNextEntry() throws {
        let reader = TarReader(MemorySource(try tar([file("a", "one"), file("b", "two")])))
        _ = try reader.next()
        let stale = reader.content
        _ = try reader.next()
        #expect(throws: ArchiveError.self) { _ = try stale.readAll() }
        #expect(try reader.readContent() == Array("two".utf8))
    }

    @Test func drainCountsWhatFollowsTheEnd() throws {
        let reader = TarReader(dribble(try tar([file("a")]) + [UInt8](repeating: 9, count: 3000), 700))
        while try reader.next() != nil {}
        #expect(try reader.drain() == 3000)
    }
}
