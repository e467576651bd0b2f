import Kernel

/// Which capabilities a container gets (capabilities(7)).
package enum Capabilities {
    /// Docker's default set.
    package static let standard = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
        "CAP_AUDIT_WRITE",
    ]

    /// All that Linux has, by their numbers.
    package static let known = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN",
        "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
        "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
        "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
        "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    ]

    /// What this process has and so can give: a daemon in a container may lack some.
    package static let available: [String] = {
        guard let status = HostFiles.text("/proc/self/status"),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("CapEff:") }),
            let mask = UInt64(line.dropFirst(7).filter { !$0.isWhitespace }, radix: 16)
        else { return known }
        return known.enumerated().filter { mask >> UInt64($0.offset) & 1 == 1 }.map(\.element)
    }()

    /// The set for a container.
    /// - Throws: `EngineError.invalidParameter` for a name that is none, or that this daemon cannot give.
    package static func resolve(add: [String], drop: [String], isPrivileged: Bool) throws(EngineError) -> [String] {
        if isPrivileged { return available }
        let add = try normalize(add, "CapAdd")
        let drop = try normalize(drop, "CapDrop")
        if add.isEmpty, drop.isEmpty { return standard }
        if add.contains("ALL") { return available.filter { !drop.contains($0) } }
        if drop.contains("ALL") { return add }
        let kept = standard.filter { !drop.contains($0) }
        return kept + add.filter { !kept.contains($0) }
    }

    private static func normalize(_ names: [String], _ member: String) throws(EngineError) -> [String] {
        var result: [String] = []
        for name in names {
            var full = name.uppercased()
            if full != "ALL" {
                if !full.hasPrefix("CAP_") { full = "CAP_" + full }
                guard known.contains(full) else { throw .invalid("invalid \(member): unknown capability: \"\(full)\"") }
                guard available.contains(full) || member == "CapDrop" else {
                    throw .invalid(
                        "invalid \(member): capability not supported by your kernel or not available in the current "
                            + "environment: \"\(full)\"")
                }
            }
            if !result.contains(full) { result.append(full) }
        }
        return result
    }
}
