/// What `/proc/<pid>` tells about a process.
public enum ProcessFiles {
    /// The fields of `/proc/<pid>/stat` that matter here.
    public struct Statistics: Hashable, Sendable {
        /// Its name, at most 15 bytes.
        public let command: String
        /// `R`, `S`, `D`, `Z` (zombie), `T`, `X` …
        public let state: Character
        public let parentID: Int32
        public let processGroup: Int32
        public let session: Int32
        /// In clock ticks.
        public let userTime: UInt64
        public let systemTime: UInt64
        public let threadCount: Int
        /// In clock ticks since boot: with the number it names a process for good.
        public let startTime: UInt64

        public var isZombie: Bool { state == "Z" || state == "X" }
    }

    /// - Throws: `ENOENT` when there is no such process.
    public static func statistics(of processID: Int32) throws(KernelError) -> Statistics {
        let path = "/proc/\(processID)/stat"
        let text = try FileDescriptor.currentDirectory.readText(path)
        guard let statistics = parseStatistics(text) else { throw KernelError(.invalidArgument, "understand", path) }
        return statistics
    }

    /// `nil` for text that is not of that form.
    public static func parseStatistics(_ text: String) -> Statistics? {
        // The command may hold anything, also spaces and parentheses: the last one ends it.
        guard let open = text.utf8.firstIndex(of: UInt8(ascii: "(")),
            let close = text.utf8.lastIndex(of: UInt8(ascii: ")")), open < close
        else { return nil }
        let fields = text[text.utf8.index(after: close)...].splitBytes(" ")
        guard fields.count >= 20, let state = fields[0].first, let parent = Int32(fields[1]),
            let group = Int32(fields[2]), let session = Int32(fields[3]), let user = UInt64(fields[11]),
            let system = UInt64(fields[12]), let threads = Int(fields[17]), let start = UInt64(fields[19])
        else { return nil }
        return Statistics(
            command: String(text[text.utf8.index(after: open)..<close]), state: state, parentID: parent,
            processGroup: group, session: session, userTime: user, systemTime: system, threadCount: threads,
            startTime: start)
    }

    /// The lines of `/proc/<pid>/status`, by their names.
    public static func status(of process: String) throws(KernelError) -> [String: String] {
        let text = try FileDescriptor.currentDirectory.readText("/proc/\(process)/status")
        var result: [String: String] = [:]
        for line in text.splitBytes("\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == "\t" || $0 == " " }
            result[String(line[..<colon])] = String(value)
        }
        return result
    }

    /// The real user and group of a process.
    public static func owner(of processID: Int32) throws(KernelError) -> (userID: UInt32, groupID: UInt32) {
        let status = try status(of: "\(processID)")
        func first(_ name: String) -> UInt32? {
            (status[name]?.split { $0 == "\t" || $0 == " " }.first).flatMap { UInt32($0) }
        }
        guard let user = first("Uid"), let group = first("Gid") else {
            throw KernelError(.noData, "find the owner in", "/proc/\(processID)/status")
        }
        return (user, group)
    }

    /// The command line of a process; empty for kernel threads and zombies.
    public static func arguments(of processID: Int32) throws(KernelError) -> [String] {
        let bytes = try FileDescriptor.currentDirectory.readFile("/proc/\(processID)/cmdline")
        return bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast().map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// One line of `/proc/<pid>/cgroup`.
    public struct CgroupMembership: Hashable, Sendable {
        /// 0 for v2.
        public let hierarchy: Int
        /// v1 controllers, `name=…` for named hierarchies; empty for v2.
        public let controllers: [String]
        public let path: String
    }

    public static func cgroups(of process: String = "self") throws(KernelError) -> [CgroupMembership] {
        parseCgroups(try FileDescriptor.currentDirectory.readText("/proc/\(process)/cgroup"))
    }

    public static func parseCgroups(_ text: String) -> [CgroupMembership] {
        text.splitBytes("\n").compactMap { line in
            let fields = line.splitBytes(":", maxSplits: 2, omittingEmpty: false)
            guard fields.count == 3, let hierarchy = Int(fields[0]) else { return nil }
            let controllers = fields[1].split(separator: ",").map { String($0) }
            return CgroupMembership(hierarchy: hierarchy, controllers: controllers, path: String(fields[2]))
        }
    }

    /// The numbers of all processes.
    public static func allProcessIDs() throws(KernelError) -> [Int32] {
        try FileDescriptor.currentDirectory.entries(of: "/proc").compactMap { Int32($0.name) }
    }

    /// Adjusts how likely the kernel is to kill a process for memory: -1000 (never) to 1000.
    ///
    /// - Throws: `EACCES` when the value is below what the process may have and `CAP_SYS_RESOURCE` is missing.
    public static func setOutOfMemoryScore(_ adjustment: Int, of process: String = "self") throws(KernelError) {
        try FileDescriptor.currentDirectory.writeFile("/proc/\(process)/oom_score_adj", "\(adjustment)")
    }

    public static func outOfMemoryScore(of process: String = "self") throws(KernelError) -> Int {
        let text = try FileDescriptor.currentDirectory.readText("/proc/\(process)/oom_score_adj")
        return Int(text.prefix { $0 != "\n" }) ?? 0
    }
}
