import JSON

/// How a container ended: `exit.json`, written once, atomically, before anyone is told.
public struct ExitRecord: JSONRecord {
    /// The status Docker shows: the process's own, or 128 + the signal that killed it.
    public var exitCode: Int32 = 0
    /// The signal that killed the process; 0: it exited by itself.
    public var signal: Int32 = 0
    /// Whether the kernel's out-of-memory killer struck in the container's cgroup.
    public var oomKilled = false
    /// Nanoseconds since 1970 in UTC; 0: never started.
    public var startedAt: Int64 = 0
    public var finishedAt: Int64 = 0
    /// Why the container failed to start, when it did.
    public var error: String?

    public var unknownMembers = JSONObject()
    public init() {}

    public mutating func members(_ json: inout JSONMembers) {
        json.required("exitCode", &exitCode)
        json.omitEmpty("signal", &signal)
        json.always("oomKilled", &oomKilled)
        json.always("startedAt", &startedAt)
        json.always("finishedAt", &finishedAt)
        json.optional("error", &error)
    }

    /// Reads the record that a monitor left in `directory`; `nil` when there is none.
    ///
    /// No record and no monitor that answers: the monitor was killed, and the container is dead.
    /// - Throws: `MonitorError` when the file cannot be read or is no record.
    public static func read(directory: String) throws(MonitorError) -> ExitRecord? {
        let path = directory + "/exit.json"
        guard let bytes = try readFile(path) else { return nil }
        do throws(JSONError) {
            return try ExitRecord(parsing: bytes)
        } catch {
            throw MonitorError(.invalidData, "cannot read the exit record \(path): \(error)")
        }
    }
}
