import Archive
import Glibc
import JSON
import Kernel
import OCI
import Storage
import Testing

@Suite struct ContainerTests {
    private func root(_ driver: SnapshotDriverName) throws -> TemporaryRoot {
        let root = try TemporaryRoot(driver: driver)
        _ = try root.load(TestImage.small().dockerArchive())
        _ = try root.data.containers.create("c1", on: root.data.images.resolve("small:1").chainID)
        return root
    }

    /// Changes some files as a container would.
    private func change(_ root: TemporaryRoot) throws {
        let tree = try root.data.containers.mergedTree(of: "c1", writable: true)
        try tree.writeFile("etc/name", "changed")
        try tree.writeFile("new", "12345678", creating: true)
        try tree.removeTree("data")
    }

    @Test(arguments: SnapshotDriverName.allCases)
    func merged(_ driver: SnapshotDriverName) throws {
        let root = try root(driver)
        let tree = try root.data.containers.mergedTree(of: "c1")
        #expect(try tree.readText("etc/name") == "lower")
        #expect(try tree.readText("etc/top") == "upper")
        #expect(!tree.exists("etc/gone"))
        #expect(throws: KernelError.self) { try tree.writeFile("new", "x", creating: true) }
        try change(root)
        let changed = try root.data.containers.mergedTree(of: "c1")
        #expect(try changed.readText("etc/name") == "changed")
        #expect(!changed.exists("data"))
        // The image is as it was.
        _ = try root.data.containers.create("c2", on: root.data.images.resolve("small:1").chainID)
        #expect(try root.data.containers.mergedTree(of: "c2").readText("etc/name") == "lower")
        // Nothing of it is mounted anywhere.
        #expect(!(try FileDescriptor.currentDirectory.readText("/proc/self/mountinfo").contains(root.scratch)))
    }

    @Test func transientTreesAreNotWrittenOut() throws {
        let root = try root(.overlay2)
        func mount(isTransient: Bool) throws -> [String] {
            guard case .overlay(let overlay) = try root.data.containers.rootToMount(of: "c1", isTransient: isTransient)
            else { return [] }
            let context = try FileSystemContext(type: "overlay")
            try context.set("source", "overlay")
            try context.set("lowerdir", overlay.lowerDirectories.joined(separator: ":"))
            try context.set("upperdir", overlay.upperDirectory)
            try context.set("workdir", overlay.workDirectory)
            for option in overlay.options { try context.set(option) }
            try context.create()
            try context.mount().writeFile("new", "12345678", creating: true)
            return overlay.options
        }
        // The kernel refuses what was volatile before, unless its mark is removed.
        for isTransient in [false, true, true, false] {
            #expect(try mount(isTransient: isTransient) == (isTransient ? ["volatile"] : []))
        }
        #expect(try mount(isTransient: true) == ["volatile"])
        #expect(try root.data.containers.mergedTree(of: "c1", writable: true).readText("new") == "12345678")
    }

    @Test func whatNobodyWaitsForGoesSoon() throws {
        let root = try root(.overlay2)
        for number in 2...20 { _ = try root.data.containers.create("c\(number)", on: nil) }
        for number in 1...20 { try root.data.containers.remove("c\(number)", waits: false) }
        #expect(try root.names(in: "containers") == [])
        for _ in 0..<1000 where try !root.names(in: "layers/trash").isEmpty { usleep(10_000) }
        #expect(try root.names(in: "layers/trash") == [])
    }

    @Test(arguments: SnapshotDriverName.allCases)
    func changesAndSize(_ driver: SnapshotDriverName) throws {
        let root = try root(driver)
        #expect(try root.data.containers.changes("c1") == [])
        try change(root)
        let changes = try root.data.containers.changes("c1")
        #expect(
            changes == [
                FileChange(path: "/data", kind: .deleted), FileChange(path: "/etc", kind: .modified),
                FileChange(path: "/etc/name", kind: .modified), FileChange(path: "/new", kind: .added),
            ])
        let size = try root.data.containers.size(of: "c1")
        if driver == .overlay2 { #expect(size.writable == 15 && size.total == 30) }
        let usage = try root.data.diskUsage()
        #expect(usage.containers["c1"] == size.writable && usage.layersSize > 0 && usage.images.count == 1)
    }

