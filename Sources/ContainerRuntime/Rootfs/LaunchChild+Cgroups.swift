import Kernel

extension LaunchChild {
    /// Mounts the container's view of its cgroups: the unified hierarchy, or below a tmpfs one mount a v1 hierarchy.
    func mountCgroups(_ plan: MountPlan) throws {
        if try FileSystemStatus(of: "/sys/fs/cgroup").magic == FileSystemStatus.cgroup2Magic {
            try mountUnified(plan)
        } else {
            try mountHierarchies(plan)
        }
    }

    private var hasCgroupNamespace: Bool { plan.namespaces.contains(.cgroup) }

    private func mountUnified(_ plan: MountPlan) throws {
        let target = try RootTree(root).target(plan.destination, isDirectory: true)
        let tree: FileDescriptor
        do throws(KernelError) {
            tree = try Self.detachedFileSystem("cgroup2", "cgroup", plan.options, [])
        } catch {
            // Only the owner of the cgroup namespace may mount it; others see the part of it that is the container's.
            guard error.code == .notPermitted || error.code == .busy else { throw error }
            let own = hasCgroupNamespace ? "" : try Self.memberships().first { $0.hierarchy == 0 }?.path ?? ""
            tree = try FileDescriptor.open("/sys/fs/cgroup" + own, [.path, .directory]).cloneMount(recursive: true)
            try applyAttributes(plan.options, to: tree)
        }
        try applyPropagation(plan.options, to: tree)
        try tree.moveMount(to: target)
    }

    private static func memberships() throws(KernelError) -> [ProcessFiles.CgroupMembership] {
        try ProcessFiles.cgroups()
    }

    private func mountHierarchies(_ plan: MountPlan) throws {
        let target = try RootTree(root).target(plan.destination, isDirectory: true)
        var options = plan.options
        options.attributes.set.remove(.readOnly)
        let top = try Self.detachedFileSystem("tmpfs", "tmpfs", options, ["mode=755"])
        try applyPropagation(plan.options, to: top)
        try top.moveMount(to: target)
        let memberships = try Self.memberships()
        for mount in try MountInfo.all() where mount.mountPoint.hasPrefix("/sys/fs/cgroup/") {
            let name = String(mount.mountPoint.dropFirst("/sys/fs/cgroup/".utf8.count))
            guard !name.contains("/") else { continue }
            if mount.type == "cgroup" {
                try mountHierarchy(mount, name, below: top, memberships, plan)
            } else if mount.type == "cgroup2", hasCgroupNamespace {
                try makeMountPoint(name, in: top)
                let tree = try Self.detachedFileSystem("cgroup2", "cgroup", plan.options, [])
                try tree.moveMount(to: try top.open(name, [.path, .directory]))
            }
        }
        if plan.options.attributes.set.contains(.readOnly) { try top.setMountAttributes(set: .readOnly) }
    }

    private func mountHierarchy(
        _ mount: MountInfo, _ name: String, below top: FileDescriptor,
        _ memberships: [ProcessFiles.CgroupMembership], _ plan: MountPlan
    ) throws {
        let controllers = name.split(separator: ",").map(String.init)
        let options = mount.superOptions.filter { !["rw", "ro", "xattr", "clone_children"].contains($0) && !$0.hasPrefix("release_agent") }
        try makeMountPoint(name, in: top)
        let place = try top.open(name, [.path, .directory])
        if hasCgroupNamespace {
            let tree = try Self.detachedFileSystem("cgroup", "cgroup", plan.options, options)
            try tree.moveMount(to: place)
        } else {
            let membership = memberships.first { membership in
                !membership.controllers.isEmpty && membership.controllers.allSatisfy { options.contains($0) }
            }
            let path = Self.path(membership?.path ?? "/", below: mount)
            let tree = try FileDescriptor.open(path, [.path, .directory]).cloneMount(recursive: true)
            try tree.setMountAttributes(set: plan.options.attributes.set, clear: plan.options.attributes.clear)
            try applyPropagation(plan.options, to: tree)
            try tree.moveMount(to: place)
        }
        // `cpu` and `cpuacct` for `cpu,cpuacct`.
        guard controllers.count > 1 else { return }
        for controller in controllers { try? top.makeSymbolicLink(controller, to: name) }
    }

    private func makeMountPoint(_ name: String, in directory: FileDescriptor) throws(KernelError) {
        do throws(KernelError) {
            try directory.makeDirectory(name, mode: 0o755)
        } catch {
            if error.code != .exists { throw error }
        }
    }

    /// Where a cgroup of /proc/self/cgroup is on this mount, whose own root may be deeper in the hierarchy.
    private static func path(_ cgroup: String, below mount: MountInfo) -> String {
        let relative = mount.root != "/" && cgroup.hasPrefix(mount.root) ? String(cgroup.dropFirst(mount.root.utf8.count)) : cgroup
        return mount.mountPoint + (relative == "/" ? "" : relative)
    }
}
