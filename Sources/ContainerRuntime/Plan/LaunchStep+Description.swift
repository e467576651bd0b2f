import Kernel
import Monitor

extension LaunchStep: CustomStringConvertible {
    /// The step as a sentence, for people who read a plan.
    public var description: String {
        switch self {
        case .joinNamespace(let kind, let path): "join the \(kind.rawValue) namespace \(path)"
        case .enterCgroup: "enter the cgroup"
        case .awaitPlacement: "wait for the parent's part"
        case .becomeRoot: "become user 0 and group 0"
        case .becomeUser(let uid, let gid): "become user \(uid) and group \(gid)"
        case .unshare(let kinds): "make new namespaces: " + kinds.map(\.rawValue).joined(separator: " ")
        case .unshareTime: "make a time namespace"
        case .joinContainer(let kinds, let pid):
            "join the namespaces of process \(pid): " + kinds.map(\.rawValue).joined(separator: " ")
        case .fork: "go on in a child"
        case .startSession: "start a session"
        case .joinSessionKeyring(let name): "join session keyring \(name)"
        case .setHostname(let name): "set the host name to \(name)"
        case .setDomainname(let name): "set the domain name to \(name)"
        case .bringUpLoopback: "bring up the loopback device"
        case .setPropagation(let flags): "set the root's propagation to 0x" + String(flags.rawValue, radix: 16)
        case .mountRoot(let mount, let path): "mount the root, \(mount.summary), at \(path)"
        case .bindRoot(let path): "bind the root \(path)"
        case .mount(let plan): plan.description
        case .makeDevice(let plan):
            "\(plan.isBound ? "bind" : "make") device \(plan.path) \(plan.number) mode 0"
                + String(plan.mode, radix: 8)
        case .link(let target, let path): "link \(path) to \(target)"
        case .awaitRuntimeHooks: "wait for the hooks of the runtime"
        case .runHooks(let kind): "run the \(kind.rawValue) hooks"
        case .setSysctl(let name, let value): "set \(name) to \(value)"
        case .openConsole: "open a terminal"
        case .makeMountReadOnly(let path): "make the mount \(path) read-only"
        case .makeReadOnly(let path): "make \(path) read-only"
        case .mask(let path): "mask \(path)"
        case .pivotRoot: "pivot into the root"
        case .moveRoot: "move the root"
        case .changeRoot: "change the root"
        case .makeRootReadOnly(let recursively): "make the root read-only" + (recursively ? " recursively" : "")
        case .setUmask(let mask): "set the umask to 0" + String(mask, radix: 8)
        case .setLimit(let limit): "limit \(limit.resource) to \(limit.values.soft), at most \(limit.values.hard)"
        case .setAppArmorProfile(let name): "use AppArmor profile \(name)"
        case .setSELinuxLabel(let label): "use SELinux label \(label)"
        case .setNoNewPrivileges: "forbid new privileges"
        case .setScheduler(let plan): "use scheduling policy \(plan.policy)"
        case .setAffinity(let processors): "run on processors \(processors)"
        case .setIOPriority(let kind, let level): "use I/O priority \(kind) \(level)"
        case .setPersonality(let persona): "use personality 0x" + String(persona, radix: 16)
        case .setMemoryPolicy(let mode, let nodes): "use memory policy \(mode) on nodes \(nodes)"
        case .loadSeccomp: "load the seccomp filter"
        case .setStandardStreams: "set the standard streams"
        case .closeDescriptorsOnExec: "mark all other descriptors to be closed at exec"
        case .dropPrivileges(let plan): "become user \(plan.uid), group \(plan.gid) in \(plan.workingDirectory)"
        case .setParentDeathSignal(let signal): "receive signal \(signal) when the parent dies"
        case .findExecutable: "find the executable"
        case .awaitStart: "wait for the start"
        case .execute: "execute the program"
        }
    }
}

extension MountPlan: CustomStringConvertible {
    public var description: String {
        let details = options.summary.isEmpty ? "" : " (\(options.summary))"
        switch kind {
        case .bind(let source, let recursive):
            return "bind \(source)\(recursive ? " recursively" : "") at \(destination)\(details)"
        case .fileSystem(let type, _): return "mount \(type) at \(destination)\(details)"
        case .cgroup: return "mount the cgroups at \(destination)\(details)"
        case .remount: return "remount \(destination)\(details)"
        }
    }
}

extension MountOptions {
    /// The options in short, for people.
    var summary: String {
        let names: [(MountAttributes, String)] = [
            (.readOnly, "ro"), (.noSetUserID, "nosuid"), (.noDevices, "nodev"),
            (.noExecute, "noexec"), (.noAccessTime, "noatime"),
            (.strictAccessTime, "strictatime"), (.noDirectoryAccessTime, "nodiratime"),
            (.noSymlinkFollow, "nosymfollow"),
        ]
        var words = names.filter { attributes.set.contains($0.0) }.map(\.1)
        words += names.filter { recursiveAttributes.set.contains($0.0) }.map { "r" + $0.1 }
        words += superblockFlags + data
        return words.joined(separator: ",")
    }
}

extension RootMount {
    /// What is mounted, in short.
    var summary: String {
        switch self {
        case .overlay(let overlay): "an overlay of \(overlay.lowerDirectories.count) layers"
        case .bind(let path): "a binding of \(path)"
        }
    }
}
