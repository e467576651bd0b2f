import Kernel
import Monitor
import OCI

/// How a container is created, beyond what its specification says.
public struct LaunchOptions: Sendable {
    /// The container's identifier; it names its cgroup.
    public var id: String
    /// The absolute path of the bundle; relative paths in the specification start here.
    public var bundle: String
    /// How the root file system is mounted, at `root.path`; `nil`: that directory itself is the root.
    public var rootMount: RootMount?
    /// Descriptors that become the process's 0, 1 and 2; `nil` leaves the caller's own. Without meaning when the
    /// process has a terminal. They stay the caller's to close.
    public var standardStreams: StandardStreams?
    /// Where the master end of the terminal goes, if the process has one: `nil` leaves it in
    /// `CreatedContainer.console`, a path is a unix socket that receives it (`--console-socket`).
    public var consoleSocket: String?
    /// Whether cgroups are made through systemd (`--systemd-cgroup`).
    public var usesSystemdCgroup = false
    /// Whether the lack of privileges for cgroups is tolerated.
    public var isRootless = false
    /// Whether to move the root with `MS_MOVE` and chroot in place of pivot_root (needed on a ramfs).
    public var noPivot = false
    /// Whether to keep the caller's session keyring.
    public var noNewKeyring = false
    /// How many descriptors from 3 on the process inherits.
    public var preservedDescriptors: Int32 = 0
    /// The file to execute, absolute inside the container; `nil`: the first argument names it, which the program sees
    /// as its name.
    public var executable: String?
    /// The signal that the process receives when its parent dies; `nil`: none.
    public var parentDeathSignal: Signal?
    /// A path for a unix datagram socket through which another process starts the container; `nil`:
    /// `CreatedContainer.release()` does.
    public var startSocket: String?
    /// Where compiled seccomp filters are kept; `nil` compiles each time.
    public var seccompCache: String? = "/run/dhow/seccomp"

    public init(id: String, bundle: String) {
        self.id = id
        self.bundle = bundle
    }
}

/// Three descriptors to become a process's standard streams. They are borrowed.
public struct StandardStreams: Sendable, Equatable {
    public var input: FileDescriptor
    public var output: FileDescriptor
    public var error: FileDescriptor

    public init(input: FileDescriptor, output: FileDescriptor, error: FileDescriptor) {
        self.input = input
        self.output = output
        self.error = error
    }
}
