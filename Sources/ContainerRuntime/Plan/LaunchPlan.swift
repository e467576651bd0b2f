import Kernel
import OCI

/// A container's launch, worked out before any process exists: what the parent prepares, and the ordered steps of the
/// child. It is made of the specification alone, so it can be printed and compared without privileges.
public struct LaunchPlan: Sendable, Equatable {
    public var namespaces = NamespacePlan()
    public var uidMappings: [LinuxIDMapping] = []
    public var gidMappings: [LinuxIDMapping] = []
    public var timeOffsets: [String: LinuxTimeOffset] = [:]
    /// Where the root file system is, outside the container.
    public var rootPath = ""
    /// Limits that the parent sets: in a user namespace of its own the child could not raise one.
    public var rlimits: [RlimitPlan] = []
    public var oomScoreAdjustment: Int?
    public var steps: [LaunchStep] = []
    public var arguments: [String] = []
    public var environment: [String] = []
    public var seccomp: LinuxSeccomp?
    public var hooks: Hooks?
    public var netDevices: [String: LinuxNetDevice] = [:]
    public var hasTerminal = false
    /// Whether the parent enters the pid namespace for the moment of the clone, so that the child is born into it.
    public var entersPIDNamespaceByParent = false
    /// Whether the bindings of the user namespace are written by the parent.
    public var makesUserNamespace: Bool { namespaces.created.contains(.user) }

    /// The flags of the clone. A namespace that is joined, or that only the child can make in the right order, is not
    /// among them.
    public var cloneFlags: Namespaces {
        // In a user namespace that is joined, the others have to be made after it, to belong to it.
        guard namespaces.joined[.user] == nil else { return [] }
        return namespaces.created.reduce([]) { flags, kind in
            // The cgroup namespace takes the cgroup of its maker as its root, so the child makes it once it is placed.
            // A time namespace needs its offsets before anyone lives in it.
            kind == .cgroup || kind == .time ? flags : flags.union(kind.flag)
        }
    }

    /// Whether the cloned process can be given interfaces at once: it has a network of its own, of which nothing else is
    /// set first.
    public var hasNetworkOnceCloned: Bool {
        cloneFlags.contains(.network)
            && !steps.contains { step in
                guard case .setSysctl(let name, _) = step else { return false }
                return name.hasPrefix("net.") || name.hasPrefix("net/")
            }
    }
}

/// A resource limit of the process.
public struct RlimitPlan: Sendable, Equatable {
    public var resource: ResourceLimit
    public var values: ResourceLimit.Values

    /// Sets the limit of a process; 0 is this one.
    func apply(to pid: Int32 = 0) throws(RuntimeError) {
        do throws(KernelError) {
            try resource.set(values, of: pid)
        } catch {
            throw RuntimeError(
                .system,
                "unable to start container process: error setting rlimits for ready process: error setting rlimit "
                    + "type \(resource.rawValue): \(error.code.description)", errno: error.code.rawValue)
        }
    }

    static func list(_ limits: [POSIXRlimit]) throws(RuntimeError) -> [RlimitPlan] {
        var list: [RlimitPlan] = []
        for limit in limits {
            guard let resource = ResourceLimit(name: limit.type), limit.type.hasPrefix("RLIMIT_") else {
                throw RuntimeError(.invalidSpecification, "wrong rlimit value: \(limit.type)")
            }
            guard !list.contains(where: { $0.resource == resource }) else {
                throw RuntimeError(.invalidSpecification, "rlimit \(limit.type) is given twice")
            }
            list.append(RlimitPlan(resource: resource, values: .init(soft: limit.soft, hard: limit.hard)))
        }
        return list
    }
}

extension LaunchPlan: CustomStringConvertible {
    /// One step a line.
    public var description: String {
        var lines: [String] = []
        if !cloneFlags.isEmpty {
            let kinds = NamespaceKind.allCases.filter { cloneFlags.contains($0.flag) }
            lines.append("clone with new namespaces: " + kinds.map(\.rawValue).joined(separator: " "))
        } else {
            lines.append("clone")
        }
        if makesUserNamespace {
            for (name, mappings) in [("users", uidMappings), ("groups", gidMappings)] {
                for map in mappings {
                    lines.append("map \(name) \(map.containerID) to \(map.hostID), \(map.size) of them")
                }
            }
        }
        for limit in rlimits {
            lines.append("limit \(limit.resource) to \(limit.values.soft), at most \(limit.values.hard)")
        }
        if let oomScoreAdjustment { lines.append("adjust the OOM score by \(oomScoreAdjustment)") }
        lines += steps.map(\.description)
        return lines.joined(separator: "\n")
    }
}
