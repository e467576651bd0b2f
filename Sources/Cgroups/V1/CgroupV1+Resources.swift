import Kernel
import OCI

extension CgroupV1 {
    func apply(_ resources: LinuxResources) throws(CgroupError) {
        if let devices = resources.devices { try apply(devices: devices) }
        if let cpu = resources.cpu { try apply(cpu) }
        if let memory = resources.memory { try apply(memory) }
        if let limit = resources.pids?.limit, limit != 0 {
            try need("pids", "pids.limit").write("pids.max", limit > 0 ? "\(limit)" : "max")
        }
        if let blockIO = resources.blockIO { try apply(blockIO) }
        for limit in resources.hugepageLimits ?? [] {
            let hugetlb = try need("hugetlb", "hugepageLimits")
            let size = try checked(pageSize: limit.pageSize)
            try hugetlb.write("hugetlb.\(size).limit_in_bytes", limit.limit)
            // Reservations count too, where the kernel (5.7) counts them.
            if hugetlb.has("hugetlb.\(size).rsvd.limit_in_bytes") {
                try hugetlb.write("hugetlb.\(size).rsvd.limit_in_bytes", limit.limit)
            }
        }
        if let network = resources.network { try apply(network) }
        for (device, limits) in (resources.rdma ?? [:]).sorted(by: { $0.key < $1.key }) {
            try need("rdma", "rdma").write("rdma.max", rdmaLine(device, limits))
        }
        if let unified = resources.unified, !unified.isEmpty {
            throw CgroupError(
                .invalidResource, "linux.resources.unified is for cgroup v2, but this host's controllers are of v1")
        }
    }

    /// The directory of a controller that a resource asks for.
    private func need(_ controller: String, _ resource: String) throws(CgroupError) -> CgroupDirectory {
        if let directory = directory(controller) { return directory }
        throw CgroupError(
            .noController, "cannot set linux.resources.\(resource): the \(controller) controller is not mounted")
    }

    private func apply(_ cpu: LinuxCPU) throws(CgroupError) {
        if let cpus = cpu.cpus, !cpus.isEmpty { try need("cpuset", "cpu.cpus").write("cpuset.cpus", cpus) }
        if let mems = cpu.mems, !mems.isEmpty { try need("cpuset", "cpu.mems").write("cpuset.mems", mems) }

        if let period = cpu.realtimePeriod, period != 0 {
            try writeWithRetry(need("cpu", "cpu.realtimePeriod"), "cpu.rt_period_us", "\(period)") {
                () throws(CgroupError) in try setRealtimeRuntime(cpu)
            }
        } else {
            try setRealtimeRuntime(cpu)
        }

        if let shares = cpu.shares, shares != 0 {
            let directory = try need("cpu", "cpu.shares")
            try directory.write("cpu.shares", shares)
            // The kernel clamps in silence.
            if let kept = try directory.number("cpu.shares"), kept != shares {
                let bound = shares > kept ? "at most" : "at least"
                throw CgroupError(
                    .invalidResource, "linux.resources.cpu.shares is \(shares), but the kernel allows \(bound) \(kept)")
            }
        }
        if let burst = cpu.burst {
            // Above the present quota it is refused: then it is for after the quota.
            try writeWithRetry(need("cpu", "cpu.burst"), "cpu.cfs_burst_us", "\(burst)") {
                () throws(CgroupError) in try setBandwidth(cpu)
            }
        } else {
            try setBandwidth(cpu)
        }
        if let idle = cpu.idle { try need("cpu", "cpu.idle").write("cpu.idle", idle) }
    }

    private func setRealtimeRuntime(_ cpu: LinuxCPU) throws(CgroupError) {
        if let runtime = cpu.realtimeRuntime, runtime != 0 {
            try need("cpu", "cpu.realtimeRuntime").write("cpu.rt_runtime_us", runtime)
        }
    }

    private func setBandwidth(_ cpu: LinuxCPU) throws(CgroupError) {
        if let period = cpu.period, period != 0 {
            try writeWithRetry(need("cpu", "cpu.period"), "cpu.cfs_period_us", "\(period)") {
                () throws(CgroupError) in try setQuota(cpu)
            }
        } else {
            try setQuota(cpu)
        }
    }

    private func setQuota(_ cpu: LinuxCPU) throws(CgroupError) {
        if let quota = cpu.quota, quota != 0 { try need("cpu", "cpu.quota").write("cpu.cfs_quota_us", quota) }
    }

    /// Writes a value and then does the `rest`; if the kernel says EINVAL because the value does not fit the old rest,
    /// the other way round.
    private func writeWithRetry(
        _ directory: CgroupDirectory, _ file: String, _ value: String, rest: () throws(CgroupError) -> Void
    ) throws(CgroupError) {
        do throws(CgroupError) { try directory.write(file, value) } catch {
            guard error.causeCode == .invalidArgument else { throw error }
            try rest()
            try directory.write(file, value)
            return
        }
        try rest()
    }

