import EngineModel

/// Docker's checks of limits against what the host can do: what is impossible is an error, what the kernel lacks is
/// left out with a warning.
package enum ResourceValidation {
    /// Docker's least memory: below that no process starts.
    package static let minimumMemory: Int64 = 6 << 20

    /// - Parameter isUpdate: whether limits that are not given stay as they are.
    /// - Returns: warnings.
    /// - Throws: `EngineError.invalidParameter`.
    package static func check(
        _ resources: inout Resources, on host: HostFacts, isUpdate: Bool
    ) throws(EngineError) -> [String] {
        var warnings: [String] = []
        try checkMemory(&resources, host, isUpdate, &warnings)
        try checkCPU(&resources, host, &warnings)
        try checkBlockIO(&resources, host, &warnings)
        if let limit = resources.pidsLimit, !host.hasPids {
            if limit > 0 {
                warnings.append(
                    "Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit "
                        + "discarded.")
            }
            resources.pidsLimit = nil
        }
        for limit in resources.ulimits ?? [] {
            guard Rlimits.names.contains(limit.name) else { throw .invalid("invalid ulimit type: \(limit.name)") }
            if limit.hard != -1, limit.soft == -1 || limit.soft > limit.hard {
                throw .invalid(
                    "ulimit soft limit must be less than or equal to hard limit: \(limit.soft) > \(limit.hard)")
            }
        }
        return warnings
    }

    private static func lacks(_ what: String, _ consequence: String) -> String {
        "Your kernel does not support \(what) or the cgroup is not mounted. \(consequence)"
    }

    private static func checkMemory(
        _ resources: inout Resources, _ host: HostFacts, _ isUpdate: Bool, _ warnings: inout [String]
    ) throws(EngineError) {
        // -1 is an old client's word for "not set".
        if resources.memorySwappiness == -1 { resources.memorySwappiness = nil }
        if resources.memory != 0, resources.memory < minimumMemory {
            throw .invalid("Minimum memory limit allowed is 6MB")
        }
        if resources.memory > 0, !host.hasMemory {
            warnings.append(lacks("memory limit capabilities", "Limitation discarded."))
            resources.memory = 0
            resources.memorySwap = -1
        }
        if resources.memory > 0, resources.memorySwap != -1, !host.hasSwapLimit {
            warnings.append(lacks("swap limit capabilities", "Memory limited without swap."))
            resources.memorySwap = -1
        }
        if resources.memory > 0, resources.memorySwap > 0, resources.memorySwap < resources.memory {
            throw .invalid("Minimum memoryswap limit should be larger than memory limit, see usage")
        }
        if resources.memory == 0, resources.memorySwap > 0, !isUpdate {
            throw .invalid("You should always set the Memory limit when using Memoryswap limit, see usage")
        }
        if let swappiness = resources.memorySwappiness {
            if !host.hasSwappiness {
                warnings.append(lacks("memory swappiness capabilities", "Memory swappiness discarded."))
                resources.memorySwappiness = nil
            } else if !(0...100).contains(swappiness) {
                throw .invalid("Invalid value: \(swappiness), valid memory swappiness range is 0-100")
            }
        }
        if resources.memoryReservation > 0, !host.hasMemory {
            warnings.append(lacks("memory soft limit capabilities", "Limitation discarded."))
            resources.memoryReservation = 0
        }
        if resources.memoryReservation > 0, resources.memoryReservation < minimumMemory {
            throw .invalid("Minimum memory reservation allowed is 6MB")
        }
        if resources.memory > 0, resources.memoryReservation > 0, resources.memory < resources.memoryReservation {
            throw .invalid("Minimum memory limit can not be less than memory reservation limit, see usage")
        }
        if resources.kernelMemory > 0 {
            warnings.append(lacks("kernel memory limit capabilities", "Limitation discarded."))
            resources.kernelMemory = 0
        }
        if resources.oomKillDisable == true {
            if !host.hasOOMControl {
                warnings.append("Your kernel does not support OomKillDisable. OomKillDisable discarded.")
                resources.oomKillDisable = nil
            } else if resources.memory == 0 {
                warnings.append(
                    "OOM killer is disabled for the container, but no memory limit is set, this can result in the system "
                        + "running out of resources.")
            }
        } else if !host.hasOOMControl {
            resources.oomKillDisable = nil
        }
    }

    private static func checkCPU(
        _ resources: inout Resources, _ host: HostFacts, _ warnings: inout [String]
    ) throws(EngineError) {
        if resources.nanoCpus > 0, resources.cpuPeriod > 0 {
            throw .invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set")
        }
        if resources.nanoCpus > 0, resources.cpuQuota > 0 {
            throw .invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
        }
        if resources.nanoCpus > 0, !host.hasCPU {
            throw .invalid(
                "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted"
            )
        }
        if resources.nanoCpus < 0 || resources.nanoCpus > Int64(host.cpuCount) * 1_000_000_000 {
            throw .invalid(
                "range of CPUs is from 0.01 to \(host.cpuCount).00, as there are only \(host.cpuCount) CPUs available")
        }
        if resources.cpuShares < 0 {
            throw .invalid("invalid CPU shares (\(resources.cpuShares)): value must be a positive integer")
        }
        if resources.cpuShares > 0, !host.hasCPU {
            warnings.append("Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.")
            resources.cpuShares = 0
        }
        if resources.cpuPeriod != 0 || resources.cpuQuota != 0, !host.hasCPU {
            warnings.append("Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.")
            resources.cpuPeriod = 0
            resources.cpuQuota = 0
        }
        if resources.cpuPeriod != 0, !(1_000...1_000_000).contains(resources.cpuPeriod) {
            throw .invalid("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
        }
        if resources.cpuQuota > 0, resources.cpuQuota < 1_000 {
            throw .invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)")
        }
        if resources.cpuPercent > 0 {
            warnings.append("linux does not support CPU percent. Percent discarded.")
            resources.cpuPercent = 0
        }
        if !resources.cpusetCpus.isEmpty || !resources.cpusetMems.isEmpty, !host.hasCpuset {
            warnings.append("Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.")
            resources.cpusetCpus = ""
            resources.cpusetMems = ""
        }
        try check(resources.cpusetCpus, in: host.onlineCPUs, "cpus", "CPUs")
        try check(resources.cpusetMems, in: host.onlineMemoryNodes, "mems", "memory nodes")
    }

    private static func check(
        _ text: String, in available: String, _ short: String, _ long: String
    ) throws(EngineError) {
        guard !text.isEmpty else { return }
        guard let wanted = numbers(text) else {
            throw .invalid("Invalid value \(text) for cpuset \(short): failed to parse a list of ranges")
        }
        guard let there = numbers(available), wanted.isSubset(of: there) else {
            throw .invalid("Requested \(long) are not available - requested \(text), available: \(available)")
        }
    }

    /// The numbers of a list such as `0-2,7`, or `nil` when it is none.
    package static func numbers(_ list: String) -> Set<Int>? {
        var result: Set<Int> = []
        var count = 0
        for part in list.split(separator: ",", omittingEmptySubsequences: true) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1], first >= 0, first <= last,
                last < 65_536
            else { return nil }
            // Ranges may overlap, but not again and again.
            count += last - first + 1
            guard count <= 4 * 65_536 else { return nil }
            result.formUnion(first...last)
        }
        return result
    }

    private static func checkBlockIO(
        _ resources: inout Resources, _ host: HostFacts, _ warnings: inout [String]
    ) throws(EngineError) {
        if resources.blkioWeight > 0, !host.hasBlockIOWeight {
            warnings.append(lacks("Block I/O weight", "Weight discarded."))
            resources.blkioWeight = 0
        }
        if resources.blkioWeight > 0, !(10...1000).contains(resources.blkioWeight) {
            throw .invalid("Range of blkio weight is from 10 to 1000")
        }
        if resources.ioMaximumBandwidth != 0 || resources.ioMaximumIOps != 0 {
            throw .invalid("Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps")
        }
        if let devices = resources.blkioWeightDevice, !devices.isEmpty, !host.hasBlockIOWeight {
            warnings.append(lacks("Block I/O weight_device", "Weight-device discarded."))
            resources.blkioWeightDevice = []
        }
        if host.hasBlockIO { return }
        for (name, path) in [
            ("BPS Block I/O read limit", \Resources.blkioDeviceReadBps),
            ("BPS Block I/O write limit", \Resources.blkioDeviceWriteBps),
            ("IOPS Block read limit", \Resources.blkioDeviceReadIOps),
            ("IOPS Block write limit", \Resources.blkioDeviceWriteIOps),
        ] where !(resources[keyPath: path]?.isEmpty ?? true) {
            warnings.append(lacks(name, "Limit discarded."))
            resources[keyPath: path] = []
        }
    }
}

/// The names that `--ulimit` takes, of getrlimit(2).
enum Rlimits {
    static let names: Set<String> = [
        "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
        "rttime", "sigpending", "stack",
    ]
}
