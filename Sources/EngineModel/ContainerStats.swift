import JSON

/// One sample in the answer to `GET /containers/{id}/stats`.
public struct ContainerStats: JSONRecord {
    public var id = ""
    public var name = ""
    public var osType = ""
    public var read = Timestamp.zero.description
    public var cpuStats = CPU()
    public var memoryStats = Memory()
    /// By interface.
    public var networks: [String: Network]?
    public var pidsStats = Pids()
    public var blkioStats = BlockIO()
    public var numProcs: UInt32 = 0
    public var storageStats = JSONObject()
    public var preread = Timestamp.zero.description
    public var precpuStats = CPU()
    public var unknownMembers = JSONObject()

    public init() {}

    public static let members = JSONMembers<Self>(
        .omitEmpty("id", \.id),
        .omitEmpty("name", \.name),
        .omitEmpty("os_type", \.osType),
        .always("read", \.read),
        .always("cpu_stats", \.cpuStats),
        .always("memory_stats", \.memoryStats),
        .optional("networks", \.networks),
        .always("pids_stats", \.pidsStats),
        .always("blkio_stats", \.blkioStats),
        .always("num_procs", \.numProcs),
        .always("storage_stats", \.storageStats),
        .always("preread", \.preread),
        .always("precpu_stats", \.precpuStats))

    /// Times are in nanoseconds.
    public struct CPU: JSONRecord {
        public var usage = Usage()
        public var systemUsage: UInt64 = 0
        public var onlineCPUs: UInt32 = 0
        public var throttling = Throttling()
        public var unknownMembers = JSONObject()
        public init() {}
        public static let members = JSONMembers<Self>(
            .always("cpu_usage", \.usage),
            .omitEmpty("system_cpu_usage", \.systemUsage),
            .omitEmpty("online_cpus", \.onlineCPUs),
            .always("throttling_data", \.throttling))

        public struct Usage: JSONRecord {
            public var total: UInt64 = 0
            public var perCPU: [UInt64]?
            public var kernel: UInt64 = 0
            public var user: UInt64 = 0
            public var unknownMembers = JSONObject()
            public init() {}
            public static let members = JSONMembers<Self>(
                .always("total_usage", \.total),
                .optional("percpu_usage", \.perCPU),
                .always("usage_in_kernelmode", \.kernel),
                .always("usage_in_usermode", \.user))
        }

        public struct Throttling: JSONRecord {
            public var periods: UInt64 = 0
            public var throttledPeriods: UInt64 = 0
            public var throttledTime: UInt64 = 0
            public var unknownMembers = JSONObject()
            public init() {}
            public static let members = JSONMembers<Self>(
                .always("periods", \.periods),
                .always("throttled_periods", \.throttledPeriods),
                .always("throttled_time", \.throttledTime))
        }
    }

    /// Bytes.
    public struct Memory: JSONRecord {
        public var usage: UInt64 = 0
        public var maxUsage: UInt64 = 0
        public var stats: [String: UInt64]?
        public var failcnt: UInt64 = 0
        public var limit: UInt64 = 0
        public var unknownMembers = JSONObject()
        public init() {}
        public static let members = JSONMembers<Self>(
            .omitEmpty("usage", \.usage),
            .omitEmpty("max_usage", \.maxUsage),
            .optional("stats", \.stats),
            .omitEmpty("failcnt", \.failcnt),
            .omitEmpty("limit", \.limit))
    }

    public struct Network: JSONRecord {
        public var rxBytes: UInt64 = 0
        public var rxPackets: UInt64 = 0
        public var rxErrors: UInt64 = 0
        public var rxDropped: UInt64 = 0
        public var txBytes: UInt64 = 0
        public var txPackets: UInt64 = 0
        public var txErrors: UInt64 = 0
        public var txDropped: UInt64 = 0
        public var unknownMembers = JSONObject()
        public init() {}
        public static let members = JSONMembers<Self>(
            .always("rx_bytes", \.rxBytes),
            .always("rx_packets", \.rxPackets),
            .always("rx_errors", \.rxErrors),
            .always("rx_dropped", \.rxDropped),
            .always("tx_bytes", \.txBytes),
            .always("tx_packets", \.txPackets),
            .always("tx_errors", \.txErrors),
            .always("tx_dropped", \.txDropped))
    }

    public struct Pids: JSONRecord {
        public var current: UInt64 = 0
        public var limit: UInt64 = 0
        public var unknownMembers = JSONObject()
        public init() {}
        public static let members = JSONMembers<Self>(.omitEmpty("current", \.current), .omitEmpty("limit", \.limit))
    }

    public struct BlockIO: JSONRecord {
        public var serviceBytes: [Entry]?
        public var serviced: [Entry]?
        public var queued: [Entry]?
        public var serviceTime: [Entry]?
        public var waitTime: [Entry]?
        public var merged: [Entry]?
        public var time: [Entry]?
        public var sectors: [Entry]?
        public var unknownMembers = JSONObject()
        public init() {}
        public static let members = JSONMembers<Self>(
            .nullable("io_service_bytes_recursive", \.serviceBytes),
            .nullable("io_serviced_recursive", \.serviced),
            .nullable("io_queue_recursive", \.queued),
            .nullable("io_service_time_recursive", \.serviceTime),
            .nullable("io_wait_time_recursive", \.waitTime),
            .nullable("io_merged_recursive", \.merged),
            .nullable("io_time_recursive", \.time),
            .nullable("sectors_recursive", \.sectors))

        public struct Entry: JSONRecord {
            public var major: UInt64 = 0
            public var minor: UInt64 = 0
            public var op = ""
            public var value: UInt64 = 0
            public var unknownMembers = JSONObject()
            public init() {}
            public init(major: UInt64, minor: UInt64, op: String, value: UInt64) {
                self.major = major
                self.minor = minor
                self.op = op
                self.value = value
            }
            public static let members = JSONMembers<Self>(
                .always("major", \.major), .always("minor", \.minor), .always("op", \.op), .always("value", \.value))
        }
    }
}
