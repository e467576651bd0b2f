import Kernel
import Testing

@Suite struct FileTests {
    @Test func readsAndWrites() throws {
        let directory = try TemporaryDirectory()
        let root = directory.descriptor
        try root.writeFile("a", "hello", creating: true)
        #expect(try root.readText("a") == "hello")
        let file = try root.open("a", .readWrite)
        #expect(try file.pread(count: 3, at: 1) == Array("ell".utf8))
        try file.truncate(to: 2)
        #expect(try root.readText("a") == "he")
        #expect(failure { _ = try root.readFile("a", limit: 1) } == .tooBig)
        #expect(failure { _ = try root.open("missing") } == .notFound)
    }

    @Test func errorsAreSentences() throws {
        do {
            _ = try FileDescriptor.open("/nonexistent/file")
            Issue.record("opened")
        } catch {
            #expect(error.description == "cannot open /nonexistent/file: no such file or directory")
            #expect(error.code.name == "ENOENT")
        }
        #expect(ErrorNumber(name: "EPERM") == .notPermitted)
        #expect(ErrorNumber(name: "ENONSENSE") == nil)
    }

    @Test func namesMayBeAnyBytesButNul() throws {
        let directory = try TemporaryDirectory()
        let name: [UInt8] = [0x66, 0xff, 0xfe]
        try directory.descriptor.writeFile(name, [1, 2, 3], creating: true)
        #expect(try directory.descriptor.entries().map(\.bytes) == [name])
        #expect(failure { _ = try directory.descriptor.open("a\0b") } == .invalidArgument)
        #expect(failure { _ = try directory.descriptor.open([0x61, 0, 0x62] as [UInt8]) } == .invalidArgument)
    }

    @Test func rootIsNotLeft() throws {
        let directory = try TemporaryDirectory()
        let root = directory.descriptor
        try root.makeDirectories("etc/deep/er")
        try root.writeFile("etc/passwd", "inside", creating: true)
        try root.makeSymbolicLink("absolute", to: "/etc/passwd")
        try root.makeSymbolicLink("upward", to: "../../../../../../etc/passwd")
        try root.makeSymbolicLink("magic", to: "/proc/self/root/etc/passwd")
        #expect(try root.openInRoot("absolute", .readOnly).readAll() == Array("inside".utf8))
        #expect(try root.openInRoot("upward", .readOnly).readAll() == Array("inside".utf8))
        #expect(try root.openInRoot("/../../etc/passwd", .readOnly).readAll() == Array("inside".utf8))
        #expect(failure { _ = try root.openInRoot("magic", .readOnly) } == .notFound)
        #expect(failure { _ = try root.open("absolute", .readOnly, resolve: .noSymlinks) } == .symlinkLoop)
        #expect(failure { _ = try root.open("upward", .readOnly, resolve: .beneath) } == .crossDevice)
    }

    @Test func statusTellsTypeModeAndTimes() throws {
        let directory = try TemporaryDirectory()
        let root = directory.descriptor
        try root.writeFile("f", "x", creating: true)
        try root.changeMode(of: "f", to: 0o4751)
        try root.changeOwner(of: "f", userID: 3_000_000_000, groupID: 12)
        try root.changeMode(of: "f", to: 0o4751)
        let time = Timestamp(seconds: 1_000_000_000_0, nanoseconds: 123_456_789)
        try root.setTimes(of: "f", accessed: nil, modified: time)
        let status = try root.status(of: "f")
        #expect(status.type == .regular)
        #expect(status.permissions == 0o4751)
        #expect(status.userID == 3_000_000_000)
        #expect(status.groupID == 12)
        #expect(status.modified == time)
        #expect(try root.statusIfPresent(of: "g") == nil)
        try root.makeSymbolicLink("l", to: "f")
        #expect(try root.status(of: "l").isSymbolicLink)
        #expect(try root.status(of: "l", followLinks: true).isRegular)
        try root.makeNode("null", type: .characterDevice, mode: 0o600, device: DeviceNumber(major: 1, minor: 300))
        #expect(try root.status(of: "null").specialDevice == DeviceNumber(major: 1, minor: 300))
        let handle = try root.open("f", [.path, .noFollow])
        try handle.changeMode(0o600)
        try handle.setTimes(accessed: time, modified: nil)
        #expect(try root.status(of: "f").permissions == 0o600)
        #expect(try root.status(of: "f").accessed == time)
    }