    @Test(arguments: SnapshotDriverName.allCases)
    func removal(_ driver: SnapshotDriverName) throws {
        let root = try root(driver)
        try change(root)
        #expect(try failure { _ = try root.data.containers.create("c1", on: nil) }.code == .conflict)
        #expect(try root.data.containers.list() == ["c1"])
        try root.data.containers.remove("c1")
        try root.data.containers.remove("c1")
        #expect(try root.data.containers.list() == [])
        #expect(try root.names(in: "containers") == [])
        #expect(try failure { _ = try root.data.containers.root(of: "c1") }.code == .notFound)
    }

    @Test(arguments: ["", "..", "a/b", ".hidden", String(repeating: "x", count: 200)])
    func idsThatAreNone(_ id: String) throws {
        let root = try TemporaryRoot()
        #expect(try failure { _ = try root.data.containers.create(id, on: nil) }.code == .invalidInput)
        try root.expectNothing()
    }

    @Test func imageWithoutLayers() throws {
        let root = try TemporaryRoot()
        let made = try root.data.containers.create("c1", on: nil)
        guard case .overlay(let overlay) = made else { throw StorageError(.system, "\(made)") }
        #expect(overlay.lowerDirectories.count == 1)
        let tree = try root.data.containers.mergedTree(of: "c1", writable: true)
        try tree.writeFile("x", "x", creating: true)
        #expect(try root.data.containers.changes("c1") == [FileChange(path: "/x", kind: .added)])
    }

    @Test func chainOfManyLayers() throws {
        let root = try TemporaryRoot()
        let image = try TestImage("many", layers: (0..<120).map { n in try tar { try $0.file("f\(n)", "\(n)") } })
        _ = try root.load(image.dockerArchive())
        let made = try root.data.containers.create("c1", on: root.data.images.resolve("many").chainID)
        guard case .overlay(let overlay) = made else { throw StorageError(.system, "\(made)") }
        #expect(overlay.lowerDirectories.count == 120)
        #expect(try root.data.containers.mergedTree(of: "c1").readText("f77") == "77")
    }

    @Test(arguments: SnapshotDriverName.allCases)
    func export(_ driver: SnapshotDriverName) throws {
        let root = try root(driver)
        try change(root)
        let output = try FileDescriptor.open("\(root.scratch)/export", [.readWrite, .create])
        try FileTree(root: root.data.containers.mergedTree(of: "c1")).export(to: output)
        let reader = TarReader(DescriptorSource(try FileDescriptor.open("\(root.scratch)/export")))
        var files: [String: String] = [:]
        while let entry = try reader.next() {
            files[entry.name] = entry.kind == .file ? String(decoding: try reader.readContent(), as: UTF8.self) : ""
        }
        #expect(files == ["etc": "", "etc/name": "changed", "etc/top": "upper", "here": "", "new": "12345678"])
    }

    @Test func exportOfMixedSizes() throws {
        let root = try TemporaryRoot()
        _ = try root.data.containers.create("c1", on: nil)
        let tree = try root.data.containers.mergedTree(of: "c1", writable: true)
        var expected: [String: [UInt8]] = [:]
        for (number, size) in [1, 100_000, 130_000, 5000, 140_000, 262_144, 0, 131_072, 300_000, 7].enumerated() {
            let bytes = [UInt8](repeating: UInt8(number + 1), count: size)
            expected["f\(number)"] = bytes
            try tree.writeFile("f\(number)", bytes, creating: true)
        }
        let output = try FileDescriptor.open("\(root.scratch)/export", [.readWrite, .create])
        try FileTree(root: tree).export(to: output)
        let reader = TarReader(DescriptorSource(try FileDescriptor.open("\(root.scratch)/export")))
        var found: [String: [UInt8]] = [:]
        while let entry = try reader.next() { found[entry.name] = try reader.readContent() }
        #expect(found == expected)
    }

