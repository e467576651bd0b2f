import EngineModel
import Kernel
import OCI

extension SpecificationInputs {
    /// What Docker hides of the host, beyond what differs between hosts.
    package static let maskedPaths = [
        "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
        "/sys/devices/virtual/powercap",
    ]
    package static let readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

    package func makeLinux() throws(EngineError) -> Linux {
        var linux = Linux()
        linux.sysctl = sysctls
        linux.cgroupsPath = cgroupsPath
        linux.namespaces = namespaces
        var rules = deviceRules
        let devices = try makeDevices(&rules)
        linux.devices = devices.isEmpty ? nil : devices
        linux.resources = try makeResources()
        linux.resources?.devices = rules
        linux.seccomp = try seccomp(capabilities: capabilities)
        if !hostConfig.privileged {
            linux.maskedPaths = hostConfig.maskedPaths
            linux.readonlyPaths = hostConfig.readonlyPaths
        }
        return linux
    }

    private var namespaces: [LinuxNamespace] {
        var list = [LinuxNamespace(type: "mount")]
        func add(_ type: String, _ file: String, isHost: Bool) {
            if isHost { return }
            list.append(LinuxNamespace(type: type, path: joined[file].map { "/proc/\($0)/ns/\(file)" }))
        }
        add("network", "net", isHost: hostConfig.networkMode == "host")
        add("uts", "uts", isHost: hostConfig.utsMode == "host")
        add("pid", "pid", isHost: hostConfig.pidMode == "host")
        add("ipc", "ipc", isHost: hostConfig.ipcMode == "host")
        if usesPrivateCgroupNamespace { list.append(LinuxNamespace(type: "cgroup")) }
        return list
    }

    /// Ports below 1024 and ping for everyone, where the network is the container's own; and what was asked for.
    private var sysctls: [String: String]? {
        var values: [String: String] = [:]
        if hostConfig.networkMode != "host", joined["net"] == nil {
            values["net.ipv4.ip_unprivileged_port_start"] = "0"
            values["net.ipv4.ping_group_range"] = "0 2147483647"
        }
        values.merge(hostConfig.sysctls ?? [:]) { _, asked in asked }
        return values.isEmpty ? nil : values
    }

    // MARK: Resources

    package func makeResources() throws(EngineError) -> LinuxResources {
        try hostConfig.resources.specification
    }

    // MARK: Devices

    /// The rules of Docker's default: null, zero, full, random, urandom, tty and console; fuse explicitly not.
    private var deviceRules: [LinuxDeviceCgroup] {
        if hostConfig.privileged { return [LinuxDeviceCgroup(allow: true, access: "rwm")] }
        func rule(_ isAllowed: Bool, _ major: Int64, _ minor: Int64) -> LinuxDeviceCgroup {
            LinuxDeviceCgroup(allow: isAllowed, type: "c", major: major, minor: minor, access: "rwm")
        }
        return [
            LinuxDeviceCgroup(allow: false, access: "rwm"), rule(true, 1, 5), rule(true, 1, 3), rule(true, 1, 9),
            rule(true, 1, 8), rule(true, 5, 0), rule(true, 5, 1), rule(false, 10, 229),
        ]
    }

    private func makeDevices(_ rules: inout [LinuxDeviceCgroup]) throws(EngineError) -> [LinuxDevice] {
        var devices: [LinuxDevice] = []
        if hostConfig.privileged { devices = HostDevices.all() }
        for mapping in hostConfig.resources.devices ?? [] {
            let target = mapping.pathInContainer.isEmpty ? mapping.pathOnHost : mapping.pathInContainer
            let found = try HostDevices.devices(at: mapping.pathOnHost, as: target)
            let access = mapping.cgroupPermissions.isEmpty ? "rwm" : mapping.cgroupPermissions
            guard access.allSatisfy({ "rwm".contains($0) }) else {
                throw .invalid("invalid device cgroup permissions: \(mapping.cgroupPermissions)")
            }
            devices.removeAll { old in found.contains { $0.path == old.path } }
            devices += found
            if hostConfig.privileged { continue }
            for device in found {
                rules.append(
                    LinuxDeviceCgroup(
                        allow: true, type: device.type, major: device.major, minor: device.minor, access: access))
            }
        }
        for text in hostConfig.resources.deviceCgroupRules ?? [] {
            let rule = try Self.deviceRule(text)
            if !hostConfig.privileged { rules.append(rule) }
        }
        return devices
    }

