import Kernel
import NixStore
import OCI

/// The container that a builder runs in: Nix's sandbox as a specification for `dhow-runtime`.
struct Sandbox {
    /// Who the builder is inside.
    static let userID: UInt32 = 1000
    static let groupID: UInt32 = 100

    let root: SandboxRoot
    let user: BuildUser
    /// On this machine.
    let buildDirectory: String
    let settings: BuildSettings
    let hasNetwork: Bool
    let isThirtyTwoBit: Bool

    /// What runs in it.
    struct Program {
        var executable: String
        /// With the program's name as the first.
        var arguments: [String]
        var environment: [String: String]
    }

    func specification(_ program: Program) -> RuntimeSpec {
        var specification = RuntimeSpec()
        specification.ociVersion = "1.2.0"
        specification.root = Root(path: root.path)
        specification.hostname = "localhost"
        specification.domainname = "(none)"
        specification.process = process(program)
        specification.mounts = mounts
        var linux = Linux()
        linux.uidMappings = [LinuxIDMapping(containerID: Self.userID, hostID: user.userID, size: 1)]
        linux.gidMappings = [LinuxIDMapping(containerID: Self.groupID, hostID: user.groupID, size: 1)]
        var namespaces = ["user", "pid", "mount", "ipc", "uts"]
        if !hasNetwork { namespaces.append("network") }
        linux.namespaces = namespaces.map { LinuxNamespace(type: $0) }
        linux.seccomp = Self.filter
        var personality = LinuxPersonality()
        personality.domain = isThirtyTwoBit ? "LINUX32" : "LINUX"
        personality.flags = ["ADDR_NO_RANDOMIZE"]
        linux.personality = personality
        linux.rootfsPropagation = "private"
        specification.linux = linux
        return specification
    }

    private func process(_ program: Program) -> OCI.Process {
        var process = OCI.Process()
        process.user = User(uid: Self.userID, gid: Self.groupID)
        process.args = program.arguments
        process.env = program.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        process.cwd = settings.sandboxBuildDirectory
        process.capabilities = LinuxCapabilities(
            bounding: [], effective: [], inheritable: [], permitted: [], ambient: [])
        process.noNewPrivileges = true
        var limits = [POSIXRlimit(type: "RLIMIT_CORE", hard: .max, soft: 0)]
        // Processes are counted by user, and only a build's own user has none but the builder's.
        if settings.processLimit > 0, user.isOther {
            limits.append(POSIXRlimit(type: "RLIMIT_NPROC", hard: settings.processLimit, soft: settings.processLimit))
        }
        process.rlimits = limits
        return process
    }

    private var mounts: [OCI.Mount] {
        // A directory of its own, because a container's usual devices are more than a builder is to see.
        var mounts = [
            OCI.Mount(destination: "/dev", type: "bind", source: root.path + "/dev", options: ["bind", "rw"]),
            OCI.Mount(destination: "/proc", type: "proc", source: "proc"),
            OCI.Mount(destination: "/dev/shm", type: "tmpfs", source: "none", options: ["size=50%", "mode=1777"]),
            OCI.Mount(
                destination: "/dev/pts", type: "devpts", source: "none",
                options: ["newinstance", "mode=0620", "ptmxmode=0666"]),
            OCI.Mount(
                destination: settings.sandboxBuildDirectory, type: "bind", source: buildDirectory,
                options: ["bind", "rw"]),
        ]
        for bind in root.mounts {
            mounts.append(
                OCI.Mount(
                    destination: bind.target, type: "bind", source: bind.source,
                    options: ["rbind", bind.isWritable ? "rw" : "ro"]))
        }
        return mounts
    }

    /// Nix's filter: no file may get set-user-ID or set-group-ID bits, access lists or other attributes, which outputs
    /// cannot have.
    static var filter: LinuxSeccomp {
        var filter = LinuxSeccomp()
        filter.defaultAction = "SCMP_ACT_ALLOW"
        #if arch(x86_64)
        filter.architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
        #elseif arch(arm64)
        filter.architectures = ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
        #endif
        var calls: [LinuxSyscall] = []
        for bit: UInt64 in [0o4000, 0o2000] {
            for (name, index) in [("chmod", UInt32(1)), ("fchmod", 1), ("fchmodat", 2), ("fchmodat2", 2)] {
                calls.append(
                    LinuxSyscall(
                        names: [name], action: "SCMP_ACT_ERRNO", errnoRet: UInt32(ErrorNumber.notPermitted.rawValue),
                        args: [LinuxSeccompArg(index: index, value: bit, valueTwo: bit, op: "SCMP_CMP_MASKED_EQ")]))
            }
        }
        calls.append(
            LinuxSyscall(
                names: ["setxattr", "lsetxattr", "fsetxattr"], action: "SCMP_ACT_ERRNO",
                errnoRet: UInt32(ErrorNumber.notSupported.rawValue)))
        filter.syscalls = calls
        return filter
    }
}
