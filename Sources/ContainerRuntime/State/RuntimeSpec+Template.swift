import OCI

extension RuntimeSpec {
    /// The specification that `spec` writes: a shell with few privileges.
    public static var template: RuntimeSpec {
        var specification = RuntimeSpec()
        specification.ociVersion = RuntimeInformation.specificationVersion
        var process = OCI.Process()
        process.terminal = true
        process.args = ["sh"]
        process.env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"]
        process.cwd = "/"
        let capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
        process.capabilities = LinuxCapabilities(
            bounding: capabilities, effective: capabilities, permitted: capabilities)
        process.rlimits = [POSIXRlimit(type: "RLIMIT_NOFILE", hard: 1024, soft: 1024)]
        process.noNewPrivileges = true
        specification.process = process
        specification.root = Root(path: "rootfs", readonly: true)
        specification.hostname = "dhow"
        specification.mounts = [
            Mount(destination: "/proc", type: "proc", source: "proc"),
            Mount(
                destination: "/dev", type: "tmpfs", source: "tmpfs",
                options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            Mount(
                destination: "/dev/pts", type: "devpts", source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            Mount(
                destination: "/dev/shm", type: "tmpfs", source: "shm",
                options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            Mount(
                destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]),
            Mount(
                destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]),
            Mount(
                destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
                options: ["nosuid", "noexec", "nodev", "relatime", "ro"]),
        ]
        var linux = Linux()
        var resources = LinuxResources()
        resources.devices = [LinuxDeviceCgroup(allow: false, access: "rwm")]
        linux.resources = resources
        linux.namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"].map { LinuxNamespace(type: $0) }
        linux.maskedPaths = [
            "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
            "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
        ]
        linux.readonlyPaths = [
            "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
        ]
        specification.linux = linux
        return specification
    }

    /// Changes it to what a user without privileges may run.
    public mutating func makeRootless(userID: UInt32, groupID: UInt32) {
        linux?.namespaces?.removeAll { $0.type == "network" || $0.type == "user" }
        linux?.namespaces?.append(LinuxNamespace(type: "user"))
        linux?.uidMappings = [LinuxIDMapping(containerID: 0, hostID: userID, size: 1)]
        linux?.gidMappings = [LinuxIDMapping(containerID: 0, hostID: groupID, size: 1)]
        linux?.resources = nil
        mounts = mounts?.compactMap { mount in
            var mount = mount
            // A network namespace of one's own is needed for a sysfs of one's own.
            if mount.destination == "/sys" {
                mount.type = "none"
                mount.source = "/sys"
                mount.options = ["rbind", "nosuid", "noexec", "nodev", "ro"]
            }
            if mount.destination == "/sys/fs/cgroup" { return nil }
            mount.options?.removeAll { $0.hasPrefix("gid=") || $0.hasPrefix("uid=") }
            return mount
        }
    }
}
