import Kernel

extension LaunchChild {
    func mount(_ plan: MountPlan, prepared: FileDescriptor?) throws {
        do {
            switch plan.kind {
            case .bind(let source, let recursive):
                try bind(source, recursive: recursive, plan, prepared: prepared)
            case .fileSystem(let type, let source): try mountFileSystem(type, source, plan)
            case .cgroup: try mountCgroups(plan)
            case .remount: try remount(plan)
            }
        } catch let error as KernelError {
            throw RuntimeError(
                .system, "error mounting \(plan.subject) to rootfs at \"\(plan.destination)\": \(error)",
                errno: error.code.rawValue)
        }
    }

    private func bind(_ source: String, recursive: Bool, _ plan: MountPlan, prepared: FileDescriptor?) throws {
        let tree: FileDescriptor
        if let prepared {
            tree = prepared
        } else {
            let file = try FileDescriptor.open(source, .path)
            try checkProcDestination(plan.destination, source: file)
            tree = try file.cloneMount(recursive: recursive)
        }
        let isDirectory = try tree.status().isDirectory
        let target = try RootTree(root).target(plan.destination, isDirectory: isDirectory)
        try applyAttributes(plan.options, to: tree)
        try applyPropagation(plan.options, to: tree)
        try tree.moveMount(to: target)
    }

    /// What hides the kernel's own files in /proc could make the container believe anything; only the files that are
    /// known to be replaced to good purpose may be.
    private func checkProcDestination(_ destination: String, source: FileDescriptor) throws {
        guard destination == "/proc" || destination.hasPrefix("/proc/") else { return }
        if try FileSystemStatus(of: source).magic == FileSystemStatus.procMagic { return }
        let allowed: Set<String> = [
            "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime",
            "/proc/loadavg", "/proc/slabinfo", "/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled",
        ]
        guard allowed.contains(destination) else {
            throw RuntimeError(
                .invalidSpecification, "\"\(destination)\" cannot be mounted because it is inside /proc")
        }
    }

    func applyAttributes(_ options: MountOptions, to tree: FileDescriptor) throws(KernelError) {
        if !options.attributes.isEmpty {
            try tree.setMountAttributes(set: options.attributes.set, clear: options.attributes.clear)
        }
        if !options.recursiveAttributes.isEmpty {
            try tree.setMountAttributes(
                set: options.recursiveAttributes.set, clear: options.recursiveAttributes.clear, recursive: true)
        }
    }

    func applyPropagation(_ options: MountOptions, to tree: FileDescriptor) throws(KernelError) {
        for flags in options.propagation {
            try tree.setMountAttributes(
                propagation: MountPropagation(rawValue: UInt64(flags.subtracting(.recursive).rawValue)),
                recursive: flags.contains(.recursive))
        }
    }

    private func mountFileSystem(_ type: String, _ source: String, _ plan: MountPlan) throws {
        let tree = RootTree(root)
        // A link in place of these would let an image move what the masks are meant for.
        let isStrict = type == "proc" || type == "sysfs"
        if isStrict, let status = try? root.openInRoot(plan.destination, [.path, .noFollow]).status(),
            !status.isDirectory
        {
            throw RuntimeError(
                .invalidSpecification, "filesystem \"\(type)\" must be mounted on ordinary directory")
        }
        let existing = try tree.existing(plan.destination)
        let target = try existing ?? tree.target(plan.destination, isDirectory: true)
        var data = plan.options.data
        if type == "tmpfs", let existing, !data.contains(where: { $0.hasPrefix("mode=") }) {
            // The mount point's own mode is what the image meant.
            data.insert("mode=" + String(try existing.status().permissions, radix: 8), at: 0)
        }
        if let label = plan.label { data.append("context=\"\(label)\"") }
        let detached: FileDescriptor
        do throws(KernelError) {
            detached = try Self.detachedFileSystem(type, source, plan.options, data)
        } catch {
            guard error.code == .invalidArgument || error.code == .notImplemented || error.code == .notSupported else {
                throw error
            }
            // Some file systems, and some options of old ones, are known to mount(2) only.
            let first = error
            do throws(KernelError) {
                try mountClassically(type, source, plan, data, on: target)
            } catch {
                throw first.advice.isEmpty ? error : first
            }
            return
        }
        if plan.options.copiesUp, let existing {
            try TreeCopy.copyContents(of: existing, to: detached)
        }
        if !plan.options.recursiveAttributes.isEmpty || !plan.options.attributes.clear.isEmpty {
            try applyAttributes(plan.options, to: detached)
        }
        try applyPropagation(plan.options, to: detached)
        try detached.moveMount(to: target)
    }

