import EngineModel
import Kernel
import OCI

extension SpecificationInputs {
    private var defaultMounts: [OCI.Mount] {
        let kernel = ["nosuid", "noexec", "nodev"]
        let hasReadOnlyCgroups = !hostConfig.privileged && !security.hasWritableCgroups
        return [
            OCI.Mount(destination: "/proc", type: "proc", source: "proc", options: kernel),
            OCI.Mount(
                destination: "/dev", type: "tmpfs", source: "tmpfs",
                options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            OCI.Mount(
                destination: "/dev/pts", type: "devpts", source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            OCI.Mount(
                destination: "/sys", type: "sysfs", source: "sysfs",
                options: kernel + (hostConfig.privileged ? [] : ["ro"])),
            OCI.Mount(
                destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
                options: (hasReadOnlyCgroups ? ["ro"] : []) + kernel),
            OCI.Mount(destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: kernel),
            OCI.Mount(
                destination: "/dev/shm", type: "tmpfs", source: "shm",
                options: kernel + ["mode=1777", "size=\(shmSize)"]),
        ]
    }

    private var shmSize: Int64 { hostConfig.shmSize > 0 ? hostConfig.shmSize : configuration.defaultShmSize }

    /// All mounts in the order in which they are made, and how the root file system propagates.
    package func makeMounts() throws(EngineError) -> (mounts: [OCI.Mount], rootPropagation: String?) {
        let destinations = Set(record.mounts.map(\.destination))
        var mounts = defaultMounts.filter { mount in
            if destinations.contains(mount.destination) { return false }
            // A `/dev` of one's own comes with all that is in it.
            if destinations.contains("/dev"), mount.destination.hasPrefix("/dev/") { return false }
            if hostConfig.ipcMode == "none", mount.destination == "/dev/shm" || mount.destination == "/dev/mqueue" {
                return false
            }
            return mount.destination != "/dev/shm" || shmDirectory == nil
        }
        if let shmDirectory, !destinations.contains("/dev/shm") {
            mounts.append(
                OCI.Mount(
                    destination: "/dev/shm", type: "bind", source: shmDirectory,
                    options: ["rbind", "rprivate"] + (shmDirectory == "/dev/shm" ? [] : ["nosuid", "noexec", "nodev"])))
        }
        if let initPath {
            mounts.append(
                OCI.Mount(
                    destination: initPath, type: "bind", source: configuration.runtimePath, options: ["bind", "ro"]))
        }
        var own: [OCI.Mount] = []
        var rootPropagation: String?
        for mount in record.mounts { own.append(try specification(of: mount, &rootPropagation)) }
        for file in etcFiles where !destinations.contains(file.path) {
            own.append(
                OCI.Mount(
                    destination: file.path, type: "bind", source: file.source,
                    options: ["rbind"] + (hostConfig.readonlyRootfs ? ["ro"] : []) + ["rprivate"]))
        }
        // What lies deeper comes later, or it would be hidden.
        own.sort { PathText.depth($0.destination) < PathText.depth($1.destination) }
        return (mounts + own, rootPropagation)
    }

    private func specification(
        of mount: ContainerMount, _ rootPropagation: inout String?
    ) throws(EngineError) -> OCI.Mount {
        switch mount.kind {
        case .tmpfs:
            let options = Self.tmpfsOptions(mount.tmpfsOptions + (mount.isWritable ? [] : ["ro"]))
            return OCI.Mount(destination: mount.destination, type: "tmpfs", source: "tmpfs", options: options)
        case .volume:
            guard let source = volumeSources[mount.name] else {
                throw EngineError(.system, "the volume \(mount.name) of the container is missing")
            }
            switch source {
            case .directory(let path):
                let path = mount.subpath.isEmpty ? path : path + "/" + mount.subpath
                return OCI.Mount(
                    destination: mount.destination, type: "bind", source: path,
                    options: ["rbind"] + (mount.isWritable ? [] : ["ro"]))
            case .fileSystem(let type, let device, let options):
                return OCI.Mount(
                    destination: mount.destination, type: type, source: device,
                    options: options + (mount.isWritable ? [] : ["ro"]))
            }
        case .bind:
            let propagation = propagation(of: mount)
            switch propagation {
            case "shared", "rshared": rootPropagation = "shared"
            case "slave", "rslave":
                if rootPropagation != "shared" { rootPropagation = "rslave" }
            default: break
            }
            var options = [mount.isNonRecursive ? "bind" : "rbind"]
            if !mount.isWritable { options.append(readOnlyOption(mount)) }
            options.append(propagation)
            return OCI.Mount(
                destination: mount.destination, type: "bind", source: mount.source, options: options)
        }
    }

    // Docker makes binds read-only with all that is mounted below, where the kernel can (5.12).
    private func readOnlyOption(_ mount: ContainerMount) -> String {
        if mount.isReadOnlyForceRecursive { return "rro" }
        if mount.isReadOnlyNonRecursive || mount.isNonRecursive || host.kernel < (5, 12) { return "ro" }
        return "rro"
    }

    // A bind that contains the data root must not keep what the daemon unmounts there.
    private func propagation(of mount: ContainerMount) -> String {
        if !mount.propagation.isEmpty { return mount.propagation }
        return PathText.isInside(PathText.clean(configuration.dataRoot), mount.source) ? "rslave" : "rprivate"
    }

    /// Docker's defaults for a tmpfs, changed by what was asked for.
    package static func tmpfsOptions(_ asked: [String]) -> [String] {
        let opposites = [
            "exec": "noexec", "noexec": "exec", "suid": "nosuid", "nosuid": "suid", "dev": "nodev", "nodev": "dev",
            "rw": "ro", "ro": "rw",
        ]
        var options: [String] = []
        for option in ["noexec", "nosuid", "nodev", "rprivate"] + asked where !option.isEmpty {
            let name = option.split(separator: "=").first.map(String.init) ?? option
            options.removeAll { old in
                old == opposites[option] || old == option
                    || (option.contains("=") && old.hasPrefix(name + "="))
                    || (BindSpecification.propagations.contains(option) && BindSpecification.propagations.contains(old))
            }
            if option == "defaults" { continue }
            options.append(option)
        }
        return options
    }
}
