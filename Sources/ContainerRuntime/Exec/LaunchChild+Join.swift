import Kernel

extension LaunchChild {
    /// Joins all namespaces of a container at once, which the kernel does completely or not at all.
    func joinContainer(_ kinds: [NamespaceKind], pid: Int32) throws {
        guard let container = inherited.container else {
            throw RuntimeError(.system, "no container was given to join")
        }
        // Before its mounts become ours: a container without a mount namespace has only its root directory.
        let rootDirectory =
            kinds.contains(.mount) ? nil : try FileDescriptor.open("/proc/\(pid)/root", [.path, .directory])
        var flags = Namespaces()
        for kind in kinds where try isForeign(kind, pid) { flags.insert(kind.flag) }
        if !flags.isEmpty { try Namespaces.join(container.descriptor, flags) }
        if let rootDirectory {
            try changeWorkingDirectory(to: rootDirectory)
            try changeRootDirectory(to: ".")
        }
        try changeWorkingDirectory(to: "/")
        root = try FileDescriptor.open("/", [.path, .directory])
    }

    private func isForeign(_ kind: NamespaceKind, _ pid: Int32) throws -> Bool {
        let here = FileDescriptor.currentDirectory
        let own = try here.status(of: "/proc/self/ns/\(kind.procName)", followLinks: true)
        let other = try here.status(of: "/proc/\(pid)/ns/\(kind.procName)", followLinks: true)
        return own.inode != other.inode
    }

    /// Goes on in a child, which lives in the pid namespace that this process has joined.
    func fork() throws {
        var options = CloneOptions()
        options.parentIsSibling = true
        switch try clone(options) {
        case .child: return
        case .parent(let pid, let descriptor):
            try channel.report(.successor(pid: pid, pidfd: descriptor))
            exitImmediately(0)
        }
    }
}
