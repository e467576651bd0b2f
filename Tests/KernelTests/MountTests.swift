import Glibc
import Kernel
import Testing

/// Runs `body` on a thread that has a mount namespace of its own: nothing of it is left afterwards.
func inMountNamespace(_ body: @escaping @Sendable () throws -> Void) throws {
    final class Outcome: @unchecked Sendable {
        // Written by the thread before it ends, read after it was joined.
        var error: (any Error)?
        let body: @Sendable () throws -> Void
        init(_ body: @escaping @Sendable () throws -> Void) { self.body = body }
    }
    let outcome = Outcome(body)
    var thread = pthread_t()
    let context = Unmanaged.passRetained(outcome).toOpaque()
    let result = pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            let outcome = Unmanaged<Outcome>.fromOpaque(context).takeRetainedValue()
            do {
                try Namespaces.unshare(.mount)
                try Mount.mount(nil, on: "/", flags: [.recursive, .private])
                try outcome.body()
            } catch { outcome.error = error }
            return nil
        }, context)
    #expect(result == 0)
    pthread_join(thread, nil)
    if let error = outcome.error { throw error }
}

@Suite struct MountTests {
    @Test func mountsByDescriptor() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path
        try inMountNamespace {
            let context = try FileSystemContext(type: "tmpfs")
            try context.set("size", "1m")
            try context.set("mode", "0711")
            try context.create()
            let mount = try context.mount(attributes: [.noDevices, .noExecute])
            #expect(try mount.status().permissions == 0o711)
            try mount.setMountAttributes(set: .readOnly, clear: .noExecute)
            try mount.moveMount(to: FileDescriptor.open(path, [.path, .directory]))
            let info = try #require(try MountInfo.all(of: "thread-self").first { $0.mountPoint == path })
            #expect(info.type == "tmpfs")
            #expect(info.options.contains("ro") && info.options.contains("nodev"))
            #expect(!info.options.contains("noexec"))
            #expect(
                failure { try FileDescriptor.currentDirectory.writeFile(path + "/x", "", creating: true) } == .readOnly)
            let clone = try FileDescriptor.currentDirectory.cloneMount(at: path)
            try Mount.unmount(path, flags: .detach)
            #expect(try clone.status().permissions == 0o711)
        }
        #expect(try !MountInfo.all().contains { $0.mountPoint == path })
    }

    @Test func badParametersCarryTheKernelsWords() throws {
        let context = try FileSystemContext(type: "tmpfs")
        do {
            try context.set("nonsense", "1")
            Issue.record("accepted")
        } catch {
            #expect(error.code == .invalidArgument)
            #expect(error.description.contains("nonsense"))
        }
        #expect(failure { _ = try FileSystemContext(type: "nosuchfs") } == .noDevice)
    }

    @Test func classicMounts() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path
        try inMountNamespace {
            let root = try FileDescriptor.open(path, [.readOnly, .directory])
            try root.makeDirectory("a b")
            try root.makeDirectory("c")
            try Mount.mount("tmpfs", on: path + "/a b", type: "tmpfs", flags: .noSetUserID, data: "size=64k")
            try Mount.bind(path + "/a b", on: path + "/c")
            let mounts = try MountInfo.all(of: "thread-self")
            #expect(mounts.contains { $0.mountPoint == path + "/a b" && $0.source == "tmpfs" })
            #expect(try FileSystemStatus(of: path + "/c").magic == FileSystemStatus.tmpfsMagic)
            // A mounted tree is not removed.
            #expect(failure { try root.removeTree("c") } == .busy)
        }
    }

    @Test func parsesMountInfo() {
        let line = "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/ro\\134ot rw,errors=continue"
        let info = MountInfo(line: line[...])
        #expect(info?.mountPoint == "/mnt 2")
        #expect(info?.root == "/mnt1")
        #expect(info?.source == "/dev/ro\\ot")
        #expect(info?.tags == ["master:1", "shared:2"])
        #expect(info?.isShared == true)
        #expect(info?.device == DeviceNumber(major: 98, minor: 0))
        for bad in [
            "", "1", "1 2 3", "a b c d e f - g h i", "1 2 0:1 / / rw - x", "1 2 01 / / rw - x y z",
            "1 2 0:1 / / rw a b c d e",
        ] {
            #expect(MountInfo(line: bad[...]) == nil, "\(bad)")
        }
    }

    @Test func namespacesAreKnownByTheirDescriptors() throws {
        let network = try FileDescriptor.open("/proc/self/ns/net")
        #expect(try Namespaces.kind(of: network) == .network)
        #expect(try Namespaces.kind(of: Namespaces.owner(of: network)) == .user)
        #expect(failure { _ = try Namespaces.kind(of: FileDescriptor.open("/dev/null")) } == .notTerminal)
        try inMountNamespace {
            try Namespaces.unshare(.network)
            try bringLoopbackUp()
            // The kernel gives it its address when it comes up.
            let routes = try FileDescriptor.currentDirectory.readText("/proc/thread-self/net/fib_trie")
            #expect(routes.contains("127.0.0.1"))
        }
    }
}
