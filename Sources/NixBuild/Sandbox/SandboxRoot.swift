import Kernel
import NixLocalStore
import NixStore

/// The root directory that a builder sees: a few files of its own, the objects that it may read, and a place for what it
/// makes.
///
/// It lies in the store's directory, so that an output moves into place by renaming, under a name that begins with the
/// derivation's hash, so that a collection spares it while the build lives and removes it when it does not.
struct SandboxRoot {
    let path: String
    /// A directory beside it, for what makes the sandbox and the builder must not see.
    let bundle: String
    private(set) var mounts: [Bind]
    private let parent: String
    private let store: LocalStore

    /// Something of the machine inside the sandbox.
    struct Bind: Equatable {
        /// On this machine.
        var source: String
        var target: String
        var isWritable: Bool
    }

    private static var here: FileDescriptor { .currentDirectory }

    /// Makes the directory; what an earlier, killed build left there goes first.
    /// - Parameters:
    ///   - inputs: the objects that the builder may read.
    ///   - hasNetwork: whether it sees the machine's network, and needs the files that name hosts.
    init(
        for derivation: StorePath, inputs: Set<StorePath>, user: BuildUser, hasNetwork: Bool,
        binds: [Bind], settings: BuildSettings, store: LocalStore
    ) throws {
        self.store = store
        let parent = store.layout.file(derivation) + ".chroot"
        (self.parent, path, bundle) = (parent, parent + "/root", parent + "/bundle")
        let here = Self.here
        try here.removeTree(parent)
        try here.makeDirectory(parent, mode: 0o710)
        do {
            let group = user.groupID
            try here.makeDirectory(bundle, mode: 0o700)
            try here.makeDirectory(path, mode: 0o750)
            if user.isOther {
                for directory in [parent, path] { try here.changeOwner(of: directory, userID: 0, groupID: group) }
            }
            try here.makeDirectory(path + "/tmp", mode: 0o1777)
            try here.changeMode(of: path + "/tmp", to: 0o1777)
            for name in ["/etc", "/dev", "/dev/shm", "/dev/pts", "/proc", settings.sandboxBuildDirectory] {
                try here.makeDirectories(path + name)
            }
            try Self.writeAccounts(path, settings)
            let objects = path + store.directory.path
            try here.makeDirectories(objects)
            if user.isOther { try here.changeOwner(of: objects, userID: 0, groupID: group) }
            try here.changeMode(of: objects, to: 0o1775)
            var mounts: [Bind] = []
            for input in inputs.sorted() {
                mounts.append(
                    Bind(source: store.layout.file(input), target: store.directory.print(input), isWritable: false))
            }
            for device in ["full", "null", "random", "tty", "urandom", "zero"] {
                mounts.append(Bind(source: "/dev/" + device, target: "/dev/" + device, isWritable: true))
            }
            if settings.systemFeatures.contains("kvm"), here.exists("/dev/kvm") {
                mounts.append(Bind(source: "/dev/kvm", target: "/dev/kvm", isWritable: true))
            }
            for (target, name) in [
                ("/proc/self/fd", "fd"), ("/proc/self/fd/0", "stdin"), ("/proc/self/fd/1", "stdout"),
                ("/proc/self/fd/2", "stderr"), ("/dev/pts/ptmx", "ptmx"),
            ] { try here.makeSymbolicLink(path + "/dev/" + name, to: target) }
            if hasNetwork {
                try here.writeFile(
                    path + "/etc/nsswitch.conf", "hosts: files dns\nservices: files\n", creating: true)
                for file in ["/etc/resolv.conf", "/etc/services", "/etc/hosts"] where here.exists(file) {
                    mounts.append(Bind(source: file, target: file, isWritable: false))
                }
            } else {
                try here.writeFile(path + "/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n", creating: true)
            }
            mounts += binds
            let root = path
            self.mounts = try mounts.filter { try Self.prepare($0, below: root) }
        } catch {
            try? here.removeTree(parent)
            throw error
        }
    }

    private static func writeAccounts(_ root: String, _ settings: BuildSettings) throws(KernelError) {
        let home = settings.sandboxBuildDirectory
        let (user, group) = (Sandbox.userID, Sandbox.groupID)
        try here.writeFile(
            root + "/etc/passwd",
            "root:x:0:0:Nix build user:\(home):/noshell\nnixbld:x:\(user):\(group):Nix build user:\(home):/noshell\n"
                + "nobody:x:65534:65534:Nobody:/:/noshell\n", creating: true)
        try here.writeFile(
            root + "/etc/group", "root:x:0:\nnixbld:!:\(group):\nnogroup:x:65534:\n", creating: true)
    }

    /// Shows more of the machine.
    mutating func add(_ binds: [Bind]) throws { mounts += try binds.filter { try Self.prepare($0, below: path) } }

    /// Makes what a mount is placed on. A symbolic link cannot be mounted, and is made again inside.
    /// - Returns: whether there is something to mount.
    private static func prepare(_ bind: Bind, below root: String) throws -> Bool {
        let target = root + bind.target
        guard let status = try here.statusIfPresent(of: bind.source) else {
            throw BuildError(.cannotBuild, "getting attributes of path '\(bind.source)': No such file or directory")
        }
        let slash = target.utf8.lastIndex(of: UInt8(ascii: "/")) ?? target.startIndex
        try here.makeDirectories(String(target[..<slash]))
        if status.isSymbolicLink, bind.source.hasSuffix(bind.target.split(separator: "/").last.map(String.init) ?? "/"),
            !bind.source.hasPrefix("/etc/"), !bind.source.hasPrefix("/dev/")
        {
            if try here.statusIfPresent(of: target) == nil {
                try here.makeSymbolicLink(target, to: try here.readLink(bind.source))
            }
            return false
        }
        guard try here.statusIfPresent(of: target) == nil else { return true }
        if try here.status(of: bind.source, followLinks: true).isDirectory {
            try here.makeDirectories(target)
        } else {
            try here.writeFile(target, "", creating: true)
        }
        return true
    }

    /// Where an object is that the builder makes.
    func file(_ output: StorePath) -> String { path + store.directory.print(output) }

    func remove() throws { try Self.here.removeTree(parent) }
}
