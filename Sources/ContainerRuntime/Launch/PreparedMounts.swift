import Kernel
import Monitor
import OCI

/// Mounts that only the parent can make, because they take powers over the host's file systems that a container in a
/// user namespace does not have. They are attached nowhere until the child moves them to their places.
enum PreparedMounts {
    static func make(for plan: LaunchPlan, _ specification: RuntimeSpec) throws -> [Int: FileDescriptor] {
        var prepared: [Int: FileDescriptor] = [:]
        for (index, step) in plan.steps.enumerated() {
            switch step {
            case .mountRoot(let mount, _) where plan.namespaces.contains(.user): prepared[index] = try root(mount)
            case .mount(let mount):
                if let tree = try bind(mount, plan) { prepared[index] = tree }
            default: break
            }
        }
        return prepared
    }

    private static func root(_ mount: RootMount) throws -> FileDescriptor? {
        switch mount {
        case .bind(let path): return try isolated(try FileDescriptor.open(path, [.path, .directory]), recursive: true)
        case .overlay(let overlay):
            do throws(KernelError) {
                return try OverlayMount.detached(overlay)
            } catch {
                if OverlayMount.isUnsupported(error) { return nil }
                throw error
            }
        }
    }

    private static func bind(_ mount: MountPlan, _ plan: LaunchPlan) throws -> FileDescriptor? {
        guard case .bind(let source, let recursive) = mount.kind else { return nil }
        let isClosed = plan.namespaces.contains(.user) && !isOpenToAll(source)
        guard mount.idMapping != nil || isClosed else { return nil }
        do {
            let tree = try isolated(try FileDescriptor.open(source, .path), recursive: recursive)
            guard let mapping = mount.idMapping else { return tree }
            let uids = mapping.uidMappings.isEmpty ? plan.uidMappings : mapping.uidMappings
            let gids = mapping.gidMappings.isEmpty ? plan.gidMappings : mapping.gidMappings
            guard !uids.isEmpty, !gids.isEmpty else {
                throw RuntimeError(
                    .invalidSpecification,
                    "the idmapped mount at \(mount.destination) has no mappings, and neither has the container")
            }
            let namespace = try UserNamespace.make(uids: uids, gids: gids)
            try tree.setMountAttributes(set: .idMapped, userNamespace: namespace, recursive: mapping.isRecursive)
            return tree
        } catch let error as KernelError {
            // Without power over mounts out here, what this user may reach the child, which is the same user, may too.
            if mount.idMapping == nil, error.code == .notPermitted { return nil }
            throw RuntimeError(
                .system, "error mounting \"\(source)\" to rootfs at \"\(mount.destination)\": \(error)",
                errno: error.code.rawValue)
        }
    }

    /// Whether everyone may reach a path; the root of a user namespace is nobody out here.
    private static func isOpenToAll(_ path: String) -> Bool {
        var directory = ""
        for part in path.split(separator: "/").dropLast() {
            directory += "/" + part
            guard let status = try? FileDescriptor.currentDirectory.status(of: directory, followLinks: true),
                status.permissions & 0o001 != 0
            else { return false }
        }
        return true
    }

    /// A copy whose mounts do not take part in the host's propagation as peers, as those of the container's mount
    /// namespace do not.
    private static func isolated(_ file: FileDescriptor, recursive: Bool) throws(KernelError) -> FileDescriptor {
        let tree = try file.cloneMount(recursive: recursive)
        try tree.setMountAttributes(propagation: .slave, recursive: true)
        return tree
    }
}

/// User namespaces without anyone in them.
enum UserNamespace {
    /// Makes one with these maps. A process has to live in it for as long as the maps are written.
    static func make(uids: [LinuxIDMapping], gids: [LinuxIDMapping]) throws -> FileDescriptor {
        var options = CloneOptions()
        options.namespaces = .user
        let pipe = try Pipe()
        guard case .parent(let pid, let descriptor) = try clone(options) else {
            try? pipe.writeEnd.close()
            _ = try? pipe.readEnd.read(count: 1)
            exitImmediately(0)
        }
        let process = ProcessDescriptor(descriptor)
        defer {
            try? process.send(signal: .kill)
            _ = try? process.wait()
        }
        try IDMapWriter.write(uids: uids, gids: gids, of: pid)
        return try FileDescriptor.open("/proc/\(pid)/ns/user")
    }
}