    /// A rule such as `c 42:* rmw`.
    /// - Throws: `EngineError.invalidParameter`.
    package static func deviceRule(_ text: String) throws(EngineError) -> LinuxDeviceCgroup {
        let invalid = EngineError.invalid("invalid device cgroup rule format: '\(text)'")
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, ["a", "b", "c"].contains(parts[0]), (1...3).contains(parts[2].count),
            parts[2].allSatisfy({ "rwm".contains($0) })
        else { throw invalid }
        let numbers = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        guard numbers.count == 2 else { throw invalid }
        func number(_ text: Substring) throws(EngineError) -> Int64? {
            if text == "*" { return nil }
            guard let number = UInt32(text) else { throw invalid }
            return Int64(number)
        }
        return LinuxDeviceCgroup(
            allow: true, type: String(parts[0]), major: try number(numbers[0]), minor: try number(numbers[1]),
            access: String(parts[2]))
    }
}

extension Resources {
    /// The OCI form; what is zero here is not there.
    var specification: LinuxResources {
        get throws(EngineError) {
            var result = LinuxResources()
            result.memory = memorySpecification
            result.cpu = cpuSpecification
            if let limit = pidsLimit { result.pids = LinuxPids(limit: limit > 0 ? limit : -1) }
            result.blockIO = try blockIOSpecification
            return result
        }
    }

    private var memorySpecification: LinuxMemory? {
        var result = LinuxMemory()
        if memory > 0 { result.limit = memory }
        if memoryReservation > 0 { result.reservation = memoryReservation }
        if memorySwap != 0 { result.swap = memorySwap }
        if let memorySwappiness { result.swappiness = UInt64(clamping: memorySwappiness) }
        if oomKillDisable == true { result.disableOOMKiller = true }
        return result == LinuxMemory() ? nil : result
    }

    private var cpuSpecification: LinuxCPU? {
        var result = LinuxCPU()
        if cpuShares != 0 { result.shares = UInt64(clamping: cpuShares) }
        if nanoCpus > 0 {
            // In periods of 100 ms.
            result.period = 100_000
            result.quota = nanoCpus / 10_000
        }
        if cpuPeriod != 0 { result.period = UInt64(clamping: cpuPeriod) }
        if cpuQuota != 0 { result.quota = cpuQuota }
        if cpuRealtimePeriod != 0 { result.realtimePeriod = UInt64(clamping: cpuRealtimePeriod) }
        if cpuRealtimeRuntime != 0 { result.realtimeRuntime = cpuRealtimeRuntime }
        if !cpusetCpus.isEmpty { result.cpus = cpusetCpus }
        if !cpusetMems.isEmpty { result.mems = cpusetMems }
        return result == LinuxCPU() ? nil : result
    }

    private var blockIOSpecification: LinuxBlockIO? {
        get throws(EngineError) {
            var result = LinuxBlockIO()
            if blkioWeight != 0 { result.weight = blkioWeight }
            var weights: [LinuxWeightDevice] = []
            for device in blkioWeightDevice ?? [] {
                let number = try HostDevices.number(of: device.path)
                weights.append(
                    LinuxWeightDevice(
                        major: Int64(number.major), minor: Int64(number.minor), weight: device.weight))
            }
            func throttles(_ devices: [ThrottleDevice]?) throws(EngineError) -> [LinuxThrottleDevice]? {
                var list: [LinuxThrottleDevice] = []
                for device in devices ?? [] {
                    let number = try HostDevices.number(of: device.path)
                    list.append(
                        LinuxThrottleDevice(major: Int64(number.major), minor: Int64(number.minor), rate: device.rate))
                }
                return list.isEmpty ? nil : list
            }
            if !weights.isEmpty { result.weightDevice = weights }
            result.throttleReadBpsDevice = try throttles(blkioDeviceReadBps)
            result.throttleWriteBpsDevice = try throttles(blkioDeviceWriteBps)
            result.throttleReadIOPSDevice = try throttles(blkioDeviceReadIOps)
            result.throttleWriteIOPSDevice = try throttles(blkioDeviceWriteIOps)
            return result == LinuxBlockIO() ? nil : result
        }
    }
}
