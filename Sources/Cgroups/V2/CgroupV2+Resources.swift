import Kernel
import OCI

extension CgroupV2 {
    func apply(_ resources: LinuxResources) throws(CgroupError) {
        if let devices = resources.devices {
            try DeviceProgram(try DeviceRule.parse(devices)).install(in: directory.path)
        }
        if let memory = resources.memory { try apply(memory) }
        if let cpu = resources.cpu { try apply(cpu) }
        if let limit = resources.pids?.limit, limit != 0 {
            try set("pids.max", limit > 0 ? "\(limit)" : "max")
        }
        if let blockIO = resources.blockIO { try apply(blockIO) }
        for limit in resources.hugepageLimits ?? [] {
            let size = try checked(pageSize: limit.pageSize)
            try set("hugetlb.\(size).max", "\(limit.limit)")
            if directory.has("hugetlb.\(size).rsvd.max") { try set("hugetlb.\(size).rsvd.max", "\(limit.limit)") }
        }
        for (device, limits) in (resources.rdma ?? [:]).sorted(by: { $0.key < $1.key }) {
            try set("rdma.max", rdmaLine(device, limits))
        }
        if let network = resources.network, network.classID ?? 0 != 0 || !(network.priorities ?? []).isEmpty {
            throw CgroupError(
                .invalidResource,
                "linux.resources.network is for cgroup v1; this host has v2, which has no such controller")
        }
        for (file, value) in (resources.unified ?? [:]).sorted(by: { $0.key < $1.key }) {
            if file.containsByte("/") || file.isEmpty
                || file.hasPrefix("cgroup.") && file != "cgroup.max.depth"
                    && file != "cgroup.max.descendants" && file != "cgroup.pressure"
            {
                throw CgroupError(
                    .invalidResource, "linux.resources.unified names \"\(file)\", which is no resource of a cgroup")
            }
            // The kernel takes one line a write.
            for line in value.split(separator: "\n", omittingEmptySubsequences: value.contains("\n")) {
                try set(file, String(line))
            }
        }
    }

    /// Writes a resource, and says which controller is missing if its file is.
    func set(_ file: String, _ value: String) throws(CgroupError) {
        do throws(CgroupError) { try directory.write(file, value) } catch {
            // EACCES: cgroupfs lets nobody make files.
            guard error.causeCode == .notFound || error.causeCode == .accessDenied,
                !directory.has(file), directory.exists
            else { throw error }
            let controller = file.prefix { $0 != "." }
            throw CgroupError(
                .noController,
                "cannot set \(file): the controller \(controller) is not available in \(directory.path); the cgroups "
                    + "above it must have it in cgroup.subtree_control", cause: error.cause)
        }
    }

    private func apply(_ memory: LinuxMemory) throws(CgroupError) {
        let limit = memory.limit ?? 0
        let values = try CgroupConversion.memory(limit: limit, swap: memory.swap ?? 0)
        if limit > 0 && memory.checkBeforeUpdate == true {
            let usage = try directory.number("memory.current") ?? 0
            if usage > UInt64(limit) {
                throw CgroupError(
                    .invalidResource, "the memory limit \(limit) is below the \(usage) bytes that are in use")
            }
        }
        if let swap = values.swap {
            // Without swap accounting there is nothing to lift, and nothing to forbid.
            let isNeeded = swap != "max" && swap != "0"
            if isNeeded || directory.has("memory.swap.max") { try set("memory.swap.max", swap) }
        }
        if let maximum = values.memory { try set("memory.max", maximum) }
        if let reservation = memory.reservation, reservation != 0 {
            try set("memory.low", reservation < 0 ? "max" : "\(reservation)")
        }
        // kernel, kernelTCP, swappiness, disableOOMKiller: v2 has none of these, and every runtime ignores them.
    }

    private func apply(_ cpu: LinuxCPU) throws(CgroupError) {
        if cpu.realtimeRuntime ?? 0 != 0 || cpu.realtimePeriod ?? 0 != 0 {
            throw CgroupError(
                .invalidResource, "linux.resources.cpu.realtimeRuntime is for cgroup v1; v2 has no such limit")
        }
        if let idle = cpu.idle { try set("cpu.idle", "\(idle)") }
        // An idle cgroup has no weight.
        if let shares = cpu.shares, shares != 0, cpu.idle ?? 0 == 0 {
            try set("cpu.weight", "\(CgroupConversion.weight(shares: shares))")
        }
        let hasMaximum = cpu.quota ?? 0 != 0 || cpu.period ?? 0 != 0
        func setMaximum() throws(CgroupError) {
            if !hasMaximum { return }
            let present = try directory.readIfPresent("cpu.max")
            try set("cpu.max", CgroupConversion.cpuMaximum(quota: cpu.quota, period: cpu.period, present: present))
        }
        if let burst = cpu.burst {
            // A burst above the present quota is refused: then it is for after the new one.
            do throws(CgroupError) { try set("cpu.max.burst", "\(burst)") } catch {
                guard error.causeCode == .invalidArgument, hasMaximum else { throw error }
                try setMaximum()
                try set("cpu.max.burst", "\(burst)")
                return try setCpuset(cpu)
            }
        }
        try setMaximum()
        try setCpuset(cpu)
    }

    private func setCpuset(_ cpu: LinuxCPU) throws(CgroupError) {
        if let cpus = cpu.cpus, !cpus.isEmpty { try set("cpuset.cpus", cpus) }
        if let mems = cpu.mems, !mems.isEmpty { try set("cpuset.mems", mems) }
    }

    private func apply(_ blockIO: LinuxBlockIO) throws(CgroupError) {
        // BFQ takes v1's range under a name of its own; io.cost takes v2's.
        let hasBFQ = directory.has("io.bfq.weight")
        if let weight = blockIO.weight, weight != 0 {
            if hasBFQ {
                try set("io.bfq.weight", "default \(weight)")
            } else {
                try set("io.weight", "default \(CgroupConversion.ioWeight(blkioWeight: weight))")
            }
        }
        if blockIO.leafWeight ?? 0 != 0 {
            throw CgroupError(
                .invalidResource, "linux.resources.blockIO.leafWeight is for cgroup v1; v2 has no such weight")
        }
        for device in blockIO.weightDevice ?? [] {
            guard let weight = device.weight, weight != 0 else { continue }
            let number = "\(device.major):\(device.minor)"
            if hasBFQ {
                try set("io.bfq.weight", "\(number) \(weight)")
            } else {
                try set("io.weight", "\(number) \(CgroupConversion.ioWeight(blkioWeight: weight))")
            }
        }
        let throttles = [
            ("rbps", blockIO.throttleReadBpsDevice), ("wbps", blockIO.throttleWriteBpsDevice),
            ("riops", blockIO.throttleReadIOPSDevice), ("wiops", blockIO.throttleWriteIOPSDevice),
        ]
        for (name, devices) in throttles {
            for device in devices ?? [] {
                let rate = device.rate == 0 ? "max" : "\(device.rate)"
                try set("io.max", "\(device.major):\(device.minor) \(name)=\(rate)")
            }
        }
    }
}
