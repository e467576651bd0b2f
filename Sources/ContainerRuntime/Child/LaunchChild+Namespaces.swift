import Kernel
import OCI

extension LaunchChild {
    func joinNamespace(_ kind: NamespaceKind, _ path: String) throws {
        let namespace = try FileDescriptor.open(path)
        guard let actual = try? Namespaces.kind(of: namespace), actual == kind.flag else {
            throw RuntimeError(.invalidSpecification, "\(path) is not a \(kind.rawValue) namespace")
        }
        if kind == .user, try isOwnUserNamespace(namespace) { return }
        do throws(KernelError) {
            try Namespaces.join(namespace, kind.flag)
        } catch {
            // A namespace that belongs to the user namespace we are about to join can only be joined from inside.
            guard error.code == .notPermitted, plan.namespaces.joined[.user] != nil, kind != .user else { throw error }
            postponedNamespaces.append((namespace, kind))
            return
        }
        if kind == .user {
            for (namespace, kind) in postponedNamespaces { try Namespaces.join(namespace, kind.flag) }
            postponedNamespaces = []
        }
    }

    /// Joining the user namespace that one is in is an error to the kernel, and nothing to do for us.
    private func isOwnUserNamespace(_ namespace: FileDescriptor) throws -> Bool {
        let own = try FileDescriptor.currentDirectory.status(of: "/proc/self/ns/user", followLinks: true)
        return try own.inode == namespace.status().inode
    }

    func become(uid: UInt32, gid: UInt32) throws {
        // Groups may be forbidden in a user namespace (setgroups: deny).
        try? Credentials.setSupplementaryGroups([])
        try Credentials.setGroupIDs(gid)
        try Credentials.setUserIDs(uid)
        try ProcessControl.setDumpable(false)
    }

    /// Makes namespaces. A pid namespace only takes in the children of who makes it, so the rest of the plan is the
    /// child's; this process ends.
    func unshare(_ kinds: [NamespaceKind]) throws {
        let flags = kinds.reduce(into: Namespaces()) { $0.formUnion($1.flag) }
        guard kinds.contains(.pid) else { return try Namespaces.unshare(flags) }
        var options = CloneOptions()
        options.namespaces = flags
        options.parentIsSibling = true
        switch try clone(options) {
        case .child: return
        case .parent(let pid, let descriptor):
            try channel.report(.successor(pid: pid, pidfd: descriptor))
            exitImmediately(0)
        }
    }

    func unshareTime(_ offsets: [String: LinuxTimeOffset]) throws {
        try Namespaces.unshare(.time)
        try TimeOffsets.write(offsets)
    }

    func joinSessionKeyring(_ name: String) throws {
        do throws(KernelError) {
            let key = try ProcessControl.joinSessionKeyring(name)
            // The container's users may see and link to the keyring: KEY_USR_VIEW … as the owner has.
            try ProcessControl.addKeyPermissions(key, 0x0008_0000)
        } catch {
            // Kernels without keys, and quotas that are used up, are no reason to refuse a container.
            switch error.code {
            case .notImplemented, .quotaExceeded, .accessDenied, .notPermitted: break
            default: throw error
            }
        }
    }
}

/// The offsets of a time namespace that has been made and not been entered yet.
enum TimeOffsets {
    static func write(_ offsets: [String: LinuxTimeOffset]) throws(KernelError) {
        guard !offsets.isEmpty else { return }
        let lines = offsets.sorted { $0.key < $1.key }.map { clock, offset in
            "\(clock) \(offset.secs ?? 0) \(offset.nanosecs ?? 0)\n"
        }
        let file = try FileDescriptor.open("/proc/self/timens_offsets", .writeOnly)
        try file.writeAll(lines.joined())
    }
}
