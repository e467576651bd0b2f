import CKernel
import Glibc

/// Facts about the running system.
public enum HostSystem {
    public struct Names: Sendable {
        public let system: String
        public let node: String
        public let release: String
        public let version: String
        public let machine: String
    }

    /// uname(2).
    public static var names: Names {
        var names = utsname()
        // Fails only with a bad pointer.
        _ = uname(&names)
        func text(_ field: some Any) -> String {
            withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return Names(
            system: text(names.sysname), node: text(names.nodename), release: text(names.release),
            version: text(names.version), machine: text(names.machine))
    }

    /// The kernel's version, such as (6, 18).
    public static var kernelVersion: (major: Int, minor: Int) {
        let numbers = names.release.split { !$0.isNumber }.prefix(2).map { Int($0) ?? 0 }
        return (numbers.first ?? 0, numbers.count > 1 ? numbers[1] : 0)
    }

    /// `_SC_NPROCESSORS_ONLN`
    public static var processorCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
    public static var pageSize: Int { max(1, sysconf(Int32(_SC_PAGESIZE))) }
    /// Units of `/proc/<pid>/stat`'s times, a second.
    public static var clockTicksPerSecond: Int { max(1, sysconf(Int32(_SC_CLK_TCK))) }

    /// In bytes, with what cgroups do not tell: `MemTotal`.
    public static func memorySize() throws(KernelError) -> UInt64 {
        let text = try FileDescriptor.currentDirectory.readText("/proc/meminfo")
        for line in text.split(separator: "\n") where line.hasPrefix("MemTotal:") {
            let fields = line.split(separator: " ")
            if fields.count > 1, let kibibytes = UInt64(fields[1]) { return kibibytes << 10 }
        }
        throw KernelError(.noData, "find MemTotal in", "/proc/meminfo")
    }
}

extension Timestamp {
    /// The time of day.
    public static var now: Timestamp { read(CLOCK_REALTIME) }
    /// Time since some point, which nobody can set.
    public static var monotonic: Timestamp { read(CLOCK_MONOTONIC) }
    /// Time since boot, with that spent asleep.
    public static var sinceBoot: Timestamp { read(CLOCK_BOOTTIME) }

    /// Nanoseconds in all; overflows beyond the year 2262.
    public var totalNanoseconds: Int64 { seconds &* 1_000_000_000 &+ Int64(nanoseconds) }

    private static func read(_ clock: clockid_t) -> Timestamp {
        var time = Glibc.timespec()
        _ = clock_gettime(clock, &time)
        return Timestamp(time)
    }
}

/// Sleeps the calling thread.
public func sleepThread(milliseconds: Int) {
    var left = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
    var rest = timespec()
    while nanosleep(&left, &rest) != 0 && errno == EINTR { left = rest }
}
