import Kernel
import OCI

/// Writes the maps of a user namespace from outside.
enum IDMapWriter {
    static func write(uids: [LinuxIDMapping], gids: [LinuxIDMapping], of pid: Int32) throws {
        if Credentials.effectiveUserID == 0 {
            try writeDirectly(uids, "uid_map", pid)
            try writeDirectly(gids, "gid_map", pid)
            return
        }
        try writeUnprivileged(gids, "newgidmap", "gid_map", own: Credentials.effectiveGroupID, pid)
        try writeUnprivileged(uids, "newuidmap", "uid_map", own: Credentials.effectiveUserID, pid)
    }

    private static func writeDirectly(_ mappings: [LinuxIDMapping], _ file: String, _ pid: Int32) throws {
        let lines = mappings.map { "\($0.containerID) \($0.hostID) \($0.size)\n" }
        do throws(KernelError) {
            try FileDescriptor.open("/proc/\(pid)/\(file)", .writeOnly).writeAll(lines.joined())
        } catch {
            throw RuntimeError(
                .invalidSpecification, "cannot write \(file) of the user namespace: \(error.code)",
                errno: error.code.rawValue)
        }
    }

    /// A user may map itself; all else is the business of the set-ID programs, which know /etc/subuid.
    private static func writeUnprivileged(
        _ mappings: [LinuxIDMapping], _ program: String, _ file: String, own: UInt32, _ pid: Int32
    ) throws {
        if mappings.count == 1, mappings[0].size == 1, mappings[0].hostID == own {
            if file == "gid_map" { try FileDescriptor.open("/proc/\(pid)/setgroups", .writeOnly).writeAll("deny") }
            return try writeDirectly(mappings, file, pid)
        }
        let arguments = mappings.flatMap { ["\($0.containerID)", "\($0.hostID)", "\($0.size)"] }
        let path = ["/usr/bin/", "/bin/", "/run/wrappers/bin/", "/usr/sbin/"].map { $0 + program }
            .first { FileDescriptor.currentDirectory.exists($0) }
        guard let path else {
            throw RuntimeError(
                .system, "mapping several identifiers without root needs \(program), which is not installed")
        }
        let output = try Subprocess.run(.init(path, arguments: [program, "\(pid)"] + arguments))
        guard output.status.isSuccess else {
            throw RuntimeError(.system, "\(program) failed: \(output.standardErrorText)")
        }
    }
}
