/// What a cgroup has used. Times are nanoseconds, sizes bytes; what the host does not count is `nil` or empty.
public struct CgroupStatistics: Sendable, Equatable {
    public var cpu = CPU()
    public var memory = Memory()
    public var pids = Pids()
    public var blockIO = BlockIO()
    /// By page size, such as `2MB`.
    public var hugePages: [String: HugePages] = [:]
    /// By device.
    public var rdma: [String: RDMA] = [:]

    public init() {}

    public struct CPU: Sendable, Equatable {
        public var total: UInt64 = 0
        public var user: UInt64 = 0
        public var kernel: UInt64 = 0
        /// By processor; v1 only.
        public var perProcessor: [UInt64] = []
        public var perProcessorUser: [UInt64] = []
        public var perProcessorKernel: [UInt64] = []
        public var periods: UInt64 = 0
        public var throttledPeriods: UInt64 = 0
        public var throttledTime: UInt64 = 0
        public var pressure: Pressure?

        public init() {}
    }

    public struct Memory: Sendable, Equatable {
        public var usage = Counter()
        /// Memory plus swap, as v1 counts; on v2 the sum.
        public var swap = Counter()
        /// Swap alone, v2 only.
        public var swapOnly: Counter?
        public var kernel: Counter?
        public var kernelTCP: Counter?
        /// Page cache.
        public var cache: UInt64 = 0
        /// `memory.stat`
        public var details: [String: UInt64] = [:]
        public var usesHierarchy = true
        /// Processes killed for lack of memory.
        public var outOfMemoryKills: UInt64 = 0
        public var pressure: Pressure?

        public init() {}
    }

    public struct Counter: Sendable, Equatable {
        public var usage: UInt64 = 0
        public var maximumUsage: UInt64 = 0
        /// How often the limit was hit.
        public var failures: UInt64 = 0
        /// `UInt64.max` for none.
        public var limit: UInt64 = 0

        public init() {}
    }

    public struct Pids: Sendable, Equatable {
        public var current: UInt64 = 0
        /// 0 for none.
        public var limit: UInt64 = 0

        public init() {}
    }

    public struct BlockIOEntry: Sendable, Equatable {
        public var major: UInt64
        public var minor: UInt64
        /// `Read`, `Write`, `Sync`, `Async`, `Discard`, `Total`; empty where there is no distinction.
        public var operation: String
        public var value: UInt64

        public init(major: UInt64, minor: UInt64, operation: String, value: UInt64) {
            self.major = major
            self.minor = minor
            self.operation = operation
            self.value = value
        }
    }

    public struct BlockIO: Sendable, Equatable {
        public var serviceBytes: [BlockIOEntry] = []
        public var serviced: [BlockIOEntry] = []
        public var queued: [BlockIOEntry] = []
        public var serviceTime: [BlockIOEntry] = []
        public var waitTime: [BlockIOEntry] = []
        public var merged: [BlockIOEntry] = []
        public var time: [BlockIOEntry] = []
        public var sectors: [BlockIOEntry] = []
        public var pressure: Pressure?

        public init() {}
    }

    public struct HugePages: Sendable, Equatable {
        public var usage: UInt64 = 0
        public var maximumUsage: UInt64 = 0
        public var failures: UInt64 = 0

        public init() {}
    }

    public struct RDMA: Sendable, Equatable {
        /// `UInt32.max` in a limit is none.
        public var currentHandles: UInt32 = 0
        public var currentObjects: UInt32 = 0
        public var limitHandles: UInt32 = 0
        public var limitObjects: UInt32 = 0

        public init() {}
    }

    /// Pressure stall information (v2).
    public struct Pressure: Sendable, Equatable {
        public var some = Line()
        public var full = Line()

        public init() {}

        public struct Line: Sendable, Equatable {
            /// Percent.
            public var average10 = 0.0
            public var average60 = 0.0
            public var average300 = 0.0
            /// Microseconds.
            public var total: UInt64 = 0

            public init() {}
        }
    }
}
