import CKernel
import Glibc

/// How the kernel schedules a thread.
public enum Scheduling {
    public enum Policy: UInt32, Sendable {
        case other = 0
        case fifo = 1
        case roundRobin = 2
        case batch = 3
        case iso = 4
        case idle = 5
        case deadline = 6

        /// From the runtime spec's `SCHED_FIFO` and the like.
        public init?(name: String) {
            switch name {
            case "SCHED_OTHER": self = .other
            case "SCHED_FIFO": self = .fifo
            case "SCHED_RR": self = .roundRobin
            case "SCHED_BATCH": self = .batch
            case "SCHED_ISO": self = .iso
            case "SCHED_IDLE": self = .idle
            case "SCHED_DEADLINE": self = .deadline
            default: return nil
            }
        }
    }

    /// `SCHED_FLAG_*`
    public struct Flags: OptionSet, Sendable {
        public let rawValue: UInt64
        public init(rawValue: UInt64) { self.rawValue = rawValue }

        public static let resetOnFork = Self(rawValue: 1)
        public static let reclaim = Self(rawValue: 2)
        public static let deadlineOverrun = Self(rawValue: 4)
        public static let keepPolicy = Self(rawValue: 8)
        public static let keepParameters = Self(rawValue: 16)
        public static let utilizationClampMinimum = Self(rawValue: 32)
        public static let utilizationClampMaximum = Self(rawValue: 64)

        /// From the runtime spec's `SCHED_FLAG_RESET_ON_FORK` and the like.
        public init?(name: String) {
            switch name {
            case "SCHED_FLAG_RESET_ON_FORK": self = .resetOnFork
            case "SCHED_FLAG_RECLAIM": self = .reclaim
            case "SCHED_FLAG_DL_OVERRUN": self = .deadlineOverrun
            case "SCHED_FLAG_KEEP_POLICY": self = .keepPolicy
            case "SCHED_FLAG_KEEP_PARAMS": self = .keepParameters
            case "SCHED_FLAG_UTIL_CLAMP_MIN": self = .utilizationClampMinimum
            case "SCHED_FLAG_UTIL_CLAMP_MAX": self = .utilizationClampMaximum
            default: return nil
            }
        }
    }

    /// - Parameters:
    ///   - runtime, deadline, period: nanoseconds, for `deadline` only.
    ///   - processID: 0 is the calling thread.
    public static func set(
        _ policy: Policy, nice: Int32 = 0, priority: UInt32 = 0, flags: Flags = [], runtime: UInt64 = 0,
        deadline: UInt64 = 0, period: UInt64 = 0, of processID: Int32 = 0
    ) throws(KernelError) {
        var attributes = ck_sched_attr()
        // The size before the utilization clamps, which older kernels know too.
        attributes.size = 48
        attributes.policy = policy.rawValue
        attributes.flags = flags.rawValue
        attributes.nice = nice
        attributes.priority = priority
        attributes.runtime = runtime
        attributes.deadline = deadline
        attributes.period = period
        try call("set the scheduling policy to", "\(policy)") { ck_sched_setattr(processID, &attributes) }
    }

    public static func policy(of processID: Int32 = 0) throws(KernelError) -> (policy: Policy?, nice: Int32) {
        var attributes = ck_sched_attr()
        try call("read the scheduling policy") { ck_sched_getattr(processID, &attributes) }
        return (Policy(rawValue: attributes.policy), attributes.nice)
    }

    /// The processors that a thread may run on; 0 is the caller.
    public static func setAffinity(_ processors: some Sequence<Int>, of processID: Int32 = 0) throws(KernelError) {
        var mask = [UInt](repeating: 0, count: 1)
        for processor in processors where processor >= 0 {
            while mask.count <= processor / 64 { mask.append(0) }
            mask[processor / 64] |= 1 << UInt(processor % 64)
        }
        try call("set the processors of process", "\(processID)") {
            ck_sched_setaffinity(processID, mask.count * 8, mask)
        }
    }

    public static func affinity(of processID: Int32 = 0) throws(KernelError) -> [Int] {
        var mask = [UInt](repeating: 0, count: 128)
        try call("read the processors of process", "\(processID)") { ck_sched_getaffinity(processID, 1024, &mask) }
        return (0..<(64 * mask.count)).filter { mask[$0 / 64] >> UInt($0 % 64) & 1 == 1 }
    }

    public enum InputOutputClass: Int32, Sendable {
        case none = 0
        case realTime = 1
        case bestEffort = 2
        case idle = 3

        /// From the runtime spec's `IOPRIO_CLASS_RT` and the like.
        public init?(name: String) {
            switch name {
            case "IOPRIO_CLASS_RT": self = .realTime
            case "IOPRIO_CLASS_BE": self = .bestEffort
            case "IOPRIO_CLASS_IDLE": self = .idle
            default: return nil
            }
        }
    }

    /// - Parameter level: 0 (first) to 7.
    public static func setInputOutputPriority(_ kind: InputOutputClass, level: Int32) throws(KernelError) {
        // IOPRIO_WHO_PROCESS 1, 0 is the caller.
        try call("set the I/O priority to", "\(kind) \(level)") { ck_ioprio_set(1, 0, kind.rawValue << 13 | level) }
    }

    public static func inputOutputPriority() throws(KernelError) -> (kind: InputOutputClass, level: Int32) {
        let raw = Int32(try call("read the I/O priority") { ck_ioprio_get(1, 0) })
        return (InputOutputClass(rawValue: raw >> 13) ?? .none, raw & 0x1fff)
    }

    /// The modes of NUMA memory policy (`MPOL_*`), with their flags or'ed in.
    public static func setMemoryPolicy(mode: Int32, nodes: some Sequence<Int>) throws(KernelError) {
        var mask = [UInt](repeating: 0, count: 16)
        for node in nodes where (0..<1024).contains(node) { mask[node / 64] |= 1 << UInt(node % 64) }
        let isEmpty = mask.allSatisfy { $0 == 0 }
        try call("set the memory policy to", "\(mode)") {
            isEmpty ? ck_set_mempolicy(mode, nil, 0) : ck_set_mempolicy(mode, mask, 1024)
        }
    }
}

/// Parses a list of processors or memory nodes as the kernel writes it: `0-3,8`.
/// - Returns: `nil` for anything else, and for numbers from 65536 on.
public func parseProcessorList(_ text: some StringProtocol) -> [Int]? {
    var result: [Int] = []
    for part in text.split(separator: ",") {
        let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = Int(ends[0]), let last = ends.count == 2 ? Int(ends[1]) : first,
            0 <= first, first <= last, last < 65536,
            // Ranges that overlap again and again are no list of processors, but would fill the memory.
            result.count + (last - first) < 65536
        else { return nil }
        result.append(contentsOf: first...last)
    }
    return result
}
