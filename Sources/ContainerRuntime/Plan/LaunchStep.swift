import Kernel
import Monitor
import OCI

/// One thing that the child of a launch does. Paths are inside the container's root unless it says otherwise.
public enum LaunchStep: Sendable, Equatable {
    /// Joins the namespace at a path outside the container.
    case joinNamespace(NamespaceKind, path: String)
    /// Moves itself into its cgroup where it was not born there, as with v1.
    case enterCgroup
    /// Waits until the parent has written the identifier maps, and placed the process in its cgroup where it could not
    /// do so itself. Nothing is waited for when there is nothing to do.
    case awaitPlacement
    /// Becomes user and group 0 of the user namespace.
    case becomeRoot
    /// In a user namespace that has no user 0: one that it has, so that what is made on the way has an owner.
    case becomeUser(uid: UInt32, gid: UInt32)
    case unshare([NamespaceKind])
    /// Makes a time namespace for the program that will be executed, where the parent may not.
    case unshareTime([String: LinuxTimeOffset])
    /// Joins the namespaces of the container whose first process is `pid`.
    case joinContainer([NamespaceKind], pid: Int32)
    /// Goes on in a child, because a pid namespace takes in only the children of who joins it.
    case fork
    case startSession
    case joinSessionKeyring(String)
    case setHostname(String)
    case setDomainname(String)
    case bringUpLoopback

    /// Changes the propagation of the root mount: After the pivot it is the container's.
    case setPropagation(MountFlags)
    /// Mounts the root file system at a directory outside the container.
    case mountRoot(RootMount, at: String)
    /// Binds a directory outside the container on itself, to become the root file system.
    case bindRoot(String)
    case mount(MountPlan)
    case makeDevice(DevicePlan)
    case link(String, to: String)
    /// Waits until the parent has run the `prestart` and `createRuntime` hooks.
    case awaitRuntimeHooks
    case runHooks(HookKind)
    case setSysctl(String, String)
    /// Opens a terminal in the container's devpts; with `mounts` it also becomes `/dev/console`.
    case openConsole(width: UInt32, height: UInt32, mounts: Bool)
    case makeMountReadOnly(String)
    case makeReadOnly(String)
    case mask(String)
    case pivotRoot
    case moveRoot
    case changeRoot
    case makeRootReadOnly(recursively: Bool)

    case setUmask(UInt32)
    case setLimit(RlimitPlan)
    case setAppArmorProfile(String)
    case setSELinuxLabel(String)
    case setNoNewPrivileges
    case setScheduler(SchedulerPlan)
    case setAffinity([Int])
    case setIOPriority(Scheduling.InputOutputClass, level: Int32)
    case setPersonality(UInt)
    case setMemoryPolicy(mode: Int32, nodes: [Int])
    /// Loads the filter that the plan carries.
    case loadSeccomp
    /// Makes the standard streams what they shall be, and hands them to the user.
    case setStandardStreams
    /// Marks every descriptor to be closed at exec but the standard streams and those that the program shall have.
    /// Before the filter, which may forbid it; what is opened later is marked from the beginning.
    case closeDescriptorsOnExec
    /// Drops to the user, groups and capabilities, and enters the working directory.
    case dropPrivileges(PrivilegePlan)
    case setParentDeathSignal(Signal)
    case findExecutable
    /// Tells the parent that only the program is missing, and waits for the word to go on.
    case awaitStart
    /// Replaces the process by the program.
    case execute
}

/// The kinds of hooks (config.md, POSIX-platform Hooks).
public enum HookKind: String, Sendable, CaseIterable {
    case prestart, createRuntime, createContainer, startContainer, poststart, poststop

    func hooks(in hooks: Hooks?) -> [Hook] {
        switch self {
        case .prestart: hooks?.prestart ?? []
        case .createRuntime: hooks?.createRuntime ?? []
        case .createContainer: hooks?.createContainer ?? []
        case .startContainer: hooks?.startContainer ?? []
        case .poststart: hooks?.poststart ?? []
        case .poststop: hooks?.poststop ?? []
        }
    }
}

/// A mount inside the container.
public struct MountPlan: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// A directory or file outside the container.
        case bind(String, recursive: Bool)
        /// A new file system.
        case fileSystem(type: String, source: String)
        /// The container's cgroups, in the version that the host has.
        case cgroup
        /// A change of an existing mount.
        case remount
    }

    public var destination: String
    public var kind: Kind
    public var options: MountOptions
    public var idMapping: IDMapPlan?
    /// An SELinux label for a file system's `context=` option.
    public var label: String?
}

/// The mappings of an idmapped mount; empty ones mean those of the container's user namespace.
public struct IDMapPlan: Sendable, Equatable {
    public var uidMappings: [LinuxIDMapping]
    public var gidMappings: [LinuxIDMapping]
    public var isRecursive: Bool
}

/// A device node.
public struct DevicePlan: Sendable, Equatable {
    public var path: String
    public var type: FileType
    /// Permissions.
    public var mode: UInt32
    public var number: DeviceNumber
    public var uid: UInt32
    public var gid: UInt32
    /// Whether the host's node is bound in place of making one, as a user namespace demands.
    public var isBound: Bool
}

/// Scheduling attributes.
public struct SchedulerPlan: Sendable, Equatable {
    public var policy: Scheduling.Policy
    public var flags: Scheduling.Flags
    public var nice: Int32
    public var priority: UInt32
    /// Nanoseconds.
    public var runtime: UInt64
    public var deadline: UInt64
    public var period: UInt64
}

/// User, groups, capabilities and working directory of the program.
public struct PrivilegePlan: Sendable, Equatable {
    public var uid: UInt32
    public var gid: UInt32
    public var additionalGids: [UInt32]
    public var workingDirectory: String
    /// Whether a missing one is made: an image's need not hold it, while an exec must name one that exists.
    public var makesWorkingDirectory = true
    /// `nil` leaves the capabilities that a change of user leaves.
    public var capabilities: CapabilitySets?
}
