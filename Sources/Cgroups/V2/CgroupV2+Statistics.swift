import Kernel

extension CgroupV2 {
    func statistics() throws(CgroupError) -> CgroupStatistics {
        var statistics = CgroupStatistics()
        statistics.cpu = try cpu()
        statistics.memory = try memory()
        statistics.pids.current = try directory.number("pids.current") ?? 0
        let limit = try directory.number("pids.max") ?? 0
        statistics.pids.limit = limit == .max ? 0 : limit
        statistics.blockIO = blockIO(try directory.readIfPresent("io.stat") ?? "")
        statistics.blockIO.pressure = try pressure("io.pressure")
        for size in hugePageSizes() {
            guard let usage = try directory.number("hugetlb.\(size).current") else { continue }
            var pages = CgroupStatistics.HugePages()
            pages.usage = usage
            pages.failures = try directory.keyedValues("hugetlb.\(size).events")["max"] ?? 0
            statistics.hugePages[size] = pages
        }
        statistics.rdma = try rdmaStatistics(directory)
        return statistics
    }

    private func cpu() throws(CgroupError) -> CgroupStatistics.CPU {
        var cpu = CgroupStatistics.CPU()
        // Microseconds.
        let values = try directory.keyedValues("cpu.stat")
        cpu.total = (values["usage_usec"] ?? 0) &* 1000
        cpu.user = (values["user_usec"] ?? 0) &* 1000
        cpu.kernel = (values["system_usec"] ?? 0) &* 1000
        cpu.periods = values["nr_periods"] ?? 0
        cpu.throttledPeriods = values["nr_throttled"] ?? 0
        cpu.throttledTime = (values["throttled_usec"] ?? 0) &* 1000
        cpu.pressure = try pressure("cpu.pressure")
        return cpu
    }

    private func memory() throws(CgroupError) -> CgroupStatistics.Memory {
        var memory = CgroupStatistics.Memory()
        memory.details = try directory.keyedValues("memory.stat")
        memory.cache = memory.details["file"] ?? 0
        let events = try directory.keyedValues("memory.events")
        memory.outOfMemoryKills = events["oom_kill"] ?? 0
        memory.usage.usage = try directory.number("memory.current") ?? 0
        memory.usage.maximumUsage = try directory.number("memory.peak") ?? 0
        memory.usage.limit = try directory.number("memory.max") ?? 0
        memory.usage.failures = events["max"] ?? 0
        if let usage = try directory.number("memory.swap.current") {
            var swap = CgroupStatistics.Counter()
            swap.usage = usage
            swap.maximumUsage = try directory.number("memory.swap.peak") ?? 0
            swap.limit = try directory.number("memory.swap.max") ?? .max
            swap.failures = try directory.keyedValues("memory.swap.events")["max"] ?? 0
            memory.swapOnly = swap
            // The kernel does not count the two together; the sum is near enough, and what v1's readers expect.
            memory.swap.usage = swap.usage &+ memory.usage.usage
            let (sum, overflow) = swap.limit.addingReportingOverflow(memory.usage.limit)
            memory.swap.limit = overflow || swap.limit == .max || memory.usage.limit == .max ? .max : sum
        }
        memory.pressure = try pressure("memory.pressure")
        return memory
    }

    /// `io.stat`: lines `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`.
    func blockIO(_ text: String) -> CgroupStatistics.BlockIO {
        var blockIO = CgroupStatistics.BlockIO()
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            let numbers = (fields.first ?? "").split(separator: ":").compactMap { UInt64($0) }
            guard numbers.count == 2 else { continue }
            for field in fields.dropFirst() {
                let pair = field.split(separator: "=")
                guard pair.count == 2, let value = UInt64(pair[1]) else { continue }
                func entry(_ operation: String) -> CgroupStatistics.BlockIOEntry {
                    CgroupStatistics.BlockIOEntry(
                        major: numbers[0], minor: numbers[1], operation: operation, value: value)
                }
                switch pair[0] {
                case "rbytes": blockIO.serviceBytes.append(entry("Read"))
                case "wbytes": blockIO.serviceBytes.append(entry("Write"))
                case "dbytes": blockIO.serviceBytes.append(entry("Discard"))
                case "rios": blockIO.serviced.append(entry("Read"))
                case "wios": blockIO.serviced.append(entry("Write"))
                case "dios": blockIO.serviced.append(entry("Discard"))
                default: break
                }
            }
        }
        return blockIO
    }

    private func pressure(_ file: String) throws(CgroupError) -> CgroupStatistics.Pressure? {
        try directory.readIfPresent(file).map { CgroupStatistics.Pressure(parsing: $0) }
    }
}

extension CgroupStatistics.Pressure {
    /// Lines `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
    init(parsing text: String) {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            var values = Line()
            for field in fields.dropFirst() {
                let pair = field.split(separator: "=")
                guard pair.count == 2 else { continue }
                switch pair[0] {
                case "avg10": values.average10 = Double(pair[1]) ?? 0
                case "avg60": values.average60 = Double(pair[1]) ?? 0
                case "avg300": values.average300 = Double(pair[1]) ?? 0
                case "total": values.total = UInt64(pair[1]) ?? 0
                default: break
                }
            }
            if fields.first == "full" { full = values } else { some = values }
        }
    }
}