    static func detachedFileSystem(
        _ type: String, _ source: String, _ options: MountOptions, _ data: [String]
    ) throws(KernelError) -> FileDescriptor {
        let context = try FileSystemContext(type: type)
        try context.set("source", source)
        for flag in options.superblockFlags { try context.set(flag) }
        for option in data { try context.setOption(option) }
        try context.create()
        var attributes = options.attributes.set
        // While a copy is made into it, it stays writable.
        if options.copiesUp { attributes.remove(.readOnly) }
        return try context.mount(attributes: attributes)
    }

    private func mountClassically(
        _ type: String, _ source: String, _ plan: MountPlan, _ data: [String], on target: FileDescriptor
    ) throws(KernelError) {
        try Kernel.Mount.mount(
            source, on: target.procPath, type: type, flags: plan.options.classicFlags,
            data: data.joined(separator: ","))
        guard !plan.options.propagation.isEmpty else { return }
        try applyPropagation(plan.options, to: try root.openInRoot(plan.destination))
    }

    private func remount(_ plan: MountPlan) throws {
        let target = try root.openInRoot(plan.destination)
        if plan.options.isBind {
            try applyAttributes(plan.options, to: target)
        } else {
            try Kernel.Mount.mount(
                nil, on: target.procPath, flags: plan.options.classicFlags.union(.remount),
                data: plan.options.data.joined(separator: ","))
        }
        try applyPropagation(plan.options, to: target)
    }

    func makeMountReadOnly(_ path: String) throws {
        try root.openInRoot(path).setMountAttributes(set: .readOnly)
    }

    /// Makes a path read-only by binding it on itself; a path that does not exist needs no protection.
    func makeReadOnly(_ path: String) throws {
        guard let file = try RootTree(root).existing(path) else { return }
        let tree = try file.cloneMount(recursive: true)
        try tree.setMountAttributes(set: .readOnly)
        try tree.moveMount(to: file)
    }

    /// The container's own /dev/null if it is one, else the host's.
    private func nullDevice() throws -> FileDescriptor {
        if let own = try RootTree(root).existing("/dev/null"), let status = try? own.status(),
            status.type == .characterDevice, status.specialDevice == DeviceNumber(major: 1, minor: 3)
        {
            return own
        }
        return try FileDescriptor.open("/dev/null", .path)
    }

    /// Hides a path: a directory behind an empty read-only one, a file behind /dev/null.
    func mask(_ path: String) throws {
        guard let file = try RootTree(root).existing(path) else { return }
        guard try file.status().isDirectory else {
            let null = try nullDevice().cloneMount()
            // Nor shall a container change the mode of a node that it may share with the host.
            try null.setMountAttributes(set: .readOnly)
            try null.moveMount(to: file)
            return
        }
        if let emptyDirectory {
            try emptyDirectory.cloneMount().moveMount(to: file)
            return
        }
        let context = try FileSystemContext(type: "tmpfs")
        try context.set("source", "tmpfs")
        try context.set("nr_blocks", "1")
        try context.create()
        let empty = try context.mount(attributes: .readOnly)
        try empty.moveMount(to: file)
        emptyDirectory = empty
    }
}

extension MountPlan {
    /// What is mounted, for messages.
    var subject: String {
        switch kind {
        case .bind(let source, _): "\"\(source)\""
        case .fileSystem(let type, _): "\"\(type)\""
        case .cgroup: "\"cgroup\""
        case .remount: "\"remount\""
        }
    }
}

extension MountOptions {
    /// The options as flags of mount(2).
    var classicFlags: MountFlags {
        let pairs: [(MountAttributes, MountFlags)] = [
            (.readOnly, .readOnly), (.noSetUserID, .noSetUserID), (.noDevices, .noDevices), (.noExecute, .noExecute),
            (.noAccessTime, .noAccessTime), (.strictAccessTime, .strictAccessTime),
            (.noDirectoryAccessTime, .noDirectoryAccessTime), (.noSymlinkFollow, .noSymlinkFollow),
        ]
        var flags = pairs.filter { attributes.set.contains($0.0) }.reduce(into: MountFlags()) { $0.formUnion($1.1) }
        for name in superblockFlags {
            switch name {
            case "sync": flags.insert(.synchronous)
            case "dirsync": flags.insert(.directorySynchronous)
            case "lazytime": flags.insert(.lazyTime)
            case "mand": flags.insert(.mandatoryLocks)
            default: break
            }
        }
        return flags
    }
}
