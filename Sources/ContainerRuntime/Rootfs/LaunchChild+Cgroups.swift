import Cgroups
import Kernel

extension LaunchChild {
    /// Mounts the container's view of its cgroups: the unified hierarchy, or below a tmpfs one mount a v1 hierarchy.
    func mountCgroups(_ plan: MountPlan) throws {
        guard let host = inherited.cgroupHost else {
            throw RuntimeError(.invalidSpecification, "the host has no cgroups to mount at \(plan.destination)")
        }
        if host.version == .v2 { try mountUnified(plan, host) } else { try mountHierarchies(plan, host) }
    }

    private var hasCgroupNamespace: Bool { plan.namespaces.contains(.cgroup) }

    private func mountUnified(_ plan: MountPlan, _ host: CgroupHost) throws {
        let target = try RootTree(root).target(plan.destination, isDirectory: true)
        let tree: FileDescriptor
        do throws(KernelError) {
            tree = try Self.detachedFileSystem("cgroup2", "cgroup", plan.options, [])
        } catch {
            // Only the owner of the cgroup namespace may mount it; others see the part of it that is the container's.
            guard error.code == .notPermitted || error.code == .busy, let mountPoint = host.unified?.mountPoint else {
                throw error
            }
            let source = inherited.cgroupPaths[""] ?? mountPoint
            tree = try FileDescriptor.open(source, [.path, .directory]).cloneMount(recursive: true)
            try applyAttributes(plan.options, to: tree)
        }
        try applyPropagation(plan.options, to: tree)
        try tree.moveMount(to: target)
    }

    private func mountHierarchies(_ plan: MountPlan, _ host: CgroupHost) throws {
        let target = try RootTree(root).target(plan.destination, isDirectory: true)
        var options = plan.options
        options.attributes.set.remove(.readOnly)
        let top = try Self.detachedFileSystem("tmpfs", "tmpfs", options, ["mode=755"])
        try applyPropagation(plan.options, to: top)
        try top.moveMount(to: target)
        for hierarchy in host.hierarchies { try mountHierarchy(hierarchy, below: top, plan) }
        if let unified = host.unified, hasCgroupNamespace {
            let place = try makeMountPoint(Self.name(of: unified), in: top)
            try Self.detachedFileSystem("cgroup2", "cgroup", plan.options, []).moveMount(to: place)
        }
        if plan.options.attributes.set.contains(.readOnly) { try top.setMountAttributes(set: .readOnly) }
    }

    private func mountHierarchy(
        _ hierarchy: CgroupHost.Hierarchy, below top: FileDescriptor, _ plan: MountPlan
    ) throws {
        let name = Self.name(of: hierarchy)
        let place = try makeMountPoint(name, in: top)
        if hasCgroupNamespace {
            let tree = try Self.detachedFileSystem("cgroup", "cgroup", plan.options, hierarchy.controllers)
            try tree.moveMount(to: place)
        } else {
            let own = hierarchy.controllers.lazy.compactMap { self.inherited.cgroupPaths[$0] }.first
            let tree = try FileDescriptor.open(own ?? hierarchy.mountPoint, [.path, .directory])
                .cloneMount(recursive: true)
            try tree.setMountAttributes(set: plan.options.attributes.set, clear: plan.options.attributes.clear)
            try applyPropagation(plan.options, to: tree)
            try tree.moveMount(to: place)
        }
        // `cpu` and `cpuacct` for `cpu,cpuacct`.
        guard hierarchy.controllers.count > 1 else { return }
        for controller in hierarchy.controllers where controller != name {
            try? top.makeSymbolicLink(controller, to: name)
        }
    }

    private func makeMountPoint(_ name: String, in directory: FileDescriptor) throws(KernelError) -> FileDescriptor {
        do throws(KernelError) {
            try directory.makeDirectory(name, mode: 0o755)
        } catch {
            if error.code != .exists { throw error }
        }
        return try directory.open(name, [.path, .directory])
    }

    /// The last part of where the host has it.
    private static func name(of hierarchy: CgroupHost.Hierarchy) -> String {
        hierarchy.mountPoint.split(separator: "/").last.map(String.init) ?? "unified"
    }
}
