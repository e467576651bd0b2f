import Kernel

extension CgroupV1 {
    func statistics() throws(CgroupError) -> CgroupStatistics {
        var statistics = CgroupStatistics()
        if let directory = directory("cpuacct") { statistics.cpu = try cpuUsage(directory) }
        if let directory = directory("cpu") {
            let values = try directory.keyedValues("cpu.stat")
            statistics.cpu.periods = values["nr_periods"] ?? 0
            statistics.cpu.throttledPeriods = values["nr_throttled"] ?? 0
            statistics.cpu.throttledTime = values["throttled_time"] ?? 0
        }
        if let directory = directory("memory") { statistics.memory = try memory(directory) }
        if let directory = directory("pids") {
            statistics.pids.current = try directory.number("pids.current") ?? 0
            let limit = try directory.number("pids.max") ?? 0
            statistics.pids.limit = limit == .max ? 0 : limit
        }
        if let directory = directory("blkio") { statistics.blockIO = try blockIO(directory) }
        if let directory = directory("hugetlb") { statistics.hugePages = try hugePages(directory) }
        if let directory = directory("rdma") { statistics.rdma = try rdmaStatistics(directory) }
        return statistics
    }

    private func cpuUsage(_ directory: CgroupDirectory) throws(CgroupError) -> CgroupStatistics.CPU {
        var cpu = CgroupStatistics.CPU()
        cpu.total = try directory.number("cpuacct.usage") ?? 0
        // In units of USER_HZ, which is 100 everywhere that matters.
        let split = try directory.keyedValues("cpuacct.stat")
        let tick = 1_000_000_000 / UInt64(HostSystem.clockTicksPerSecond)
        cpu.user = (split["user"] ?? 0) &* tick
        cpu.kernel = (split["system"] ?? 0) &* tick
        // A table: "cpu user system", nanoseconds.
        for line in try directory.readIfPresent("cpuacct.usage_all")?.split(separator: "\n").dropFirst() ?? [] {
            let fields = line.split(separator: " ").compactMap { UInt64($0) }
            guard fields.count == 3 else { continue }
            cpu.perProcessorUser.append(fields[1])
            cpu.perProcessorKernel.append(fields[2])
        }
        let each = try directory.readIfPresent("cpuacct.usage_percpu") ?? ""
        cpu.perProcessor = each.split(separator: " ").compactMap { UInt64($0) }
        return cpu
    }

    private func memory(_ directory: CgroupDirectory) throws(CgroupError) -> CgroupStatistics.Memory {
        var memory = CgroupStatistics.Memory()
        memory.details = try directory.keyedValues("memory.stat")
        memory.cache = memory.details["cache"] ?? 0
        memory.usage = try counter(directory, "memory") ?? CgroupStatistics.Counter()
        memory.swap = try counter(directory, "memory.memsw") ?? CgroupStatistics.Counter()
        memory.kernel = try counter(directory, "memory.kmem")
        memory.kernelTCP = try counter(directory, "memory.kmem.tcp")
        memory.usesHierarchy = try directory.number("memory.use_hierarchy") ?? 1 == 1
        memory.outOfMemoryKills = try directory.keyedValues("memory.oom_control")["oom_kill"] ?? 0
        return memory
    }

    private func counter(_ directory: CgroupDirectory, _ prefix: String) throws(CgroupError)
        -> CgroupStatistics.Counter?
    {
        guard let usage = try directory.number("\(prefix).usage_in_bytes") else { return nil }
        var counter = CgroupStatistics.Counter()
        counter.usage = usage
        counter.maximumUsage = try directory.number("\(prefix).max_usage_in_bytes") ?? 0
        counter.failures = try directory.number("\(prefix).failcnt") ?? 0
        counter.limit = try directory.number("\(prefix).limit_in_bytes") ?? 0
        return counter
    }

