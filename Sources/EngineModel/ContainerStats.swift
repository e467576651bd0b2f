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

    public mutating func members(_ json: inout JSONMembers) {
        json.omitEmpty("id", &id)
        json.omitEmpty("name", &name)
        json.omitEmpty("os_type", &osType)
        json.always("read", &read)
        json.always("cpu_stats", &cpuStats)
        json.always("memory_stats", &memoryStats)
        json.optional("networks", &networks)
        json.always("pids_stats", &pidsStats)
        json.always("blkio_stats", &blkioStats)
        json.always("num_procs", &numProcs)
        json.always("storage_stats", &storageStats)
        json.always("preread", &preread)
        json.always("precpu_stats", &precpuStats)
    }

    /// Times are in nanoseconds.
    public struct CPU: JSONRecord {
        public var usage = Usage()
        public var systemUsage: UInt64 = 0
        public var onlineCPUs: UInt32 = 0
        public var throttling = Throttling()
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.always("cpu_usage", &usage)
            json.omitEmpty("system_cpu_usage", &systemUsage)
            json.omitEmpty("online_cpus", &onlineCPUs)
            json.always("throttling_data", &throttling)
        }

        public struct Usage: JSONRecord {
            public var total: UInt64 = 0
            public var perCPU: [UInt64]?
            public var kernel: UInt64 = 0
            public var user: UInt64 = 0
            public var unknownMembers = JSONObject()
            public init() {}
            public mutating func members(_ json: inout JSONMembers) {
                json.always("total_usage", &total)
                json.optional("percpu_usage", &perCPU)
                json.always("usage_in_kernelmode", &kernel)
                json.always("usage_in_usermode", &user)
            }
        }

        public struct Throttling: JSONRecord {
            public var periods: UInt64 = 0
            public var throttledPeriods: UInt64 = 0
            public var throttledTime: UInt64 = 0
            public var unknownMembers = JSONObject()
            public init() {}
            public mutating func members(_ json: inout JSONMembers) {
                json.always("periods", &periods)
                json.always("throttled_periods", &throttledPeriods)
                json.always("throttled_time", &throttledTime)
            }
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
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("usage", &usage)
            json.omitEmpty("max_usage", &maxUsage)
            json.optional("stats", &stats)
            json.omitEmpty("failcnt", &failcnt)
            json.omitEmpty("limit", &limit)
        }
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
        public mutating func members(_ json: inout JSONMembers) {
            json.always("rx_bytes", &rxBytes)
            json.always("rx_packets", &rxPackets)
            json.always("rx_errors", &rxErrors)
            json.always("rx_dropped", &rxDropped)
            json.always("tx_bytes", &txBytes)
            json.always("tx_packets", &txPackets)
            json.always("tx_errors", &txErrors)
            json.always("tx_dropped", &txDropped)
        }
    }

    public struct Pids: JSONRecord {
        public var current: UInt64 = 0
        public var limit: UInt64 = 0
        public var unknownMembers = JSONObject()
        public init() {}
        public mutating func members(_ json: inout JSONMembers) {
            json.omitEmpty("current", &current)
            json.omitEmpty("limit", &limit)
        }
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
        public mutating func members(_ json: inout JSONMembers) {
            json.nullable("io_service_bytes_recursive", &serviceBytes)
            json.nullable("io_serviced_recursive", &serviced)
            json.nullable("io_queue_recursive", &queued)
            json.nullable("io_service_time_recursive", &serviceTime)
            json.nullable("io_wait_time_recursive", &waitTime)
            json.nullable("io_merged_recursive", &merged)
            json.nullable("io_time_recursive", &time)
            json.nullable("sectors_recursive", &sectors)
        }

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
            public mutating func members(_ json: inout JSONMembers) {
                json.always("major", &major)
                json.always("minor", &minor)
                json.always("op", &op)
                json.always("value", &value)
            }
        }
    }
}
