import Kernel
import OCI

/// Says resources in the words of systemd.resource-control(5), so that systemd keeps what we set.
struct SystemdProperties {
    let version: CgroupVersion
    /// systemd's own, such as 252: what it does not know it would refuse.
    let systemdVersion: Int

    func properties(for resources: LinuxResources) throws(CgroupError) -> [SystemdManager.Property] {
        var properties: [SystemdManager.Property] = []
        if let devices = resources.devices { properties += try self.devices(devices) }
        if let memory = resources.memory { properties += try self.memory(memory) }
        if let cpu = resources.cpu { properties += try self.cpu(cpu) }
        if let limit = resources.pids?.limit, limit != 0 {
            properties.append(("TasksMax", .uint64(limit < 0 ? .max : UInt64(limit))))
        }
        if version == .v1, let weight = resources.blockIO?.weight, weight != 0 {
            properties.append(("BlockIOWeight", .uint64(UInt64(weight))))
        }
        if version == .v2 { properties += try unified(resources.unified ?? [:]) }
        return properties
    }

    private static func number(_ value: Int64) -> DBusValue { .uint64(value < 0 ? .max : UInt64(value)) }

    private func memory(_ memory: LinuxMemory) throws(CgroupError) -> [SystemdManager.Property] {
        var properties: [SystemdManager.Property] = []
        if let limit = memory.limit, limit != 0 {
            properties.append((version == .v2 ? "MemoryMax" : "MemoryLimit", Self.number(limit)))
        }
        guard version == .v2 else { return properties }
        if let reservation = memory.reservation, reservation != 0 {
            properties.append(("MemoryLow", Self.number(reservation)))
        }
        let swap = try CgroupConversion.memory(limit: memory.limit ?? 0, swap: memory.swap ?? 0).swap
        if let swap { properties.append(("MemorySwapMax", .uint64(UInt64(swap) ?? .max))) }
        return properties
    }

    private func cpu(_ cpu: LinuxCPU) throws(CgroupError) -> [SystemdManager.Property] {
        var properties: [SystemdManager.Property] = []
        if version == .v1 {
            if let shares = cpu.shares, shares != 0 { properties.append(("CPUShares", .uint64(shares))) }
        } else if let idle = cpu.idle, idle != 0, systemdVersion >= 252 {
            properties.append(("CPUWeight", .uint64(0)))
        } else if let shares = cpu.shares, shares != 0 {
            properties.append(("CPUWeight", .uint64(CgroupConversion.weight(shares: shares))))
        }
        properties += quota(cpu.quota, cpu.period)
        if version == .v2 && systemdVersion >= 244 {
            if let cpus = cpu.cpus, !cpus.isEmpty {
                properties.append(("AllowedCPUs", try Self.mask(cpus, "linux.resources.cpu.cpus")))
            }
            if let mems = cpu.mems, !mems.isEmpty {
                properties.append(("AllowedMemoryNodes", try Self.mask(mems, "linux.resources.cpu.mems")))
            }
        }
        return properties
    }

    private func quota(_ quota: Int64?, _ period: UInt64?) -> [SystemdManager.Property] {
        var properties: [SystemdManager.Property] = []
        if let period, period != 0, systemdVersion >= 242 {
            properties.append(("CPUQuotaPeriodUSec", .uint64(period)))
        }
        if let quota, quota != 0 {
            var perSecond = UInt64.max
            if quota > 0 {
                let period = period ?? 0 == 0 ? 100_000 : period ?? 100_000
                // systemd rounds to whole percents; rounded up here, so that a container never gets less than it asked.
                let product = UInt64(quota).multipliedReportingOverflow(by: 1_000_000)
                if !product.overflow { perSecond = (product.partialValue / period + 9_999) / 10_000 * 10_000 }
            }
            properties.append(("CPUQuotaPerSecUSec", .uint64(perSecond)))
        }
        return properties
    }

