import Cgroups
import Kernel
import OCI

/// Creates containers: compiles a specification into a plan, clones the process that executes the plan, and holds it
/// just before the user's program.
///
/// The calling program must be single-threaded: the child runs ordinary Swift between clone and exec.
public enum ContainerLauncher {
    /// Creates a container up to the point where only the user's program remains to be executed.
    ///
    /// When it throws, nothing is left: no process, no cgroup, no mount. No child is reaped but its own.
    /// - Parameter networkExists: called with the process's pid once it has a network namespace that can be given
    ///   interfaces while the process goes on with its mounts; never where `LaunchPlan.hasNetworkOnceCloned` is false.
    /// - Throws: `.commandNotFound` and `.commandNotExecutable` already here, because the executable is looked up
    ///   before the container counts as created.
    public static func create(
        _ specification: RuntimeSpec, _ options: LaunchOptions, networkExists: ((Int32) -> Void)? = nil
    ) throws(RuntimeError) -> CreatedContainer {
        let plan = try LaunchPlan(specification, options)
        let host: CgroupHost
        do throws(CgroupError) { host = try CgroupHost.current() } catch { throw RuntimeError(error) }
        let cgroup = try cgroup(of: specification, on: host, options)
        var launch = try Launch(plan, specification, options, cgroup, host, networkExists: networkExists)
        return try launch.run()
    }

    /// The cgroup that a specification names; it need not exist yet.
    static func cgroup(
        of specification: RuntimeSpec, on host: CgroupHost, _ options: LaunchOptions
    ) throws(RuntimeError) -> any Cgroup {
        var properties: [String: String] = [:]
        let prefix = "org.systemd.property."
        for (name, value) in specification.annotations ?? [:] where name.hasPrefix(prefix) {
            properties[String(name.dropFirst(prefix.utf8.count))] = value
        }
        do throws(CgroupError) {
            return try host.cgroup(
                path: specification.linux?.cgroupsPath, containerID: options.id,
                driver: options.usesSystemdCgroup ? .systemd : .cgroupfs, properties: properties,
                rootless: options.isRootless)
        } catch {
            throw RuntimeError(error)
        }
    }

    /// What the container's cgroup is limited to: everything about devices is forbidden but what the specification
    /// and every container's default devices allow.
    static func resources(of specification: RuntimeSpec) -> LinuxResources {
        var resources = specification.linux?.resources ?? LinuxResources()
        resources.devices =
            [LinuxDeviceCgroup(allow: false, access: "rwm")] + (resources.devices ?? []) + DevicePlan.defaultRules
        return resources
    }
}

extension RuntimeError {
    /// What went wrong with a cgroup.
    init(_ error: CgroupError) {
        self.init(.system, error.message, errno: error.cause?.code.rawValue ?? 0)
    }
}