    private func apply(_ memory: LinuxMemory) throws(CgroupError) {
        let directory = try need("memory", "memory")
        if let useHierarchy = memory.useHierarchy, useHierarchy, directory.has("memory.use_hierarchy"),
            try directory.number("memory.use_hierarchy") != 1
        {
            try directory.write("memory.use_hierarchy", "1")
        }
        try setLimits(memory, directory)
        if let reservation = memory.reservation, reservation != 0 {
            try directory.write("memory.soft_limit_in_bytes", reservation)
        }
        // Kernels from 5.16 on account kernel memory with the rest, and refuse a limit of its own.
        if let kernel = memory.kernel, kernel != 0, directory.has("memory.kmem.limit_in_bytes") {
            do throws(CgroupError) { try directory.write("memory.kmem.limit_in_bytes", kernel) } catch {
                if error.causeCode != .notSupported { throw error }
            }
        }
        if let tcp = memory.kernelTCP, tcp != 0 { try directory.write("memory.kmem.tcp.limit_in_bytes", tcp) }
        if let disabled = memory.disableOOMKiller, disabled { try directory.write("memory.oom_control", "1") }
        if let swappiness = memory.swappiness {
            if swappiness > 100 {
                throw CgroupError(
                    .invalidResource, "linux.resources.memory.swappiness is \(swappiness); it must be from 0 to 100")
            }
            try directory.write("memory.swappiness", swappiness)
        }
    }

    private func setLimits(_ memory: LinuxMemory, _ directory: CgroupDirectory) throws(CgroupError) {
        let limit = memory.limit ?? 0
        var swap = memory.swap ?? 0
        let swapFile = "memory.memsw.limit_in_bytes"
        if limit == -1 && swap == 0 && directory.has(swapFile) { swap = -1 }
        if swap == -1 && !directory.has(swapFile) { swap = 0 }
        if limit > 0 && memory.checkBeforeUpdate == true {
            let usage = try directory.number("memory.usage_in_bytes") ?? 0
            if usage > UInt64(limit) {
                throw CgroupError(
                    .invalidResource, "the memory limit \(limit) is below the \(usage) bytes that are in use")
            }
        }
        func setMemory() throws(CgroupError) {
            if limit == 0 { return }
            do throws(CgroupError) { try directory.write("memory.limit_in_bytes", limit) } catch {
                guard error.causeCode == .busy else { throw error }
                let usage = (try? directory.number("memory.usage_in_bytes")) ?? 0
                let peak = (try? directory.number("memory.max_usage_in_bytes")) ?? 0
                throw CgroupError(
                    .invalidResource,
                    "cannot set the memory limit to \(limit): \(usage) bytes are in use, \(peak) were at most",
                    cause: error.cause)
            }
        }
        func setSwap() throws(CgroupError) { if swap != 0 { try directory.write(swapFile, swap) } }
        // The kernel insists on memory <= memory + swap at every moment.
        let present = limit != 0 && swap != 0 ? try directory.number("memory.limit_in_bytes") ?? 0 : 0
        if swap == -1 || (swap > 0 && present < UInt64(swap)) {
            try setSwap()
            try setMemory()
        } else {
            try setMemory()
            try setSwap()
        }
    }

    private func apply(_ blockIO: LinuxBlockIO) throws(CgroupError) {
        let directory = try need("blkio", "blockIO")
        // BFQ's files have names of their own, CFQ's are gone with it.
        let weightFile = directory.has("blkio.bfq.weight") ? "blkio.bfq.weight" : "blkio.weight"
        if let weight = blockIO.weight, weight != 0 { try directory.write(weightFile, weight) }
        if let weight = blockIO.leafWeight, weight != 0 { try directory.write("blkio.leaf_weight", weight) }
        for device in blockIO.weightDevice ?? [] {
            let number = "\(device.major):\(device.minor)"
            if let weight = device.weight, weight != 0 {
                let file =
                    directory.has("blkio.bfq.weight_device") ? "blkio.bfq.weight_device" : "blkio.weight_device"
                try directory.write(file, "\(number) \(weight)")
            }
            if let weight = device.leafWeight, weight != 0 {
                try directory.write("blkio.leaf_weight_device", "\(number) \(weight)")
            }
        }
        let throttles = [
            ("read_bps_device", blockIO.throttleReadBpsDevice), ("write_bps_device", blockIO.throttleWriteBpsDevice),
            ("read_iops_device", blockIO.throttleReadIOPSDevice),
            ("write_iops_device", blockIO.throttleWriteIOPSDevice),
        ]
        for (name, devices) in throttles {
            for device in devices ?? [] {
                try directory.write("blkio.throttle.\(name)", "\(device.major):\(device.minor) \(device.rate)")
            }
        }
    }

    private func apply(_ network: LinuxNetwork) throws(CgroupError) {
        if let classID = network.classID, classID != 0 {
            try need("net_cls", "network.classID").write("net_cls.classid", classID)
        }
        for priority in network.priorities ?? [] {
            try need("net_prio", "network.priorities").write(
                "net_prio.ifpriomap", "\(priority.name) \(priority.priority)")
        }
    }

    /// Takes the device controller from what it allows now to what the rules allow.
    private func apply(devices: [LinuxDeviceCgroup]) throws(CgroupError) {
        let directory = try need("devices", "devices")
        let target = try DeviceExceptions(rules: try DeviceRule.parse(devices))
        let current = try DeviceExceptions(list: directory.read("devices.list"))
        for (allow, line) in target.transition(from: current) {
            try directory.write(allow ? "devices.allow" : "devices.deny", line)
        }
    }
}

/// A huge page size as the kernel names files: `2MB`.
func checked(pageSize: String) throws(CgroupError) -> String {
    let digits = pageSize.prefix { $0.isASCII && $0.isNumber }
    if digits.isEmpty || !["KB", "MB", "GB"].contains(pageSize.dropFirst(digits.count)) {
        throw CgroupError(
            .invalidResource, "\"\(pageSize)\" is no huge page size: write a number and KB, MB or GB, such as 2MB")
    }
    return pageSize
}

func rdmaLine(_ device: String, _ limits: LinuxRdma) -> String {
    var line = device
    if let handles = limits.hcaHandles { line += " hca_handle=\(handles)" }
    if let objects = limits.hcaObjects { line += " hca_object=\(objects)" }
    return line
}