    /// A bit mask in bytes, the lowest first.
    static func mask(_ list: String, _ what: String) throws(CgroupError) -> DBusValue {
        guard let numbers = parseProcessorList(list), let highest = numbers.max() else {
            throw CgroupError(.invalidResource, "\(what) is \"\(list)\", which is no list of numbers such as 0-3,8")
        }
        var bytes = [UInt8](repeating: 0, count: highest / 8 + 1)
        for number in numbers { bytes[number / 8] |= 1 << UInt8(number % 8) }
        return .bytes(bytes)
    }

    private func devices(_ rules: [LinuxDeviceCgroup]) throws(CgroupError) -> [SystemdManager.Property] {
        let open: [SystemdManager.Property] = [
            ("DevicePolicy", .string("auto")), ("DeviceAllow", .array(of: "(ss)", [])),
        ]
        // What systemd cannot say it need not enforce: the rules themselves are installed by us.
        guard let exceptions = try? DeviceExceptions(rules: try DeviceRule.parse(rules)), !exceptions.allowsByDefault
        else { return open }
        let names = (try? FileDescriptor.currentDirectory.readText("/proc/devices")).map(Self.parseDevices) ?? [:]
        var allowed: [DBusValue] = []
        for (key, access) in exceptions.exceptions.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            guard let kind = key.kind else { return open }
            let word = kind == .block ? "block" : "char"
            let paths: [String] =
                switch (key.major, key.minor) {
                case (nil, nil): ["\(word)-*"]
                case (let major?, nil): (names[word]?[major]).map { ["\(word)-\($0)"] } ?? []
                case (let major?, let minor?): ["/dev/\(word)/\(major):\(minor)"]
                // systemd cannot select by minor number alone.
                case (nil, _?): []
                }
            if paths.isEmpty { return open }
            allowed += paths.map { .structure([.string($0), .string(access.text)]) }
        }
        // The empty list first: SetUnitProperties adds.
        return [
            ("DevicePolicy", .string("strict")), ("DeviceAllow", .array(of: "(ss)", [])),
            ("DeviceAllow", .array(of: "(ss)", allowed)),
        ]
    }

    /// `/proc/devices`: which driver has which major number.
    static func parseDevices(_ text: String) -> [String: [UInt32: String]] {
        var result: [String: [UInt32: String]] = [:]
        var word = ""
        for line in text.split(separator: "\n") {
            if line.hasPrefix("Character") { word = "char" }
            if line.hasPrefix("Block") { word = "block" }
            let fields = line.split(separator: " ")
            if fields.count == 2, let major = UInt32(fields[0]) {
                result[word, default: [:]][major] = String(fields[1])
            }
        }
        return result
    }

    /// The files of v2 that systemd has properties for.
    private func unified(_ values: [String: String]) throws(CgroupError) -> [SystemdManager.Property] {
        var properties: [SystemdManager.Property] = []
        for (file, value) in values.sorted(by: { $0.key < $1.key }) {
            let number = value == "max" ? DBusValue.uint64(.max) : UInt64(value).map { .uint64($0) }
            let names = [
                "cpu.weight": "CPUWeight", "memory.high": "MemoryHigh", "memory.low": "MemoryLow",
                "memory.min": "MemoryMin", "memory.max": "MemoryMax", "memory.swap.max": "MemorySwapMax",
                "pids.max": "TasksMax",
            ]
            if let name = names[file], let number { properties.append((name, number)) }
            if file == "cpu.max" {
                let fields = value.split(separator: " ")
                let quota = fields.first == "max" ? -1 : fields.first.flatMap { Int64($0) }
                properties += self.quota(quota, fields.count > 1 ? UInt64(fields[1]) : 100_000)
            }
            if systemdVersion >= 244 {
                if file == "cpuset.cpus" { properties.append(("AllowedCPUs", try Self.mask(value, file))) }
                if file == "cpuset.mems" { properties.append(("AllowedMemoryNodes", try Self.mask(value, file))) }
            }
        }
        return properties
    }
}
