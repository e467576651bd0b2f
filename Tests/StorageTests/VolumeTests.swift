import Kernel
import OCI
import Storage
import Testing

@Suite struct VolumeTests {
    @Test func creation() throws {
        let root = try TemporaryRoot()
        let volumes = root.data.volumes
        let named = try volumes.create("data", labels: ["a": "b"])
        #expect(named.mountpoint == "\(root.path)/volumes/data/_data")
        #expect(named.source == .directory(named.mountpoint))
        #expect(FileDescriptor.currentDirectory.exists(named.mountpoint))
        #expect(try volumes.create("data") == named)
        let anonymous = try volumes.create()
        #expect(anonymous.isAnonymous && anonymous.name.count == 64)
        #expect(try volumes.list().count == 2)
        try root.reopen()
        #expect(try root.data.volumes.volume("data") == named)
    }

    @Test(arguments: ["x", "../x", "a/b", "-x", ".x", "a b", "a\u{0}b", String(repeating: "x", count: 300)])
    func namesThatAreNone(_ name: String) throws {
        let root = try TemporaryRoot()
        #expect(try failure { _ = try root.data.volumes.create(name) }.code == .invalidInput)
        #expect(try root.names(in: "volumes") == [])
    }

    @Test func options() throws {
        let root = try TemporaryRoot()
        let volumes = root.data.volumes
        let memory = try volumes.create("memory", options: ["type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=7"])
        #expect(memory.source == .fileSystem(type: "tmpfs", device: "tmpfs", options: ["size=1m", "uid=7"]))
        let bound = try volumes.create("bound", options: ["type": "none", "device": "/srv", "o": "bind"])
        #expect(bound.source == .directory("/srv"))
        #expect(
            try failure { _ = try volumes.create("v1", options: ["what": "x"]) }.message == "create v1: invalid option: \"what\"")
        #expect(try failure { _ = try volumes.create("v2", options: ["type": "nfs"]) }.code == .invalidInput)
        #expect(try failure { _ = try volumes.create("v3", options: ["size": "1g"]) }.code == .notSupported)
        #expect(try failure { _ = try volumes.create("v4", driver: "nfs") }.code == .notSupported)
        #expect(try root.names(in: "volumes") == ["bound", "memory"])
    }

    @Test func removal() throws {
        let root = try TemporaryRoot()
        let volumes = root.data.volumes
        _ = try volumes.create("data")
        let error = try failure { try volumes.remove("data", users: ["abc"]) }
        #expect(error.code == .conflict && error.message == "remove data: volume is in use - [abc]")
        try volumes.remove("data")
        #expect(try failure { try volumes.remove("data") }.code == .notFound)
        try volumes.remove("data", force: true)
        #expect(try root.names(in: "volumes") == [])
        let anonymous = try volumes.create()
        try FileDescriptor.currentDirectory.writeFile("\(anonymous.mountpoint)/x", "12345", creating: true)
        _ = try volumes.create("named")
        #expect(try volumes.prune(all: false, isUsed: { _ in true }).names == [])
        let pruned = try volumes.prune(all: false, isUsed: { _ in false })
        #expect(pruned.names == [anonymous.name] && pruned.freed == 5)
        #expect(try volumes.prune(all: true, isUsed: { _ in false }).names == ["named"])
    }

    @Test func copyUp() throws {
        let root = try TemporaryRoot()
        _ = try root.load(TestImage.small().dockerArchive())
        _ = try root.data.containers.create("c1", on: root.data.images.resolve("small:1").chainID)
        let writable = try root.data.containers.mergedTree(of: "c1", writable: true)
        try writable.changeMode(of: "data", to: 0o750)
        try writable.changeOwner(of: "data", userID: 5, groupID: 6)
        let tree = FileTree(root: try root.data.containers.mergedTree(of: "c1"))
        let volume = try root.data.volumes.create("v1")
        #expect(try root.data.volumes.copyUp("v1", from: tree, path: "/data"))
        let here = FileDescriptor.currentDirectory
        #expect(try here.readText("\(volume.mountpoint)/one") == "1")
        let status = try here.status(of: volume.mountpoint)
        #expect(status.userID == 5 && status.groupID == 6 && status.permissions == 0o750)
        // Only into an empty volume, and only what is there.
        #expect(try !root.data.volumes.copyUp("v1", from: tree, path: "/etc"))
        _ = try root.data.volumes.create("v2")
        #expect(try !root.data.volumes.copyUp("v2", from: tree, path: "/nothing"))
        // A copy that a crash cut short is made again.
        try here.writeFile("\(root.path)/volumes/v1/copying", "", creating: true)
        #expect(try root.data.volumes.copyUp("v1", from: tree, path: "/data"))
        #expect(!here.exists("\(root.path)/volumes/v1/copying"))
    }

    @Test func volumesOutliveTheirRecords() throws {
        let root = try TemporaryRoot()
        let volume = try root.data.volumes.create("kept")
        _ = try root.data.volumes.create("empty")
        _ = try root.data.volumes.create("removed")
        let here = FileDescriptor.currentDirectory
        try here.writeFile("\(volume.mountpoint)/x", "precious", creating: true)
        try root.execute("DELETE FROM volumes WHERE name IN ('kept', 'empty')")
        try here.removeTree("\(root.path)/volumes/removed")
        try root.reopen()
        #expect(try root.data.volumes.list().map(\.name) == ["kept"])
        #expect(try here.readText("\(volume.mountpoint)/x") == "precious")
    }
}
