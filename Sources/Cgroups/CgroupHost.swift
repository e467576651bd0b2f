import Kernel
import OCI

/// What cgroup file systems this host has, and where.
public struct CgroupHost: Sendable {
    /// A mounted hierarchy.
    public struct Hierarchy: Sendable, Equatable {
        /// Of v1: `memory`, `cpu` and `cpuacct`, `name=systemd`; of v2 those it offers.
        public let controllers: [String]
        public let mountPoint: String
        /// Which directory of the hierarchy is mounted there; not `/` when only a part is, as in a container.
        public let root: String

        public init(controllers: [String], mountPoint: String, root: String = "/") {
            self.controllers = controllers
            self.mountPoint = mountPoint
            self.root = root
        }
    }

    public enum Layout: String, Sendable {
        case v1, hybrid, v2
    }

    /// v1 hierarchies, in the order of their mounts; empty on a v2 host.
    public let hierarchies: [Hierarchy]
    /// The v2 hierarchy, if mounted.
    public let unified: Hierarchy?
    /// The caller's own cgroup, by controller; `""` for v2.
    public let ownPaths: [String: String]

    public var layout: Layout {
        if unified == nil { return .v1 }
        return hierarchies.contains { $0.controllers.contains { !$0.hasPrefix("name=") } } ? .hybrid : .v2
    }

    public var version: CgroupVersion { layout == .v2 ? .v2 : .v1 }

    public init(hierarchies: [Hierarchy], unified: Hierarchy?, ownPaths: [String: String]) {
        self.hierarchies = hierarchies
        self.unified = unified
        self.ownPaths = ownPaths
    }

    /// Looks at `/proc/self/mountinfo` and `/proc/self/cgroup`.
    public static func current() throws(CgroupError) -> CgroupHost {
        do throws(KernelError) {
            return CgroupHost(mounts: try MountInfo.all(), memberships: try ProcessFiles.cgroups())
        } catch { throw CgroupError("find the host's cgroups", error) }
    }

    public init(mounts: [MountInfo], memberships: [ProcessFiles.CgroupMembership]) {
        var hierarchies: [Hierarchy] = []
        var unified: Hierarchy?
        var known: Set<String> = []
        for membership in memberships { known.formUnion(membership.controllers) }
        for mount in mounts {
            if mount.type == "cgroup2" {
                let offered = try? CgroupDirectory(path: mount.mountPoint).read("cgroup.controllers")
                let controllers = offered?.split(separator: " ").map { String($0) } ?? []
                // /sys/fs/cgroup or /sys/fs/cgroup/unified rather than some later copy elsewhere.
                if unified == nil || mount.mountPoint == "/sys/fs/cgroup" {
                    unified = Hierarchy(controllers: controllers, mountPoint: mount.mountPoint, root: mount.root)
                }
            } else if mount.type == "cgroup" {
                let controllers = mount.superOptions.filter { known.contains($0) }
                // The same hierarchy may be mounted again elsewhere: the first one counts.
                if controllers.isEmpty || hierarchies.contains(where: { $0.controllers == controllers }) { continue }
                hierarchies.append(
                    Hierarchy(controllers: controllers, mountPoint: mount.mountPoint, root: mount.root))
            }
        }
        self.hierarchies = hierarchies
        self.unified = unified
        var ownPaths: [String: String] = [:]
        for membership in memberships {
            if membership.hierarchy == 0 { ownPaths[""] = membership.path }
            for controller in membership.controllers { ownPaths[controller] = membership.path }
        }
        self.ownPaths = ownPaths
    }

    /// The controllers that containers can be limited by here.
    public var controllers: [String] {
        version == .v2
            ? unified?.controllers ?? []
            : hierarchies.flatMap(\.controllers).filter { !$0.hasPrefix("name=") }
    }

    /// Whether systemd runs this host, so that its driver can be used.
    public static var isRunningSystemd: Bool {
        FileDescriptor.currentDirectory.exists("/run/systemd/system")
    }

    /// A container's cgroup, which need not exist yet.
    ///
    /// - Parameters:
    ///   - path: the spec's `cgroupsPath`. For cgroupfs an absolute path below each hierarchy, or a relative one below
    ///     the caller's own cgroup (on v2: below that one's parent); for systemd `slice:prefix:name`.
    ///   - containerID: what it is called when `path` is nil or empty.
    ///   - properties: of the systemd unit, as `org.systemd.property.*` annotations give them: names and values in
    ///     GVariant's text form.
    ///   - rootless: systemd's driver asks the user's own service manager.
    public func cgroup(
        path: String?, containerID: String, driver: CgroupDriver = .cgroupfs, properties: [String: String] = [:],
        rootless: Bool = false
    ) throws(CgroupError) -> any Cgroup {
        switch driver {
        case .cgroupfs:
            let reference = try self.reference(path: path, containerID: containerID)
            return version == .v2 ? CgroupV2(reference) : CgroupV1(reference)
        case .systemd:
            return try systemdCgroup(
                path: path, containerID: containerID, properties: properties, rootless: rootless)
        }
    }

    /// A cgroup from an earlier `Cgroup.reference`.
    public static func cgroup(_ reference: CgroupReference) -> any Cgroup {
        if reference.unit != nil { return SystemdCgroup(reference) }
        return reference.version == .v2 ? CgroupV2(reference) : CgroupV1(reference)
    }
}