    @Test(arguments: SnapshotDriverName.allCases)
    func commit(_ driver: SnapshotDriverName) throws {
        let root = try root(driver)
        try change(root)
        let base = try root.data.images.resolve("small:1")
        var options = ImageStore.CommitOptions(
            containerID: "c1", parent: base.id, config: base.config.config ?? ImageRunConfig())
        options.reference = try ImageReference("committed")
        options.message = "why"
        options.changes = ["CMD true"]
        let id = try root.data.images.commit(options)
        let image = try root.data.images.resolve("committed")
        #expect(image.id == id && image.parent == base.id)
        #expect(image.config.rootfs.diffIDs?.count == 3)
        #expect(image.config.history?.count == 3)
        _ = try root.data.containers.create("c2", on: image.chainID)
        let tree = try root.data.containers.mergedTree(of: "c2")
        #expect(try tree.readText("etc/name") == "changed")
        #expect(!tree.exists("data") && tree.exists("new"))
        // Its parent cannot go before it.
        let error = try failure { _ = try root.data.images.remove(base.id.short, force: true, uses: { _ in [] }) }
        #expect(error.message.contains("dependent child images"))
        let other = try TemporaryRoot()
        #expect(try other.load(root.save(["committed"])).map(\.id) == [id])
    }
}

@Suite struct FileTreeTests {
    private func tree(_ root: TemporaryRoot) throws -> FileTree {
        _ = try root.load(TestImage.small().dockerArchive())
        _ = try root.data.containers.create("c1", on: root.data.images.resolve("small:1").chainID)
        return FileTree(root: try root.data.containers.mergedTree(of: "c1", writable: true))
    }

    @Test func status() throws {
        let root = try TemporaryRoot()
        let tree = try tree(root)
        let file = try tree.status(of: "/etc/name")
        #expect(file.name == "name" && file.size == 5 && file.goMode == 0o644 && !file.isDirectory)
        #expect(try tree.status(of: "etc").goMode == 0o755 | 1 << 31)
        let link = try tree.status(of: "/here")
        #expect(link.linkTarget == "/etc" && link.goMode & 1 << 27 != 0)
        #expect(try tree.status(of: "/here/name").size == 5)
        #expect(try tree.status(of: "/").name == "/")
        #expect(try failure { _ = try tree.status(of: "/nothing") }.code == .notFound)
        #expect(try failure { _ = try tree.status(of: "/etc/name/x") }.code == .notFound)
        #expect(try tree.status(of: "/../../../../../etc/name").size == 5)
    }

    private func entries(_ tree: FileTree, _ path: String, _ root: TemporaryRoot) throws -> [String] {
        let output = try FileDescriptor.open("\(root.scratch)/cp", [.readWrite, .create, .truncate])
        try tree.archive(path, to: output)
        let reader = TarReader(DescriptorSource(try FileDescriptor.open("\(root.scratch)/cp")))
        var names: [String] = []
        while let entry = try reader.next() { names.append(entry.name) }
        return names.sorted()
    }

    @Test func copyingOut() throws {
        let root = try TemporaryRoot()
        let tree = try tree(root)
        #expect(try entries(tree, "/etc/name", root) == ["name"])
        #expect(try entries(tree, "/etc", root) == ["etc", "etc/name", "etc/top"])
        #expect(try entries(tree, "/here", root) == ["here"])
        #expect(try entries(tree, "/here/", root) == ["here", "here/name", "here/top"])
        #expect(try entries(tree, "/etc/.", root).contains { $0.hasSuffix("name") })
        #expect(try failure { _ = try entries(tree, "/nothing", root) }.code == .notFound)
    }

    @Test func copyingIn() throws {
        let root = try TemporaryRoot()
        let tree = try tree(root)
        let archive = try compressed(tar { try $0.file("new", "new") }, .gzip)
        try tree.extract(from: root.file("in", archive), into: "/here")
        #expect(try tree.root.readText("etc/new") == "new")
        #expect(try failure { try tree.extract(from: root.file("in", archive), into: "/nothing") }.code == .notFound)
        #expect(
            try failure { try tree.extract(from: root.file("in", archive), into: "/etc/name") }.code == .invalidInput)
        // A directory does not silently become a file.
        let file = try tar { try $0.file("data", "x") }
        #expect(throws: StorageError.self) {
            try tree.extract(from: root.file("in", file), into: "/", keepsTypes: true)
        }
        #expect(try tree.status(of: "/data").isDirectory)
        // Nothing leaves the tree.
        let evil = try tar {
            try $0.link("out", to: "/../../../../tmp")
            try $0.file("out/dhow-escaped", "x")
        }
        try? tree.extract(from: root.file("in", evil), into: "/etc")
        #expect(!FileDescriptor.currentDirectory.exists("/tmp/dhow-escaped"))
        try tree.extract(from: root.file("in", archive), into: "/data", owner: (uid: 12, gid: 34))
        #expect(try tree.root.status(of: "data/new").userID == 12)
    }
}
