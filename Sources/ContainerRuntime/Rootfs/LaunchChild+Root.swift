import Kernel
import Monitor

extension LaunchChild {
    /// Mounts the root file system at `path`, which is made when missing.
    func mountRoot(_ mount: RootMount, at path: String, prepared: FileDescriptor?) throws {
        let target: FileDescriptor
        do throws(KernelError) {
            target = try FileDescriptor.open(path, [.path, .directory])
        } catch {
            guard error.code == .notFound else { throw error }
            try FileDescriptor.currentDirectory.makeDirectories(path)
            target = try FileDescriptor.open(path, [.path, .directory])
        }
        try makeMountPrivate(at: target)
        let tree: FileDescriptor
        if let prepared {
            tree = prepared
        } else {
            switch mount {
            case .bind(let source): tree = try Self.clonedTree(source)
            case .overlay(let overlay):
                do throws(KernelError) {
                    tree = try OverlayMount.detached(overlay)
                } catch {
                    guard OverlayMount.isUnsupported(error) else { throw error }
                    try OverlayMount.mountClassically(overlay, on: target.procPath)
                    root = try FileDescriptor.open(path, [.path, .directory])
                    return
                }
            }
        }
        try tree.moveMount(to: target)
        root = tree
    }

    /// Makes the directory at `path` the root: bound on itself, because only a mount can be pivoted into.
    func bindRoot(_ path: String) throws {
        let directory: FileDescriptor
        do throws(KernelError) {
            directory = try FileDescriptor.open(path, [.path, .directory])
        } catch {
            throw RuntimeError(
                .invalidSpecification, "cannot use the root file system \(path): \(error.code)",
                errno: error.code.rawValue)
        }
        guard plan.namespaces.contains(.mount) else {
            root = directory
            return
        }
        try makeMountPrivate(at: directory)
        let tree = try directory.cloneMount(recursive: true)
        try tree.moveMount(to: directory)
        root = tree
    }

    private static func clonedTree(_ path: String) throws(KernelError) -> FileDescriptor {
        try FileDescriptor.open(path, [.path, .directory]).cloneMount(recursive: true)
    }

    /// Makes the container's root the root of the mount namespace, and lets go of everything outside.
    func pivotRoot() throws {
        let old = try FileDescriptor.open("/", [.path, .directory])
        try changeWorkingDirectory(to: root)
        try Kernel.Mount.pivotRoot(to: ".", oldRootAt: ".")
        // Both are mounted at / now, the old one on top. Its unmounting must not reach the host.
        try changeWorkingDirectory(to: old)
        try Kernel.Mount.mount(nil, on: ".", flags: [.slave, .recursive])
        try Kernel.Mount.unmount(".", flags: .detach)
        try changeWorkingDirectory(to: "/")
    }

    /// With `rootfsPropagation` shared, the mount that a directory is on still has peers outside: what is mounted there
    /// would appear on the host, and pivot_root would refuse it.
    private func makeMountPrivate(at directory: FileDescriptor) throws {
        guard sharesPropagation else { return }
        let path = try FileDescriptor.currentDirectory.readLinkText(directory.procPath)
        let covering = try MountInfo.all().filter {
            $0.mountPoint == "/" || $0.mountPoint == path || path.hasPrefix($0.mountPoint + "/")
        }
        guard let mount = covering.max(by: { $0.mountPoint.utf8.count < $1.mountPoint.utf8.count }), mount.isShared
        else { return }
        try Kernel.Mount.mount(nil, on: mount.mountPoint, flags: .private)
    }

    private var sharesPropagation: Bool {
        plan.steps.contains { if case .setPropagation(let flags) = $0 { flags.contains(.shared) } else { false } }
    }

