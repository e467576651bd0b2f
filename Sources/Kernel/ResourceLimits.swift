import CKernel
import Glibc

/// A resource that a process can be limited in (`RLIMIT_*`).
public struct ResourceLimit: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    private static let names = [
        "CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING",
        "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
    ]

    public static let openFiles = Self(rawValue: 7)
    public static let coreSize = Self(rawValue: 4)
    public static let all: [ResourceLimit] = (0..<Int32(names.count)).map { ResourceLimit(rawValue: $0) }

    /// From `RLIMIT_NOFILE`; letters of either case, with or without `RLIMIT_`.
    public init?(name: String) {
        var name = name.uppercased()
        if name.hasPrefix("RLIMIT_") { name.removeFirst(7) }
        guard let index = Self.names.firstIndex(of: name) else { return nil }
        rawValue = Int32(index)
    }

    /// With `RLIMIT_`.
    public var name: String {
        Self.names.indices.contains(Int(rawValue)) ? "RLIMIT_" + Self.names[Int(rawValue)] : "RLIMIT_\(rawValue)"
    }

    public var description: String { name }

    /// `RLIM_INFINITY`
    public static let unlimited = UInt64.max

    public struct Values: Hashable, Sendable {
        public var soft: UInt64
        public var hard: UInt64

        public init(soft: UInt64, hard: UInt64) {
            self.soft = soft
            self.hard = hard
        }
    }

    /// The limit of a process; 0 is this one.
    public func values(of processID: Int32 = 0) throws(KernelError) -> Values {
        var old: [UInt64] = [0, 0]
        try call("read the limit", name) { ck_prlimit(processID, rawValue, nil, &old) }
        return Values(soft: old[0], hard: old[1])
    }

    /// - Throws: `EPERM` when the hard limit would rise and the caller lacks `CAP_SYS_RESOURCE`.
    public func set(_ values: Values, of processID: Int32 = 0) throws(KernelError) {
        try call("set the limit \(name) to", "\(values.soft):\(values.hard)") {
            ck_prlimit(processID, rawValue, [values.soft, values.hard], nil)
        }
    }
}
