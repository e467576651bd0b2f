import JSON
import Kernel
import OCI

/// A container's cgroup, in whatever form the host has them.
///
/// On v1 and hybrid hosts it is one directory in each hierarchy, on v2 hosts just one. Get one from `CgroupHost`.
/// Thread-safe: it holds no state but its place.
public protocol Cgroup: Sendable {
    /// What another process needs to find this cgroup again.
    var reference: CgroupReference { get }

    /// Makes the cgroup, sets its resources, and puts a process into it: in this order, so that the process is never
    /// without them.
    ///
    /// When it throws, what it made is removed again, except directories that the process is already in: end the
    /// process and `destroy` then.
    /// - Parameter processID: `nil` only makes it, which systemd's driver cannot.
    /// - Throws: `.notPermitted` where a caller without root may go on.
    func create(placing processID: Int32?, resources: LinuxResources?) throws(CgroupError)

    /// Sets resources; what `resources` does not mention stays. This is `update` too.
    func apply(_ resources: LinuxResources) throws(CgroupError)

    /// Puts a process with all its threads into the cgroup, or one below it that exists.
    func add(_ processID: Int32, subpath: String) throws(CgroupError)

    /// Stops all processes, and returns when they are stopped.
    func freeze() throws(CgroupError)
    /// Lets them go on, and returns when they do.
    func thaw() throws(CgroupError)
    /// Whether the processes are stopped. Also true on the way there.
    func isFrozen() throws(CgroupError) -> Bool

    /// Kills all processes, below too, frozen or not, and returns when none is left but zombies.
    func killAll() throws(CgroupError)

    /// Removes the cgroup with those below. It must have no processes: those that are just ending are waited for.
    /// Nothing happens if it is gone.
    func destroy() throws(CgroupError)

    func statistics() throws(CgroupError) -> CgroupStatistics

    /// Begins to watch for processes killed for lack of memory. See `OutOfMemoryWatch`.
    func watchOutOfMemory() throws(CgroupError) -> OutOfMemoryWatch
}

extension Cgroup {
    public var version: CgroupVersion { reference.version }

    /// The directories: by controller on v1 (`name=systemd` for named ones, `""` for the v2 hierarchy beside them), the
    /// key `""` alone on v2.
    public var directories: [String: String] { reference.paths }

    public func add(_ processID: Int32) throws(CgroupError) { try add(processID, subpath: "") }

    /// The directory that tells about processes: v2's, else the one of the first controller that is always needed.
    public var processDirectory: String? { reference.processDirectory }

    /// Whether it has been made and not been removed.
    public var exists: Bool {
        processDirectory.map { FileDescriptor.currentDirectory.exists($0) } ?? false
    }

    /// The processes in it and, unless `recursive` is false, below it. Empty if the cgroup is gone.
    public func processes(recursive: Bool = true) throws(CgroupError) -> [Int32] {
        guard let processDirectory else { return [] }
        return try CgroupDirectory(path: processDirectory).processes(recursive: recursive)
    }

    /// Sends a signal to every process in it and below.
    public func send(signal: Signal) throws(CgroupError) {
        for processID in try processes() {
            do throws(KernelError) { try Processes.send(signal: signal, to: processID) } catch {
                if error.code != .noSuchProcess { throw CgroupError("signal a process of the cgroup", error) }
            }
        }
    }

    /// How many processes the kernel has killed here for lack of memory.
    public func outOfMemoryKillCount() -> UInt64 {
        guard let directory = reference.paths[version == .v2 ? "" : "memory"] else { return 0 }
        let file = version == .v2 ? "memory.events" : "memory.oom_control"
        return (try? CgroupDirectory(path: directory).keyedValues(file))?["oom_kill"] ?? 0
    }
}

/// The versions of the interface.
public enum CgroupVersion: String, Sendable, JSONConvertible {
    /// v1 controllers, maybe with an empty v2 hierarchy beside them ("hybrid").
    case v1
    case v2

    public init(json: JSONValue) throws(JSONError) {
        guard case .string(let name) = json, let version = Self(rawValue: name) else {
            throw .expected("v1 or v2", got: json)
        }
        self = version
    }

    public var json: JSONValue { .string(rawValue) }
}

/// Who makes cgroups.
public enum CgroupDriver: String, Sendable {
    /// This program, in the file system.
    case cgroupfs
    /// systemd, asked over D-Bus.
    case systemd
}

/// Where a cgroup is: enough to find it again, also after the host's mounts or the caller's own cgroup have changed.
public struct CgroupReference: JSONRecord {
    public var version = CgroupVersion.v1
    /// The absolute directories, by controller; `""` is the v2 hierarchy.
    public var paths: [String: String] = [:]
    /// With systemd's driver: the scope's name, such as `docker-0123.scope`.
    public var unit: String?
    /// With systemd's driver: the slice that the scope is in.
    public var slice: String?
    /// Asked of a user's service manager rather than the system's.
    public var isUserUnit: Bool?
    public var unknownMembers = JSONObject()

    public init() {}

    public init(version: CgroupVersion, paths: [String: String]) {
        self.version = version
        self.paths = paths
    }

    public mutating func members(_ json: inout JSONMembers) {
        json.always("version", &version)
        json.always("paths", &paths)
        json.optional("unit", &unit)
        json.optional("slice", &slice)
        json.optional("userUnit", &isUserUnit)
    }

    /// See `Cgroup.processDirectory`.
    public var processDirectory: String? {
        if version == .v2 { return paths[""] }
        for controller in ["devices", "freezer", "pids", "memory", "cpu"] {
            if let path = paths[controller] { return path }
        }
        return paths.sorted { $0.key < $1.key }.first { !$0.key.isEmpty }?.value ?? paths[""]
    }
}
