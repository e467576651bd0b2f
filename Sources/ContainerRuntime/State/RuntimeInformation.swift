import CSeccomp
import Cgroups
import Kernel
import OCI

/// What this runtime is and can do.
public enum RuntimeInformation {
    /// The newest version of the specification that is followed.
    public static let specificationVersion = "1.3.0"

    public static var seccompVersion: String {
        let version = seccomp_version().pointee
        return "\(version.major).\(version.minor).\(version.micro)"
    }

    /// The document that `features` prints (features.md).
    /// - Parameter version: the program's.
    public static func features(version: String) -> RuntimeFeatures {
        var features = RuntimeFeatures()
        features.ociVersionMin = "1.0.0"
        features.ociVersionMax = specificationVersion
        features.hooks = HookKind.allCases.map(\.rawValue)
        features.mountOptions = MountOptions.known
        var linux = LinuxFeatures()
        linux.namespaces = NamespaceKind.allCases.map(\.rawValue).sorted()
        linux.capabilities = Capability.all.map(\.name)
        var cgroup = CgroupFeatures()
        cgroup.v1 = true
        cgroup.v2 = true
        cgroup.systemd = true
        cgroup.systemdUser = true
        cgroup.rdma = true
        linux.cgroup = cgroup
        var seccomp = SeccompFeatures()
        seccomp.enabled = true
        seccomp.actions = SeccompCompiler.actionNames
        seccomp.operators = SeccompCompiler.operators.keys.sorted()
        seccomp.archs = SeccompCompiler.architectures.keys.sorted()
        seccomp.knownFlags = Seccomp.Flags.named.map(\.name)
        seccomp.supportedFlags = Seccomp.Flags.named.map(\.name)
        linux.seccomp = seccomp
        linux.apparmor = EnabledFeature(enabled: true)
        linux.selinux = EnabledFeature(enabled: true)
        var rdt = IntelRdtFeatures()
        rdt.enabled = true
        rdt.schemata = true
        rdt.monitoring = false
        linux.intelRdt = rdt
        var policy = MemoryPolicyFeatures()
        policy.modes = ProcessSteps.memoryPolicyModes.keys.sorted()
        policy.flags = ProcessSteps.memoryPolicyFlags.keys.sorted()
        linux.memoryPolicy = policy
        var extensions = MountExtensionFeatures()
        extensions.idmap = EnabledFeature(enabled: true)
        linux.mountExtensions = extensions
        linux.netDevices = EnabledFeature(enabled: true)
        features.linux = linux
        features.annotations = [
            "org.dhow.runtime.version": version, "io.github.seccomp.libseccomp.version": seccompVersion,
        ]
        return features
    }
}