    @Test func replacingIsAtomicAndLeavesNothing() throws {
        let directory = try TemporaryDirectory()
        let root = directory.descriptor
        try root.replaceFile("config", with: "one", mode: 0o640, durable: true)
        try root.replaceFile("\(directory.path)/config", with: "two", mode: 0o640)
        #expect(try root.readText("config") == "two")
        #expect(try root.status(of: "config").permissions == 0o640)
        try root.makeDirectory("busy")
        #expect(failure { try root.replaceFile("busy", with: "x") } == .isDirectory)
        #expect(try root.entries().map(\.name).sorted() == ["busy", "config"])
    }

    @Test func removesTreesWithoutFollowingLinks() throws {
        let directory = try TemporaryDirectory()
        let root = directory.descriptor
        try root.makeDirectories("outside")
        try root.writeFile("outside/keep", "x", creating: true)
        try root.makeDirectories("tree/sub")
        try root.makeSymbolicLink("tree/link", to: "../outside")
        for number in 0..<500 { try root.writeFile("tree/sub/\(number)", "", creating: true) }
        // Far deeper than a path can say.
        var level = try root.open("tree", [.readOnly, .directory])
        for _ in 0..<700 {
            try level.makeDirectory("d")
            level = try level.open("d", [.readOnly, .directory])
        }
        try root.removeTree("tree")
        #expect(!root.exists("tree"))
        #expect(root.exists("outside/keep"))
        try root.removeTree("tree")
        try root.makeSymbolicLink("l", to: "outside")
        try root.removeTree("l")
        #expect(root.exists("outside/keep"))
    }

    @Test func copiesKeepHoles() throws {
        let directory = try TemporaryDirectory()
        let root = directory.descriptor
        let source = try root.open("source", [.readWrite, .create])
        try source.truncate(to: 64 << 20)
        try source.seek(to: 32 << 20)
        try source.writeAll("middle")
        let copy = try root.open("copy", [.readWrite, .create])
        try copy.writeAll("old content")
        try copy.copyContents(of: source)
        #expect(try copy.status().size == 64 << 20)
        #expect(try copy.status().blocks < 1000)
        #expect(try copy.pread(count: 6, at: 32 << 20) == Array("middle".utf8))
        #expect(try copy.pread(count: 4, at: 0) == [0, 0, 0, 0])
        // procfs files say they are empty.
        let version = try root.open("version", [.readWrite, .create])
        try version.copyContents(of: FileDescriptor.open("/proc/version"))
        #expect(try root.readText("version").hasPrefix("Linux version"))
    }

    @Test func extendedAttributes() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/f"
        try directory.descriptor.writeFile("f", "", creating: true)
        #expect(try ExtendedAttributes.get("user.none", of: path) == nil)
        let big = [UInt8](repeating: 7, count: 900)
        try ExtendedAttributes.set("user.one", [1, 0, 2], of: path)
        try ExtendedAttributes.set("trusted.two", big, of: path)
        #expect(try ExtendedAttributes.list(of: path).sorted() == ["trusted.two", "user.one"])
        #expect(try ExtendedAttributes.get("trusted.two", of: path) == big)
        let file = try FileDescriptor.open(path, .readWrite)
        #expect(try file.extendedAttribute("user.one") == [1, 0, 2])
        try file.removeExtendedAttribute("user.one")
        #expect(try file.extendedAttributeNames() == ["trusted.two"])
        #expect(failure { try ExtendedAttributes.set("user.x", [], of: path, mode: .replace) } == .noData)
    }

    @Test func descriptorsAreClosed() throws {
        let raw: Int32
        do {
            let file = try FileDescriptor.open("/dev/null")
            raw = file.rawValue
            #expect(FileDescriptor.currentDirectory.exists("/proc/self/fd/\(raw)"))
            try file.close()
            try file.close()
            #expect(file.rawValue == -1)
        }
        #expect(failure { _ = try FileDescriptor(borrowing: 999).statusFlags } == .badDescriptor)
        let kept = try FileDescriptor.open("/dev/null").release()
        let owner = FileDescriptor(owning: kept)
        #expect(try owner.statusFlags >= 0)
    }

    @Test func locksExcludeEachOther() throws {
        let directory = try TemporaryDirectory()
        try directory.descriptor.writeFile("lock", "", creating: true)
        let one = try directory.descriptor.open("lock", .readWrite)
        let two = try directory.descriptor.open("lock", .readWrite)
        #expect(try one.lock(.exclusive))
        #expect(try !two.lock(.shared, wait: false))
        try one.unlock()
        #expect(try two.lock(.shared, wait: false))
    }
}