    private func blockIO(_ directory: CgroupDirectory) throws(CgroupError) -> CgroupStatistics.BlockIO {
        func entries(_ files: String...) throws(CgroupError) -> [CgroupStatistics.BlockIOEntry] {
            for file in files {
                guard let text = try directory.readIfPresent(file) else { continue }
                let entries = blockIOEntries(text)
                if !entries.isEmpty { return entries }
            }
            return []
        }
        var blockIO = CgroupStatistics.BlockIO()
        // BFQ counts what its queues served; the throttle counts everything, whatever the scheduler.
        blockIO.serviceBytes = try entries(
            "blkio.bfq.io_service_bytes_recursive", "blkio.io_service_bytes_recursive",
            "blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes")
        blockIO.serviced = try entries(
            "blkio.bfq.io_serviced_recursive", "blkio.io_serviced_recursive",
            "blkio.throttle.io_serviced_recursive", "blkio.throttle.io_serviced")
        blockIO.queued = try entries("blkio.bfq.io_queued_recursive", "blkio.io_queued_recursive")
        blockIO.serviceTime = try entries("blkio.bfq.io_service_time_recursive", "blkio.io_service_time_recursive")
        blockIO.waitTime = try entries("blkio.bfq.io_wait_time_recursive", "blkio.io_wait_time_recursive")
        blockIO.merged = try entries("blkio.bfq.io_merged_recursive", "blkio.io_merged_recursive")
        blockIO.time = try entries("blkio.bfq.time_recursive", "blkio.time_recursive")
        blockIO.sectors = try entries("blkio.bfq.sectors_recursive", "blkio.sectors_recursive")
        return blockIO
    }

    private func hugePages(_ directory: CgroupDirectory) throws(CgroupError)
        -> [String: CgroupStatistics.HugePages]
    {
        var result: [String: CgroupStatistics.HugePages] = [:]
        for size in hugePageSizes() {
            // Reservations tell more, where the kernel counts them.
            let prefix =
                directory.has("hugetlb.\(size).rsvd.usage_in_bytes") ? "hugetlb.\(size).rsvd" : "hugetlb.\(size)"
            guard let usage = try directory.number("\(prefix).usage_in_bytes") else { continue }
            var pages = CgroupStatistics.HugePages()
            pages.usage = usage
            pages.maximumUsage = try directory.number("\(prefix).max_usage_in_bytes") ?? 0
            pages.failures = try directory.number("\(prefix).failcnt") ?? 0
            result[size] = pages
        }
        return result
    }
}

/// Lines `8:0 Read 4096`, or `8:0 4096`. The `Total 4096` at the end is of no device, and left out.
func blockIOEntries(_ text: String) -> [CgroupStatistics.BlockIOEntry] {
    text.split(separator: "\n").compactMap { line in
        let fields = line.split(separator: " ")
        guard fields.count == 2 || fields.count == 3, let value = fields.last.flatMap({ UInt64($0) }) else {
            return nil
        }
        let numbers = fields[0].split(separator: ":").compactMap { UInt64($0) }
        guard numbers.count == 2 else { return nil }
        return CgroupStatistics.BlockIOEntry(
            major: numbers[0], minor: numbers[1], operation: fields.count == 3 ? String(fields[1]) : "", value: value)
    }
}

/// The sizes of huge pages that the kernel has, named as its cgroup files are: `2MB`, `1GB`.
func hugePageSizes() -> [String] {
    let entries = (try? FileDescriptor.currentDirectory.entries(of: "/sys/kernel/mm/hugepages")) ?? []
    return entries.compactMap { entry in
        // hugepages-2048kB
        let name = entry.name
        guard name.hasPrefix("hugepages-"), name.hasSuffix("kB"),
            let kibibytes = UInt64(name.dropFirst(10).dropLast(2))
        else { return nil }
        if kibibytes >= 1 << 20 { return "\(kibibytes >> 20)GB" }
        return kibibytes >= 1 << 10 ? "\(kibibytes >> 10)MB" : "\(kibibytes)KB"
    }.sorted()
}

/// `rdma.current` and `rdma.max`: lines `mlx5_0 hca_handle=2 hca_object=max`.
func rdmaStatistics(_ directory: CgroupDirectory) throws(CgroupError) -> [String: CgroupStatistics.RDMA] {
    var result: [String: CgroupStatistics.RDMA] = [:]
    for (file, isLimit) in [("rdma.current", false), ("rdma.max", true)] {
        for line in try directory.readIfPresent(file)?.split(separator: "\n") ?? [] {
            let fields = line.split(separator: " ")
            guard let device = fields.first else { continue }
            var entry = result[String(device)] ?? CgroupStatistics.RDMA()
            for field in fields.dropFirst() {
                let pair = field.split(separator: "=")
                guard pair.count == 2, let value = pair[1] == "max" ? .max : UInt32(pair[1]) else { continue }
                switch (String(pair[0]), isLimit) {
                case ("hca_handle", false): entry.currentHandles = value
                case ("hca_object", false): entry.currentObjects = value
                case ("hca_handle", true): entry.limitHandles = value
                case ("hca_object", true): entry.limitObjects = value
                default: break
                }
            }
            result[String(device)] = entry
        }
    }
    return result
}