    /// What pivot_root does, for a host whose root is a ramfs, which cannot be pivoted away from.
    func moveRoot() throws {
        // What is mounted elsewhere would stay reachable for someone who leaves the chroot.
        let path = try FileDescriptor.currentDirectory.readLinkText(root.procPath)
        for mount in try MountInfo.all().reversed() where mount.mountPoint != "/" {
            if mount.mountPoint == path || mount.mountPoint.hasPrefix(path + "/")
                || path.hasPrefix(mount.mountPoint + "/")
            {
                continue
            }
            guard mount.type == "proc" || mount.type == "sysfs" else { continue }
            try? Kernel.Mount.mount(nil, on: mount.mountPoint, flags: [.slave, .recursive])
            try? Kernel.Mount.unmount(mount.mountPoint, flags: .detach)
        }
        try changeWorkingDirectory(to: root)
        try Kernel.Mount.mount(path, on: "/", flags: .move)
        try changeRoot()
    }

    func changeRoot() throws {
        try changeWorkingDirectory(to: root)
        try changeRootDirectory(to: ".")
        try changeWorkingDirectory(to: "/")
    }

    func makeRootReadOnly(_ recursively: Bool) throws {
        let current = try FileDescriptor.open("/", [.path, .directory])
        try current.setMountAttributes(set: .readOnly, recursive: recursively)
    }
}

/// Overlay mounts.
enum OverlayMount {
    /// A mount that is attached nowhere, made with one parameter a layer, so that neither their number nor their
    /// length is limited by a page.
    static func detached(_ overlay: RootMount.Overlay) throws(KernelError) -> FileDescriptor {
        let context = try FileSystemContext(type: "overlay")
        try context.set("source", "overlay")
        for directory in overlay.lowerDirectories { try context.set("lowerdir+", directory) }
        if let upper = overlay.upperDirectory, let work = overlay.workDirectory {
            try context.set("upperdir", upper)
            try context.set("workdir", work)
        }
        for option in overlay.options { try context.setOption(option) }
        try context.create()
        return try context.mount()
    }

    /// Whether the kernel is too old for `lowerdir+` (6.8) or the mount calls.
    static func isUnsupported(_ error: KernelError) -> Bool {
        error.code == .notImplemented || error.code == .invalidArgument && error.operation.contains("lowerdir+")
            || error.subject.contains("lowerdir+")
    }

    /// By mount(2). Its options must fit one page, so paths are given relative to their common directory.
    static func mountClassically(_ overlay: RootMount.Overlay, on target: String) throws(KernelError) {
        let paths = overlay.lowerDirectories + [overlay.upperDirectory, overlay.workDirectory].compactMap { $0 }
        let common = commonDirectory(paths)
        func short(_ path: String) -> String {
            let relative = path.dropFirst(common.utf8.count)
            let escaped = relative.isEmpty ? "." : String(relative)
            return escaped.flatMap { $0 == ":" || $0 == "\\" ? "\\\($0)" : "\($0)" }.reduce(into: "") { $0.append($1) }
        }
        var data = "lowerdir=" + overlay.lowerDirectories.map(short).joined(separator: ":")
        if let upper = overlay.upperDirectory, let work = overlay.workDirectory {
            data += ",upperdir=\(short(upper)),workdir=\(short(work))"
        }
        if !overlay.options.isEmpty { data += "," + overlay.options.joined(separator: ",") }
        let previous = try FileDescriptor.open(".", [.path, .directory])
        try changeWorkingDirectory(to: common.isEmpty ? "/" : common)
        defer { try? changeWorkingDirectory(to: previous) }
        try Kernel.Mount.mount("overlay", on: target, type: "overlay", data: data)
    }

    /// The longest directory, with its trailing slash, that all of `paths` are in.
    static func commonDirectory(_ paths: [String]) -> String {
        guard let first = paths.first, let slash = first.lastIndex(of: "/") else { return "" }
        var prefix = String(first[...slash])
        while !paths.allSatisfy({ $0.hasPrefix(prefix) }) {
            guard let cut = prefix.dropLast().lastIndex(of: "/") else { return "" }
            prefix = String(prefix[...cut])
        }
        return prefix
    }
}

extension FileSystemContext {
    /// One option as mount(8) writes it: `name` or `name=value`.
    func setOption(_ option: String) throws(KernelError) {
        guard let equals = option.firstIndex(of: "=") else { return try set(option) }
        try set(String(option[..<equals]), String(option[option.index(after: equals)...]))
    }
}
