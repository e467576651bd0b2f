import Cgroups
import Kernel
import OCI

/// Starts further processes in a running container.
///
/// As with `ContainerLauncher`, the calling program must be single-threaded.
public enum ExecLauncher {
    /// Starts `process` in the namespaces and the cgroup of a container.
    ///
    /// Returns once the program has been executed.
    /// - Throws: with `exitCode` 126 or 127 when the program cannot be executed; no process is left then.
    public static func exec(
        _ process: OCI.Process, into container: ExecTarget, _ options: ExecOptions = ExecOptions()
    ) throws(RuntimeError) -> ExecProcess {
        var launch = try ExecLaunch(process, container, options)
        return try launch.run()
    }
}

/// The container that a process is started in.
public struct ExecTarget: Sendable {
    /// The container's identifier, for its session keyring.
    public var id: String
    /// The container's first process.
    public var pid: Int32
    /// The container's specification: namespaces, seccomp and personality come from it.
    public var specification: RuntimeSpec
    /// The container's cgroup; `nil` leaves the process in the caller's.
    public var cgroup: (any Cgroup)?

    public init(id: String, pid: Int32, specification: RuntimeSpec, cgroup: (any Cgroup)?) {
        self.id = id
        self.pid = pid
        self.specification = specification
        self.cgroup = cgroup
    }
}

/// How a process is started in a running container.
public struct ExecOptions: Sendable {
    /// As `LaunchOptions.standardStreams`.
    public var standardStreams: StandardStreams?
    /// As `LaunchOptions.consoleSocket`.
    public var consoleSocket: String?
    /// A path below the container's cgroup, which must exist.
    public var cgroupSubpath = ""
    /// How many descriptors from 3 on the process inherits.
    public var preservedDescriptors: Int32 = 0
    /// The signal that the process receives when its parent dies; `nil`: none.
    public var parentDeathSignal: Signal?
    /// As `LaunchOptions.seccompCache`.
    public var seccompCache: String? = "/run/dhow/seccomp"
    /// Whether the lack of privileges for cgroups is tolerated.
    public var isRootless = false

    public init() {}
}

/// A process started in a running container.
public struct ExecProcess: Sendable {
    /// In the caller's pid namespace; a child of the caller, who must reap it.
    public let pid: Int32
    /// Readable once the process has ended.
    public let process: ProcessDescriptor
    /// The master end of the terminal, when the process has one and no console socket was given.
    public let console: FileDescriptor?
}
