import Cgroups
import JSON
import Kernel
import OCI

/// What is kept about a container between calls of the command line.
public struct ContainerRecord: JSONRecord {
    public var id = ""
    public var ociVersion = ""
    /// Absolute.
    public var bundle = ""
    /// The absolute path of the root file system.
    public var rootfs = ""
    /// RFC 3339.
    public var created = ""
    public var pid: Int32 = 0
    /// When the process was started, in clock ticks since boot: with the number it names a process for good.
    public var startTime: UInt64 = 0
    public var cgroup = CgroupReference()
    public var annotations: [String: String]?
    public var owner = ""
    public var unknownMembers = JSONObject()

    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.required("id", &id)
        json.always("ociVersion", &ociVersion)
        json.always("bundle", &bundle)
        json.always("rootfs", &rootfs)
        json.always("created", &created)
        json.always("pid", &pid)
        json.always("startTime", &startTime)
        json.always("cgroup", &cgroup)
        json.optional("annotations", &annotations)
        json.always("owner", &owner)
    }
}

/// A container that the command line has made.
public struct StoredContainer: Sendable {
    public var record: ContainerRecord
    /// Where its state lies.
    public let directory: String

    public enum Status: String, Sendable {
        case creating, created, running, paused, stopped
    }

    public var id: String { record.id }
    public var cgroup: any Cgroup { CgroupHost.cgroup(record.cgroup) }
    var startSocket: String { Self.startSocket(in: directory) }

    static func startSocket(in directory: String) -> String { directory + "/start.sock" }
    static func recordPath(in directory: String) -> String { directory + "/state.json" }
    static func specificationPath(in directory: String) -> String { directory + "/config.json" }

    /// The specification that it was created with, whatever became of the bundle since.
    public func specification() throws(RuntimeError) -> RuntimeSpec {
        let path = Self.specificationPath(in: directory)
        do {
            return try RuntimeSpec(parsing: try FileDescriptor.currentDirectory.readFile(path))
        } catch {
            throw RuntimeError(.system, "cannot read \(path): \(error)")
        }
    }

    /// Whether the first process exists and has not ended.
    public var isAlive: Bool {
        guard record.pid > 0, let statistics = try? ProcessFiles.statistics(of: record.pid) else { return false }
        return statistics.startTime == record.startTime && !statistics.isZombie
    }

    /// As of now; the kernel is asked, nothing is remembered.
    public func status() -> Status {
        if record.pid == 0 { return .creating }
        guard isAlive else { return .stopped }
        if (try? cgroup.isFrozen()) == true { return .paused }
        return awaitsStart ? .created : .running
    }

    /// Whether the process still listens for its start: it closes the socket when it executes the program.
    private var awaitsStart: Bool {
        FileDescriptor.currentDirectory.exists(startSocket)
            && (try? Socket.connect(to: startSocket, kind: .datagram)) != nil
    }

    /// What `state` prints and hooks read.
    public func state() -> RuntimeState {
        let status = status()
        return RuntimeState(
            ociVersion: record.ociVersion, id: id, status: status.rawValue,
            pid: status == .stopped || status == .creating ? 0 : Int(record.pid), bundle: record.bundle,
            annotations: record.annotations)
    }

    /// The process, by a descriptor that cannot come to mean another one.
    /// - Throws: `.notRunning` when it has ended.
    func process() throws(RuntimeError) -> ProcessDescriptor {
        guard let process = try? ProcessDescriptor(processID: record.pid), isAlive else {
            throw RuntimeError(.notRunning, "container not running")
        }
        return process
    }
}
